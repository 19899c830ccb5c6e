import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Value } from './value.ts';
import { compare, decode, encode, isSame, keyOf, toJson } from './values.ts';

const scalars: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom(null, true, false, Number.NaN, -0, 0, Number.POSITIVE_INFINITY, '', '#1', '!null', '"x', '!true'),
  fc.integer(),
  fc.double(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.string(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 8 }),
);

const values: fc.Arbitrary<Value> = fc.letrec<{ any: Value }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    scalars,
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('$date', '__proto__', 'a')), tie('any'), {
      maxKeys: 3,
    }),
  ),
})).any;

test('a value comes back from JSON as it was', () => {
  fc.assert(
    fc.property(values, (value) => {
      const back = decode(JSON.parse(JSON.stringify(encode(value))));
      assert.ok(isSame(back, value));
      assert.ok(typeof value !== 'number' || Object.is(back, value), 'also the sign of zero');
      assert.equal(typeof back, value === null ? 'undefined' : typeof value);
    }),
    { numRuns: 1000 },
  );
});

test('keys are the same for the same value only', () => {
  fc.assert(
    fc.property(values, values, (left, right) => {
      assert.equal(keyOf(left), keyOf(decode(encode(left))));
      if (isSame(left, right)) return;
      assert.notEqual(keyOf(left), keyOf(right));
    }),
    { numRuns: 2000 },
  );
});

test('numbers and bigints of the same size are one value', () => {
  assert.ok(isSame(5, 5n) && isSame(5n, 5) && !isSame(5.5, 5n) && !isSame('5', 5n));
  assert.equal(keyOf(5), keyOf(5n));
});

test('the order is one: reflexive, antisymmetric, transitive', () => {
  const comparable = scalars.filter((value) => !(typeof value === 'number' && Number.isNaN(value)));
  fc.assert(
    fc.property(comparable, comparable, comparable, (a, b, c) => {
      assert.equal(compare(a, a), 0);
      assert.equal(Math.sign(compare(a, b)) + 0, -Math.sign(compare(b, a)) + 0);
      if (compare(a, b) <= 0 && compare(b, c) <= 0) assert.ok(compare(a, c) <= 0);
    }),
    { numRuns: 1000 },
  );
});

test('JSON text has bigints as digits, times as RFC 3339, bytes as base64', () => {
  assert.equal(
    toJson([2n ** 60n, new Date(0), new Uint8Array([1, 2]), null]),
    '[1152921504606846976,"1970-01-01T00:00:00.000Z","AQI=",null]',
  );
});
