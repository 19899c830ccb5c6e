import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIndexes, parseIndexes } from './indexes.ts';

function check(indexes: readonly number[], text: string): void {
  assert.equal(formatIndexes(indexes), text);
  assert.deepEqual(
    parseIndexes(text, 100),
    [...indexes].sort((left, right) => left - right),
  );
}

test('neighbours are written as a range', () => {
  check([], '');
  check([7, 1, 3, 5, 4], '1,3-5,7');
  check([0, 1], '0,1');
});

test('what is no index below the limit is left out', () => {
  assert.deepEqual(parseIndexes('1,x,8-1000000000,-3', 10), [1, 8, 9]);
});

test('reading what was written gives the same set', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(99)), (indexes) => {
      const sorted = [...indexes].sort((left, right) => left - right);
      assert.deepEqual(parseIndexes(formatIndexes(indexes), 100), sorted);
    }),
  );
});
