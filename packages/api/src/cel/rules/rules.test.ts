import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { customResourceSchema } from '../../crd/structural-schema.ts';
import type { JSONSchemaProps } from '../../generated/types.ts';
import { celRules } from './cel-rules.ts';

const rules = celRules();

function schemaOf(spec: JSONSchemaProps): ReturnType<typeof customResourceSchema> {
  return customResourceSchema({ type: 'object', properties: { spec } });
}

interface Case {
  readonly spec: JSONSchemaProps;
  readonly now: unknown;
  readonly old?: unknown;
  readonly faults?: readonly string[];
  readonly warnings?: readonly string[];
}

function check({ spec, now, old, faults = [], warnings = [] }: Case): void {
  const schema = schemaOf(spec);
  assert.deepEqual(rules.check(schema, 'schema'), []);
  const before = old === undefined ? undefined : { spec: old };
  const found = rules.validate({ spec: now }, before, schema);
  assert.deepEqual(
    found.faults.map(({ message }) => message),
    faults,
  );
  assert.deepEqual(found.warnings, warnings);
}

function refuses(spec: JSONSchemaProps, ...messages: readonly RegExp[]): void {
  const found = rules.check(schemaOf(spec), 'schema').map(({ message }) => message);
  assert.equal(found.length, messages.length, found.join('\n'));
  for (const [index, message] of messages.entries()) assert.match(found[index] ?? '', message);
}

const between: JSONSchemaProps = {
  type: 'object',
  properties: { min: { type: 'integer' }, max: { type: 'integer' } },
  'x-kubernetes-validations': [{ rule: 'self.min <= self.max', message: 'min must not exceed max' }],
};

test('a rule that does not hold is a fault where it stands, with its message', () => {
  check({ spec: between, now: { min: 1, max: 2 } });
  check({ spec: between, now: { min: 3, max: 2 }, faults: ['spec: Invalid value: "object": min must not exceed max'] });
  check({
    spec: between,
    now: { min: 3 },
    faults: ['spec: Invalid value: "object": no such key: max evaluating rule: self.min <= self.max'],
  });
  const scalar: JSONSchemaProps = { type: 'integer', 'x-kubernetes-validations': [{ rule: ' self > 1 ' }] };
  check({ spec: scalar, now: 1, faults: ['spec: Invalid value: 1: failed rule: self > 1'] });
});

test('reason, fieldPath and an expression for the message', () => {
  const spec = (rule: object): JSONSchemaProps => ({
    ...between,
    'x-kubernetes-validations': [{ rule: 'self.min <= self.max', message: 'plain', ...rule }],
  });
  const now = { min: 3, max: 2 };
  check({
    spec: spec({ reason: 'FieldValueForbidden', fieldPath: '.max' }),
    now,
    faults: ['spec.max: Forbidden: plain'],
  });
  check({ spec: spec({ reason: 'FieldValueRequired' }), now, faults: ['spec: Required value: plain'] });
  check({ spec: spec({ reason: 'FieldValueDuplicate' }), now, faults: ['spec: Duplicate value: "object": plain'] });
  const told = spec({ messageExpression: '"max must be at least %d".format([self.min])' });
  check({ spec: told, now, faults: ['spec: Invalid value: "object": max must be at least 3'] });
  check({ spec: spec({ messageExpression: '"a\\nb"' }), now, faults: ['spec: Invalid value: "object": plain'] });
  check({
    spec: spec({ messageExpression: 'self.min > 9 ? "x" : string(1 / 0)' }),
    now,
    faults: ['spec: Invalid value: "object": plain'],
  });
});

test('a transition rule speaks of changes, and of new objects only when it says so', () => {
  const spec = (more: object): JSONSchemaProps => ({
    type: 'object',
    properties: { tier: { type: 'string', 'x-kubernetes-validations': [{ message: 'fixed', ...more } as never] } },
  });
  const fixed = spec({ rule: 'self == oldSelf' });
  check({ spec: fixed, now: { tier: 'a' } });
  check({ spec: fixed, now: { tier: 'a' }, old: { tier: 'a' } });
  check({ spec: fixed, now: { tier: 'b' }, old: { tier: 'a' }, faults: ['spec.tier: Invalid value: "b": fixed'] });
  check({ spec: fixed, now: { tier: 'b' }, old: {} });
  const born = spec({ rule: 'oldSelf.hasValue() || self == "new"', optionalOldSelf: true });
  check({ spec: born, now: { tier: 'x' }, faults: ['spec.tier: Invalid value: "x": fixed'] });
  check({ spec: born, now: { tier: 'x' }, old: { tier: 'y' } });
});

test('items of a map list are known again by their keys, also in another order', () => {
  const spec: JSONSchemaProps = {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    items: {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' }, size: { type: 'integer' } },
      'x-kubernetes-validations': [{ rule: 'self.size >= oldSelf.size', message: 'shrinks' }],
    },
  };
  const [a, b] = [
    { name: 'a', size: 1 },
    { name: 'b', size: 5 },
  ];
  check({ spec, now: [b, a], old: [a, b] });
  check({ spec, now: [{ ...b, size: 4 }, a], old: [a, b], faults: ['spec[0]: Invalid value: "object": shrinks'] });
});

test('what was wrong before and did not change is a warning', () => {
  const now = { min: 3, max: 2 };
  const warnings = ['spec: Invalid value: "object": min must not exceed max'];
  check({ spec: between, now, old: now, warnings });
  check({ spec: between, now: { min: 4, max: 2 }, old: now, faults: warnings });
});

test('every kind of value is what the schema says', () => {
  const spec: JSONSchemaProps = {
    type: 'object',
    properties: {
      'a-b': { type: 'string' },
      in: { type: 'number' },
      when: { type: 'string', format: 'date-time' },
      wait: { type: 'string', format: 'duration' },
      data: { type: 'string', format: 'byte' },
      port: { 'x-kubernetes-int-or-string': true },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
    },
    'x-kubernetes-validations': [
      { rule: 'self.a__dash__b == "x" && self.__in__ == 2.0' },
      { rule: 'self.when < timestamp("2026-01-02T00:00:00Z") && self.wait > duration("1m")' },
      { rule: 'self.data == b"hi" && (self.port == 80 || self.port == "http") && self.labels["a-b"] == "c"' },
    ],
  };
  const now = {
    'a-b': 'x',
    in: 2,
    when: '2026-01-01T00:00:00Z',
    wait: '90s',
    data: 'aGk=',
    port: 'http',
    labels: { 'a-b': 'c' },
  };
  check({ spec, now });
  check({ spec, now: { ...now, port: 80 } });
});

test('of metadata, rules see the names', () => {
  const schema = customResourceSchema({
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'self.metadata.name.startsWith("a-")' }],
  });
  const named = (name: string) =>
    rules.validate({ metadata: { name, labels: { x: 'y' } } }, undefined, schema).faults.length;
  assert.deepEqual([named('a-1'), named('b')], [0, 1]);
  const labels = customResourceSchema({
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'has(self.metadata.labels.x)' }],
  });
  assert.match(rules.check(labels, '')[0]?.message ?? '', /undefined field 'labels'/);
});

test('a definition whose rules do not compile is refused with the place', () => {
  const ruled = (...validations: object[]): JSONSchemaProps => ({
    ...between,
    'x-kubernetes-validations': validations as never,
  });
  refuses(
    ruled({ rule: 'self.mim > 1' }),
    /^schema\.properties\[spec\]\.x-kubernetes-validations\[0\]\.rule: Invalid value: .*compilation failed: ERROR: <input>:1:5: undefined field 'mim'/,
  );
  refuses(ruled({ rule: 'self.min' }), /cel expression must evaluate to a bool/);
  refuses(ruled({ rule: '' }), /rule: Required value: rule is not specified/);
  refuses(ruled({ rule: 'true', messageExpression: '1' }), /messageExpression cel expression must evaluate to string/);
  refuses(ruled({ rule: 'true', message: 'a\nb' }), /message must not contain line breaks/);
  refuses(ruled({ rule: 'true\n|| true' }), /message must be specified if rule contains line breaks/);
  refuses(ruled({ rule: 'true', reason: 'Because' }), /reason: Unsupported value: "Because"/);
  refuses(
    ruled({ rule: 'true', fieldPath: '.nope' }),
    /fieldPath must be a valid path: does not refer to a valid field/,
  );
  refuses(ruled({ rule: 'true', optionalOldSelf: true }), /may not be set if oldSelf is not used/);
  refuses(
    { type: 'array', items: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] } },
    /oldSelf cannot be used on the uncorrelatable portion of the schema/,
  );
});

test('what costs too much ends the validation', () => {
  const spec: JSONSchemaProps = {
    type: 'array',
    items: { type: 'integer' },
    'x-kubernetes-validations': [{ rule: 'self.all(a, self.all(b, self.all(c, a + b + c >= 0)))' }, { rule: 'false' }],
  };
  const found = rules.validate(
    { spec: Array.from({ length: 500 }, (_, index) => index) },
    undefined,
    schemaOf(spec),
  ).faults;
  assert.equal(found.length, 1);
  assert.match(
    found[0]?.message ?? '',
    /no further validation rules will be run due to call cost exceeds limit for rule: self\.all/,
  );
});

test('whatever a rule says and an object holds, it is judged and never crashed on', () => {
  const part = fc.constantFrom(
    'self',
    'oldSelf',
    'self.a',
    'self.list',
    '"x"',
    '1',
    '2.5',
    'null',
    'true',
    '[1]',
    '{"a": 1}',
    '.',
    '(',
    ')',
    '==',
    '+',
    '&&',
    '||',
    '!',
    ' in ',
    '.all(x, ',
    '.map(i, v, ',
    '.find("(")',
    '.matches("a*")',
    'has(self.a)',
    'quantity("1")',
    'ip("::1")',
    'optional.of(',
    '.?a',
    '.orValue(',
    'x',
    '\\',
    '\u0000',
  );
  const leaf = fc.constantFrom<unknown>(null, 1, 1.5, 'text', true, [], {}, { constructor: 1 });
  const value = fc.record({ a: leaf, list: fc.array(leaf, { maxLength: 3 }) }, { requiredKeys: [] });
  const spec = (rule: string): JSONSchemaProps => ({
    type: 'object',
    properties: { a: { 'x-kubernetes-int-or-string': true }, list: { type: 'array', items: { type: 'string' } } },
    'x-kubernetes-validations': [{ rule, message: 'm' }],
  });
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), value, value, (parts, now, old) => {
      const schema = schemaOf(spec(parts.join('')));
      if (rules.check(schema, '').length > 0) return;
      accepted++;
      for (const { message } of rules.validate({ spec: now }, { spec: old }, schema).faults)
        assert.match(message, /^spec: /);
    }),
    { numRuns: runs(1000) },
  );
  assert.ok(accepted > 0, 'no rule was sound');
});
