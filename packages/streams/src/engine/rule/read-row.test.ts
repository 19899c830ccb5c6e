import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FieldSchema } from '../../kinds/shared.ts';
import { rowReader } from './read-row.ts';

/** What a field of a type becomes; undefined: the row is refused. */
function check(schema: Omit<FieldSchema, 'name'>, value: unknown, expected: unknown): void {
  const read = rowReader({ schema: [{ name: 'f', ...schema }] });
  if (expected === undefined) assert.throws(() => read({ f: value }), /the field f must be/);
  else assert.deepEqual(read({ f: value }).row, { f: expected });
}

test('values become what the schema says, where that can be', () => {
  check({ type: 'Bigint' }, '42', 42);
  check({ type: 'Bigint' }, '9007199254740993', 9_007_199_254_740_993n);
  check({ type: 'Bigint' }, 1.5, undefined);
  check({ type: 'Float' }, '1.5', 1.5);
  check({ type: 'Float' }, '', undefined);
  check({ type: 'String' }, 7, '7');
  check({ type: 'Boolean' }, 'true', true);
  check({ type: 'Boolean' }, 'yes', undefined);
  check({ type: 'Datetime' }, '2026-01-01T00:00:00Z', new Date('2026-01-01T00:00:00Z'));
  check({ type: 'Datetime' }, 'soon', undefined);
  check({ type: 'Bytea' }, 'AQI=', new Uint8Array([1, 2]));
  check({ type: 'Array', items: 'Float' }, ['1', 2], [1, 2]);
  check({ type: 'Array', items: 'Float' }, ['x'], undefined);
  check({ type: 'Struct' }, { a: 1 }, { a: 1 });
  check({ type: 'Struct' }, [1], undefined);
  check({ type: 'Any' }, { a: [1] }, { a: [1] });
});

test('a missing field stays missing, and what the schema does not name is left out', () =>
  assert.deepEqual(
    rowReader({
      schema: [
        { name: 'a', type: 'Float' },
        { name: 'b', type: 'Float' },
      ],
    })({ b: null, c: 1 }).row,
    {
      b: null,
    },
  ));

test('the time of a row is that of its field', () => {
  const time = (value: unknown, format?: 'Seconds' | 'Rfc3339' | 'Milliseconds') =>
    rowReader({ timestamp: { field: 't', ...(format === undefined ? {} : { format }) } })({ t: value }).time;
  assert.deepEqual([time(5), time('5'), time(5, 'Seconds'), time('1970-01-01T00:00:05Z')], [5, 5, 5000, 5000]);
  for (const wrong of [undefined, null, 'never', {}, Number.NaN]) assert.throws(() => time(wrong), /must say a time/);
});

test('what is no object is no row', () => {
  for (const wrong of [1, 'x', null, [1]]) assert.throws(() => rowReader({})(wrong), /a row must be an object/);
});
