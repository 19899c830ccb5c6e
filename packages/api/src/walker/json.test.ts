import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isStatus } from '../status.ts';
import { parseJson } from './index.ts';

function check(text: string, duplicates: readonly string[]): void {
  const parsed = parseJson(text, { findDuplicates: true });
  assert.deepEqual(parsed.value, JSON.parse(text));
  assert.deepEqual(parsed.duplicates, duplicates);
}

function checkRefused(text: string, message: RegExp): void {
  assert.throws(
    () => parseJson(text),
    (error) => isStatus(error, 'BadRequest') && message.test(error.message),
  );
}

test('a key that stands twice in one object is reported with its path', () => {
  check('{"a":1,"b":2}', []);
  check('{"a":1,"a":2}', ['a']);
  check('{"spec":{"x":[{"y":1},{"z":1,"z":2}]}}', ['spec.x[1].z']);
  check('{"a":{"k":1},"b":{"k":1}}', []);
  check('{"a" : 1 , "\\u0061" : 2}', ['a']);
  check('{"a":"a\\"a","b":"{\\"a\\":1,\\"a\\":2}"}', []);
  check('[["a","a"],{"a":"a"}]', []);
  check('{"a":1,"a":2,"a":3}', ['a']);
});

test('no JSON without repeated keys has duplicates, however it is spaced', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.nat(3), (text, indent) => {
      const spaced = JSON.stringify(JSON.parse(text), undefined, indent);
      assert.deepEqual(parseJson(spaced, { findDuplicates: true }).duplicates, []);
    }),
  );
});

test('a body nested ten thousand deep is a bad request, not a crash', () => {
  checkRefused('['.repeat(10_000) + ']'.repeat(10_000), /exceeded max depth/);
  checkRefused(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, /exceeded max depth/);
});

test('brackets inside strings do not nest', () => check(JSON.stringify('['.repeat(5000)), []));

test('text that is no JSON is a bad request', () => {
  checkRefused('', /json parse error/);
  checkRefused('{"a":}', /json parse error/);
  checkRefused('{"a":1}x', /json parse error/);
});

test('a key __proto__ is an own property and reaches no prototype', () => {
  const { value } = parseJson(new TextEncoder().encode('{"__proto__":{"polluted":1}}'));
  assert.ok(Object.hasOwn(value as object, '__proto__'));
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});
