/** What a crash left of the append log, read back into memory. */
import { readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@skerry/base';
import type { SeriesId } from '../contract/index.ts';
import type { Catalog } from './catalog.ts';
import { sizeOf } from './codec/boxed.ts';
import type { StoredSeries } from './contract.ts';
import type { Head } from './head.ts';
import type { Marks } from './marks.ts';
import { namelessSeries } from './rebuilding.ts';
import { type LoggedRows, type LogReader, readLog } from './records.ts';

const NAME = /^(\d{16})\.log$/;
const DIGITS = 16;

export function logFileOf(directory: string, generation: number): string {
  return join(directory, `${String(generation).padStart(DIGITS, '0')}.log`);
}

/** The generations whose files are there, rising; those up to `sealed` are in chunks, and removed. */
export function generationsIn(directory: string, sealed: number): readonly number[] {
  const all = readdirSync(directory).flatMap((name) => {
    const [, digits] = NAME.exec(name) ?? [];
    return digits === undefined ? [] : [Number(digits)];
  });
  for (const generation of all) if (generation <= sealed) rmSync(logFileOf(directory, generation));
  return all.filter((generation) => generation > sealed).sort((left, right) => left - right);
}

/** What a log is read into. */
export interface Recovered {
  readonly catalog: Catalog;
  readonly head: Head;
  readonly marks: Marks;
  /** Series that the catalogue's file may not have. */
  readonly unsaved: Map<SeriesId, StoredSeries>;
}

/** Puts everything in the file back into memory and cuts off what is behind the last whole record; returns where that ends. */
export function recoverLog(file: string, log: Logger, into: Recovered): number {
  const bytes = readFileSync(file);
  const { end, damaged } = readLog(bytes, readerOf(into));
  if (damaged > 0) log.error({ file, damaged }, 'records of the append log are damaged; their rows are lost');
  if (end < bytes.length) {
    log.warn({ file, bytes: bytes.length - end }, 'the append log ends with a record that is not whole');
    truncateSync(file, end);
  }
  return end;
}

function readerOf(into: Recovered): LogReader {
  return {
    series: (series) => {
      into.catalog.restore(series);
      into.unsaved.set(series.id, series);
    },
    rows: (rows) => takeBack(into, rows),
    mark: (mark) => into.marks.set(mark),
  };
}

/** They were judged when they came. */
function takeBack({ head, catalog, unsaved }: Recovered, { length, columns, boxed }: LoggedRows): void {
  for (const id of new Set(columns.series.subarray(0, length))) {
    // Its labels were in a catalogue that is lost.
    if (catalog.describe(id) !== undefined) continue;
    catalog.restore(namelessSeries(id));
    unsaved.set(id, namelessSeries(id));
  }
  head.reserve(length, catalog.end);
  for (let row = 0; row < length; row++) {
    const id = columns.series[row] ?? 0;
    const time = columns.times[row] ?? 0;
    const value = columns.values[row] ?? 0;
    const quality = columns.qualities[row] ?? 0;
    const other = boxed.get(row);
    head.add(id, time, value, quality);
    if (other !== undefined) head.box(other, sizeOf(other));
    catalog.touch(id, time, value, quality, other);
  }
}
