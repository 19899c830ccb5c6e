/** A batch on its way into the head: what is no row of this store is left out and counted, the rest is also a record of the log. */
import type { Batch, Boxed, SeriesId } from '../contract/index.ts';
import type { Catalog } from './catalog.ts';
import { sizeOf, writeValue } from './codec/boxed.ts';
import { ByteWriter } from './codec/bytes.ts';
import type { Appended } from './contract.ts';
import type { Head } from './head.ts';
import { MICROS, numberFor } from './rows.ts';

/** Of one value that is no number. */
const MAX_VALUE_BYTES = 1024 * 1024;

export interface IntakeTarget {
  readonly catalog: Catalog;
  readonly head: Head;
  /** Microseconds: rows before are too old, rows after too new. */
  readonly oldest: number;
  readonly newest: number;
  /** A series that was forgotten has rows again. */
  readonly onRevived: (id: SeriesId) => void;
}

/** The head has room for all of it. */
export function takeRows(target: IntakeTarget, batch: Batch): Appended {
  const { catalog, head, oldest, newest } = target;
  const { length, series, times, values, qualities, boxed } = batch;
  const { end: seriesEnd, hasForgotten } = catalog;
  let tooOld = 0;
  let tooNew = 0;
  let refused = 0;
  head.reserve(length, seriesEnd);
  for (let row = 0; row < length; row++) {
    const id = series[row] ?? seriesEnd;
    const time = Math.round((times[row] ?? Number.NaN) * MICROS);
    const other = boxed?.get(row);
    if (id >= seriesEnd || Number.isNaN(time) || (other !== undefined && !isValue(other))) {
      refused++;
    } else if (time < oldest) {
      tooOld++;
    } else if (time > newest) {
      tooNew++;
    } else {
      const quality = qualities[row] ?? 0;
      const value = other === undefined ? (values[row] ?? Number.NaN) : numberFor(other);
      if (hasForgotten && catalog.isForgotten(id)) target.onRevived(id);
      head.add(id, time, value, quality);
      if (other !== undefined) head.box(other, sizeOf(other));
      catalog.touch(id, time, value, quality, other);
    }
  }
  return { taken: length - tooOld - tooNew - refused, tooOld, tooNew, refused };
}

function isValue(value: Boxed): boolean {
  const writer = new ByteWriter();
  try {
    writeValue(writer, value);
  } catch {
    return false;
  }
  return writer.finish().length <= MAX_VALUE_BYTES;
}
