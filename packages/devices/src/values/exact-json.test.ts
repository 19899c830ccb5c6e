import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exactJsonText, parseExactJson } from './exact-json.ts';

test('an integer that a number cannot hold keeps every digit, wherever it stands', () => {
  assert.deepEqual(parseExactJson('{"a":[9007199254740993,-9223372036854775808],"b":18446744073709551615}'), {
    a: [9_007_199_254_740_993n, -(2n ** 63n)],
    b: 2n ** 64n - 1n,
  });
});

test('everything else is what JSON makes of it', () => {
  const check = (text: string) => assert.deepEqual(parseExactJson(text), JSON.parse(text));
  check('{"time":1767225600000,"value":0.12345678901234567,"big":1e300,"text":"9007199254740993"}');
  check('[9007199254740991,-9007199254740991,123456789012345678901234567890,1.0000000000000000]');
});

test('what is written is read as it was', () =>
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (integer) => {
      const isSafe = BigInt(Number(integer)) === integer && Number.isSafeInteger(Number(integer));
      assert.deepEqual(parseExactJson(exactJsonText({ integer })), { integer: isSafe ? Number(integer) : integer });
      assert.equal(exactJsonText({ integer }), `{"integer":${integer}}`);
    }),
  ));
