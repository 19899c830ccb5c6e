/** Moves a head that takes no more rows into chunks, a little at a time, and says in the catalogue's file that it is there. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@skerry/base';
import type { SeriesId } from '../contract/index.ts';
import type { LastValue } from './catalog.ts';
import type { CatalogFile } from './catalog-file.ts';
import type { StoredSeries } from './contract.ts';
import { isDamaged } from './database.ts';
import type { Head } from './head.ts';
import type { ChunkRef } from './partition.ts';
import type { Partitions } from './partitions.ts';
import { firstAt, type Rows, rowValue, slice } from './rows.ts';
import { sealRows } from './sealing.ts';

/** Of time and of rows: then other work has its turn. */
const TURN_MS = 8;
const ROWS_A_TURN = 16_384;

export interface SealContext {
  readonly clock: Clock;
  readonly partitions: Partitions;
  readonly file: CatalogFile;
  readonly describe: (series: SeriesId) => StoredSeries | undefined;
  readonly onDamaged: (ref: ChunkRef) => void;
  /** Rows of a time whose rows have been removed already. */
  readonly onTooOld: (rows: number) => void;
  readonly onSealed: (start: number) => void;
}

/** What is sealed together. */
export interface Generation {
  readonly number: number;
  readonly head: Head;
  readonly marks: ReadonlyMap<string, Uint8Array>;
}

/**
 * Everything is on disk when it resolves. When it fails, or the process ends meanwhile, it may be done again: what was done is found
 * and left as it is.
 */
export async function sealGeneration(
  context: SealContext,
  { number, head, marks }: Generation,
  unsaved: ReadonlyMap<SeriesId, StoredSeries>,
): Promise<void> {
  const last: (readonly [SeriesId, LastValue])[] = [];
  let newest = Number.NEGATIVE_INFINITY;
  const pace = new Pace(context.clock);
  for (let series = 0; series < head.seriesEnd; series++) {
    const rows = head.rowsOf(series);
    if (rows.length === 0) continue;
    await sealSeries(context, series, rows, pace);
    const row = lastRow(rows);
    last.push([series, row]);
    newest = Math.max(newest, row.time);
  }
  await context.partitions.commitEach(turn);
  context.file.commit({ series: unsaved.values(), last, marks, sealedGeneration: number });
  if (newest > Number.NEGATIVE_INFINITY) context.partitions.split(newest);
}

class Pace {
  readonly #clock: Clock;
  #rows = 0;
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  async sealed(rows: number): Promise<void> {
    this.#rows += rows;
    if (this.#rows < ROWS_A_TURN && this.#clock.monotonic() - this.#since < TURN_MS) return;
    await turn();
    this.#rows = 0;
    this.#since = this.#clock.monotonic();
  }
}

/**
 * A piece at a time, each of which is there as a whole. A partition that cannot be written to any more is put aside; the next try, of
 * the whole generation, finds an empty one.
 */
async function sealSeries(context: SealContext, series: SeriesId, rows: Rows, pace: Pace): Promise<void> {
  for (let start = 0; start < rows.length; ) {
    const { from, to } = context.partitions.rangeAt(rows.times[start] ?? 0);
    const end = Math.min(start + ROWS_A_TURN, firstAt(rows.times, to));
    try {
      sealInto(context, from, series, slice(rows, start, end));
    } catch (error) {
      if (isDamaged(error)) context.partitions.putAside(from, error);
      throw error;
    }
    await pace.sealed(end - start);
    start = end;
  }
}

function sealInto(context: SealContext, start: number, series: SeriesId, rows: Rows): void {
  const partition = context.partitions.open(start);
  context.onSealed(start);
  if (partition.state.raw !== 'all' && partition.lacksRaw(series)) {
    context.onTooOld(rows.length);
    return;
  }
  partition.begin();
  if (partition.state.isDense) partition.setState({ ...partition.state, isDense: false });
  const named = context.describe(series);
  if (named !== undefined) partition.name(named);
  sealRows(partition, series, rows, context.onDamaged);
}

function lastRow(rows: Rows): LastValue {
  const row = rows.length - 1;
  return { time: rows.times[row] ?? 0, value: rowValue(rows, row), quality: rows.qualities[row] ?? 0 };
}
