import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import type { OutletRows } from '../../outlets/target.ts';
import { rowsOf } from '../../outlets/testing/rows.ts';
import { parquetStream } from './parquet-stream.ts';

const ROWS = 5000;
const SERIES = 20;

/** A value a millisecond and a half, so that times have fractions. */
async function* given(taken: () => void): AsyncGenerator<OutletRows> {
  for (let series = 0; series < SERIES; series++) {
    taken();
    const points = Array.from({ length: ROWS }, (_none, row) => [row * 1.5, series * ROWS + row] as const);
    yield rowsOf({ device: `press-${series}`, time: 'odd' }, 'float64', points);
  }
}

test('a large file comes in pieces, the first of them long before all rows are there, and has them all', async () => {
  let taken = 0;
  const pieces: Uint8Array[] = [];
  for await (const piece of parquetStream(
    given(() => {
      taken += 1;
    }),
    ['device', 'time'],
  )) {
    if (pieces.length === 0) assert.ok(taken < SERIES / 2, `${taken} of ${SERIES} series`);
    pieces.push(piece);
  }
  const file = Uint8Array.from(Buffer.concat(pieces)).buffer;
  assert.ok(parquetMetadata(file).row_groups.length > 1);
  const rows = await parquetReadObjects({ file, columns: ['device', 'label_time', 'value'] });
  assert.equal(rows.length, ROWS * SERIES);
  for (const [at, { device, label_time: label, value }] of rows.entries())
    assert.deepEqual([device, label, value], [`press-${Math.floor(at / ROWS)}`, 'odd', at]);
});
