/** Rows for the tests of outlets. */
import type { Boxed, Scalar } from '../../contract/index.ts';
import type { Labels, StoredType } from '../../store/index.ts';
import type { OutletRows } from '../target.ts';

/** One series; a row is time, value and, unless it is good, quality. */
export function rowsOf(
  labels: Labels,
  type: StoredType,
  rows: readonly (readonly [time: number, value: Scalar | Boxed, quality?: number])[],
): OutletRows {
  const boxed = new Map<number, Boxed>();
  rows.forEach(([, value], index) => {
    if (typeof value !== 'number') boxed.set(index, value);
  });
  return {
    labels,
    type,
    rows: {
      length: rows.length,
      times: Float64Array.from(rows, ([time]) => time),
      values: Float64Array.from(rows, ([, value]) => (typeof value === 'number' ? value : Number.NaN)),
      qualities: Uint8Array.from(rows, ([, , quality]) => quality ?? 192),
      ...(boxed.size === 0 ? {} : { boxed }),
    },
  };
}
