import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOfType } from '../facts/index.ts';
import type { Schema } from '../schema.ts';
import { validate } from './index.ts';

function check(schema: Schema, value: unknown, ...messages: readonly string[]): void {
  const found = validate({ x: value }, { type: 'object', properties: { x: schema } });
  assert.deepEqual(
    found.map((error) => error.message),
    messages,
  );
}

test('a wrong type is said in the words of Kubernetes', () => {
  check({ type: 'integer' }, 'two', 'x: Invalid value: "string": x in body must be of type integer: "string"');
  check({ type: 'object' }, [], 'x: Invalid value: "array": x in body must be of type object: "array"');
  check({ type: 'string' }, null, 'x: Invalid value: "null": x in body must be of type string: "null"');
  check({ type: 'string', nullable: true }, null);
  check({ intOrString: true }, 1);
  check({ intOrString: true }, '50%');
  check(
    { intOrString: true },
    1.5,
    'x: Invalid value: "number": x in body must be of type integer or string: "number"',
  );
  check({ type: 'number' }, 1);
});

test('numbers keep to their bounds', () => {
  check({ type: 'integer', minimum: 1 }, 0, 'x: Invalid value: 0: x in body should be greater than or equal to 1');
  check(
    { type: 'integer', maximum: 1, exclusiveMaximum: true },
    1,
    'x: Invalid value: 1: x in body should be less than 1',
  );
  check({ type: 'number', multipleOf: 0.1 }, 0.3);
  check({ type: 'integer', multipleOf: 2 }, 3, 'x: Invalid value: 3: x in body should be a multiple of 2');
});

test('strings keep to length, pattern, format and enumeration', () => {
  check({ type: 'string', minLength: 2 }, '😀', 'x: Invalid value: "😀": x in body should be at least 2 chars long');
  check({ type: 'string', maxLength: 2 }, 'abc', 'x: Too long: may not be more than 2 bytes');
  check({ type: 'string', pattern: '^a+$' }, 'b', `x: Invalid value: "b": x in body should match '^a+$'`);
  check(
    { type: 'string', format: 'ipv4' },
    '1.2.3',
    'x: Invalid value: "1.2.3": x in body must be of type ipv4: "1.2.3"',
  );
  check(
    { type: 'string', format: 'date-time' },
    '2026-02-29T00:00:00Z',
    'x: Invalid value: "2026-02-29T00:00:00Z": x in body must be of type date-time: "2026-02-29T00:00:00Z"',
  );
  check({ type: 'string', format: 'no-such-format' }, 'any');
  check({ type: 'string', enum: ['a', 'b'] }, 'c', 'x: Unsupported value: "c": supported values: "a", "b"');
});

test('objects and lists keep to their sizes and keys', () => {
  check({ type: 'object', required: ['a'] }, {}, 'x.a: Required value');
  check({ type: 'object', maxProperties: 1 }, { a: 1, b: 2 }, 'x: Too many: 2: must have at most 1 items');
  check({ type: 'array', maxItems: 1 }, [1, 2], 'x: Too many: 2: must have at most 1 items');
  check({ type: 'array', minItems: 1 }, [], 'x: Invalid value: 0: x in body should have at least 1 items');
  check({ type: 'array', listType: 'set', items: { type: 'string' } }, ['a', 'a'], 'x[1]: Duplicate value: "a"');
  const items: Schema = { type: 'object', properties: { k: { type: 'string' } } };
  check(
    { type: 'array', listType: 'map', listMapKeys: ['k'], items },
    [{ k: 'a' }, { k: 'a' }],
    'x[1]: Duplicate value: {"k":"a"}',
  );
});

test('branches restrict values', () => {
  const small: Schema = { maximum: 1 };
  const even: Schema = { multipleOf: 2 };
  check(
    { type: 'integer', anyOf: [small, even] },
    3,
    'x: Invalid value: 3: "x" must validate at least one schema (anyOf)',
  );
  check(
    { type: 'integer', oneOf: [small, even] },
    0,
    'x: Invalid value: 0: "x" must validate one and only one schema (oneOf). Found 2 valid alternatives',
  );
  check({ type: 'integer', not: even }, 2, 'x: Invalid value: 2: "x" must not validate the schema (not)');
  check({ type: 'integer', allOf: [small] }, 2, 'x: Invalid value: 2: x in body should be less than or equal to 1');
});

test('built-in kinds miss what they require, but a number left out is zero', () => {
  const errors = validate({ spec: { containers: [{}] } }, schemaOfType('core.v1.Pod') ?? {});
  assert.deepEqual(
    errors.map((error) => error.message),
    ['spec.containers[0].name: Required value'],
  );
  assert.deepEqual(
    validate(
      { spec: { serviceName: 'x', selector: {}, template: {} }, status: {} },
      schemaOfType('apps.v1.StatefulSet') ?? {},
    ),
    [],
  );
});

test('a body that is wrong everywhere gets a short answer', () => {
  const errors = validate(Array(10_000).fill('x'), { type: 'array', items: { type: 'integer' } });
  assert.equal(errors.length, 100);
});
