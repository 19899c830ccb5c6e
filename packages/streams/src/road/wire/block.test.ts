import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { type Batch, BatchBuilder, type Boxed, valueAt } from '../../contract/index.ts';
import { decodeBlock, encodeBlock, headOf } from './block.ts';

type Row = readonly [series: number, time: number, value: number | Boxed, quality: number];

function batchOf(rows: readonly Row[]): Batch {
  const builder = new BatchBuilder();
  for (const [series, time, value, quality] of rows) builder.add(series, time, value, quality);
  const batch = builder.take();
  assert.ok(batch !== undefined);
  return batch;
}

function rowsOf(batch: Batch): Row[] {
  return Array.from({ length: batch.length }, (_, row) => [
    batch.series[row] ?? -1,
    batch.times[row] ?? -1,
    valueAt(batch, row),
    batch.qualities[row] ?? -1,
  ]);
}

/** Rows come back to the last bit: by series, and within a series in their order. */
function check(rows: readonly Row[]): void {
  const { bytes, rows: count } = encodeBlock(batchOf(rows));
  const sorted = rows.toSorted((a, b) => a[0] - b[0]);
  assert.equal(count, rows.length);
  assert.deepEqual(rowsOf(decodeBlock(bytes)), sorted);
  assert.deepEqual(headOf(bytes), { rows: rows.length, series: [...new Set(sorted.map(([series]) => series))] });
}

const VALUE: fc.Arbitrary<number | Boxed> = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }),
  fc.integer({ min: -9999, max: 9999 }).map((number) => number / 100),
  fc.integer({ min: -9999, max: 9999 }).map((number) => Math.fround(number / 10)),
  fc.double(),
  fc.constantFrom(Number.NaN, -0, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER, Number.MIN_VALUE),
);

const BOX: fc.Arbitrary<Boxed> = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.uint8Array({ maxLength: 8 }),
  fc.constant([1, 'two', null]),
  fc.constant({ a: { b: 1 } }),
);

const TIME = fc.oneof(
  fc.integer({ min: 1.7e12, max: 1.7e12 + 100_000 }),
  fc.integer({ min: 1.7e15, max: 1.7e15 + 1e6 }).map((microseconds) => microseconds / 1000),
  fc.double({ noNaN: true }),
);

const ROW = fc.tuple(fc.nat(20), TIME, VALUE, fc.constantFrom(192, 0, 64));
const MIXED = fc.tuple(fc.nat({ max: 2 ** 32 - 1 }), TIME, fc.oneof(VALUE, BOX), fc.nat(255));

test('rows of any kind come back to the last bit', () =>
  fc.assert(fc.property(fc.array(fc.oneof(ROW, MIXED), { minLength: 1, maxLength: 200 }), check), {
    numRuns: runs(200),
  }));

test('what a sensor says takes few bytes', () => {
  const rows = Array.from(
    { length: 8000 },
    (_, row): Row => [row % 100, 1.7e12 + Math.floor(row / 100) * 1000, 200 + ((row * 7919) % 13) / 10, 192],
  );
  const { bytes } = encodeBlock(batchOf(rows));
  assert.ok(bytes.length / rows.length < 1, `${bytes.length / rows.length} bytes a point`);
});

test('what is no block is refused, and nothing else happens', () => {
  const whole = encodeBlock(batchOf(Array.from({ length: 50 }, (_, row): Row => [row % 7, row, `text ${row}`, 192])));
  fc.assert(
    fc.property(fc.nat(whole.bytes.length - 1), fc.nat(255), fc.boolean(), (at, byte, isCut) => {
      const bytes = isCut ? whole.bytes.slice(0, at) : whole.bytes.slice();
      if (!isCut) bytes[at] = byte;
      try {
        assert.ok(decodeBlock(bytes).length <= 50);
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof assert.AssertionError), String(error));
      }
    }),
    { numRuns: runs(300) },
  );
});
