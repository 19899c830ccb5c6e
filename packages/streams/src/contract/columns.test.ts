import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { type Batch, BatchBuilder, type Boxed, MAX_BATCH_ROWS, valueAt } from './batch.ts';
import { LastValues } from './last-values.ts';
import { isBad, isGood, Quality, severityOf } from './quality.ts';
import { SeriesTable } from './series.ts';

interface Row {
  readonly series: number;
  readonly time: number;
  readonly value: number | Boxed;
  readonly quality: number;
}

const VALUE = fc.oneof(
  fc.double({ noNaN: true }),
  fc.string({ maxLength: 5 }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.constant(Uint8Array.of(1, 2)),
  fc.constant([1, 'two']),
);

const ROW: fc.Arbitrary<Row> = fc
  .tuple(fc.nat(600), fc.double({ noNaN: true, noDefaultInfinity: true }), VALUE, fc.nat(255))
  .map(([series, time, value, quality]) => ({ series, time, value, quality }));

function batchOf(rows: readonly Row[]): Batch | undefined {
  const builder = new BatchBuilder();
  for (const { series, time, value, quality } of rows) assert.ok(builder.add(series, time, value, quality));
  return builder.take();
}

function rowsOf(batch: Batch): Row[] {
  return Array.from({ length: batch.length }, (_, row) => ({
    series: batch.series[row] ?? -1,
    time: batch.times[row] ?? -1,
    value: valueAt(batch, row),
    quality: batch.qualities[row] ?? -1,
  }));
}

test('a batch gives back what was put in, whatever the values are', () =>
  fc.assert(
    fc.property(fc.array(ROW, { minLength: 1, maxLength: 300 }), (rows) => {
      const batch = batchOf(rows);
      assert.deepEqual(batch && rowsOf(batch), rows);
    }),
    { numRuns: runs(50) },
  ));

test('a full batch takes nothing more, and the builder starts anew after it', () => {
  const builder = new BatchBuilder();
  for (let row = 0; row < MAX_BATCH_ROWS; row++) builder.add(row, row, row, 192);
  assert.equal(builder.isFull, true);
  assert.equal(builder.add(1, 1, 1, 192), false);
  const full = builder.take();
  assert.equal(full?.length, MAX_BATCH_ROWS);
  assert.equal(full?.values[MAX_BATCH_ROWS - 1], MAX_BATCH_ROWS - 1);
  assert.equal(builder.take(), undefined);
  builder.add(5, 5, 5, 192);
  assert.deepEqual([builder.take()?.values[0], full?.values[0]], [5, 0]);
});

test('the table of last values has, for every series, the row that came last', () =>
  fc.assert(
    fc.property(fc.array(fc.array(ROW, { minLength: 1, maxLength: 20 }), { maxLength: 10 }), (batches) => {
      const table = new LastValues();
      const expected = new Map<number, Row>();
      for (const rows of batches) {
        const batch = batchOf(rows);
        if (batch !== undefined) table.apply(batch);
        for (const row of rows) expected.set(row.series, row);
      }
      for (const [series, { time, value, quality }] of expected) {
        const { change: _change, ...sample } = table.get(series) ?? { change: 0 };
        assert.deepEqual(sample, { time, value, quality });
      }
      assert.equal(table.change, batches.flat().length);
    }),
    { numRuns: runs(50) },
  ));

test('a reader sees what changed since it last asked', () => {
  const table = new LastValues();
  const put = (series: number) => {
    const batch = batchOf([{ series, time: 0, value: 1, quality: 192 }]);
    if (batch !== undefined) table.apply(batch);
  };
  put(1);
  put(2);
  const seen = table.change;
  put(2);
  assert.deepEqual([table.isNewer(1, seen), table.isNewer(2, seen), table.isNewer(3, 0)], [false, true, false]);
  table.forget(2);
  assert.equal(table.get(2), undefined);
});

test('a series keeps its number; what is said of it anew replaces what was said', () => {
  const table = new SeriesTable();
  const series = { namespace: 'factory', object: 'press', property: 'force', type: 'float32' };
  const id = table.register(series);
  const other = table.register({ ...series, property: 'stroke' });
  assert.equal(table.register({ ...series, type: 'float64', unit: 'kN' }), id);
  assert.notEqual(id, other);
  assert.deepEqual(table.describe(id), { ...series, type: 'float64', unit: 'kN' });
  assert.deepEqual([table.find(series), table.find({ ...series, object: 'none' }), table.size], [id, undefined, 2]);
});

test('a quality is good, uncertain or bad by its upper bits alone', () => {
  for (const quality of [Quality.good, Quality.localOverride]) assert.equal(severityOf(quality), 'Good');
  for (const quality of [Quality.stale, Quality.outOfRange]) assert.equal(severityOf(quality), 'Uncertain');
  for (const quality of [Quality.bad, Quality.communicationFailure]) assert.equal(severityOf(quality), 'Bad');
  for (let quality = 0; quality < 256; quality++) assert.equal(isGood(quality) && isBad(quality), false);
});
