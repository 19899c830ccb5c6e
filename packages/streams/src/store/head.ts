/**
 * Rows in memory, in the order they came: columns shared by all series, and in each row the place of the row before it of the same
 * series. So that taking a row costs the same whatever its series is, and memory is what the bound says. One that waits to be sealed
 * stays as it is: putting the rows of each series together is part of sealing the series, and no work at once.
 */
import type { Boxed, SeriesId } from '../contract/index.ts';
import { merge, NO_ROWS, type Rows, RowsBuilder, withBoxed } from './rows.ts';

const FIRST_ROWS = 16_384;
const NONE = -1;
/** Of values that are no numbers: then no further rows are taken, however few there are. */
const MAX_BOXED_BYTES = 64 * 1024 * 1024;

export class Head {
  readonly limit: number;
  length = 0;
  boxedBytes = 0;
  #times = new Float64Array(0);
  #values = new Float64Array(0);
  #qualities = new Uint8Array(0);
  #series = new Uint32Array(0);
  /** The row before of the same series. */
  #before = new Int32Array(0);
  /** By series: its newest row, and how many it has. */
  #newest = new Int32Array(0);
  #counts = new Uint32Array(0);
  readonly #boxed = new Map<number, Boxed>();

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Numbers of series are below. */
  get seriesEnd(): number {
    return this.#counts.length;
  }

  hasRoomFor(rows: number): boolean {
    return this.length + rows <= this.limit && this.boxedBytes <= MAX_BOXED_BYTES;
  }

  /** Makes place for so many more rows, of series below `seriesEnd`. */
  reserve(rows: number, seriesEnd: number): void {
    if (this.length + rows > this.#times.length) this.#growRows(this.length + rows);
    if (seriesEnd > this.#newest.length) this.#growSeries(seriesEnd);
  }

  /** After `reserve`. */
  add(series: SeriesId, time: number, value: number, quality: number): void {
    const row = this.length++;
    this.#times[row] = time;
    this.#values[row] = value;
    this.#qualities[row] = quality;
    this.#series[row] = series;
    this.#before[row] = this.#newest[series] ?? NONE;
    this.#newest[series] = row;
    this.#counts[series] = (this.#counts[series] ?? 0) + 1;
  }

  /** What the row added last has in place of a number. */
  box(value: Boxed, bytes: number): void {
    this.#boxed.set(this.length - 1, value);
    this.boxedBytes += bytes;
  }

  /** With their rows, counted from `start`. */
  boxedFrom(start: number): (readonly [number, Boxed])[] {
    if (this.#boxed.size === 0) return [];
    const found: (readonly [number, Boxed])[] = [];
    for (let row = start; row < this.length; row++) {
      const value = this.#boxed.get(row);
      if (value !== undefined) found.push([row - start, value]);
    }
    return found;
  }

  /** The columns of the rows from `start` on, as views. */
  columnsFrom(start: number): HeadColumns {
    const { length } = this;
    return {
      series: this.#series.subarray(start, length),
      times: this.#times.subarray(start, length),
      values: this.#values.subarray(start, length),
      qualities: this.#qualities.subarray(start, length),
    };
  }

  rowsOf(series: SeriesId): Rows {
    const length = this.#counts[series] ?? 0;
    if (length === 0) return NO_ROWS;
    const times = new Float64Array(length);
    const values = new Float64Array(length);
    const qualities = new Uint8Array(length);
    const boxed = new Map<number, Boxed>();
    let row = this.#newest[series] ?? NONE;
    for (let at = length - 1; at >= 0; at--) {
      times[at] = this.#times[row] ?? 0;
      values[at] = this.#values[row] ?? 0;
      qualities[at] = this.#qualities[row] ?? 0;
      if (this.#boxed.size > 0) copyBoxed(this.#boxed, row, boxed, at);
      row = this.#before[row] ?? NONE;
    }
    return inOrder({ length, times, values, qualities, ...withBoxed(boxed) });
  }

  #growRows(needed: number): void {
    // Memory that no row has touched costs nothing: copying what grew, a little each time, would cost whoever waits meanwhile.
    const capacity = Math.max(needed, this.#times.length === 0 ? Math.min(this.limit, FIRST_ROWS) : this.limit);
    this.#times = grown(this.#times, new Float64Array(capacity));
    this.#values = grown(this.#values, new Float64Array(capacity));
    this.#qualities = grown(this.#qualities, new Uint8Array(capacity));
    this.#series = grown(this.#series, new Uint32Array(capacity));
    this.#before = grown(this.#before, new Int32Array(capacity));
  }

  #growSeries(needed: number): void {
    const capacity = Math.max(needed, this.#newest.length * 2);
    const known = this.#newest.length;
    this.#newest = grown(this.#newest, new Int32Array(capacity));
    this.#newest.fill(NONE, known);
    this.#counts = grown(this.#counts, new Uint32Array(capacity));
  }
}

export interface HeadColumns {
  readonly series: Uint32Array;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly qualities: Uint8Array;
}

function copyBoxed(from: ReadonlyMap<number, Boxed>, row: number, into: Map<number, Boxed>, at: number): void {
  const value = from.get(row);
  if (value !== undefined) into.set(at, value);
}

/**
 * By time, each time once: of several rows the one that came last. Most rows come in order, so the few that are late are sorted apart;
 * each of them is newer than the row of the same time among the others.
 */
function inOrder(rows: Rows): Rows {
  if (isRising(rows.times)) return rows;
  const punctual = new RowsBuilder(rows.length);
  const late: number[] = [];
  let newest = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < rows.length; row++) {
    const time = rows.times[row] ?? 0;
    if (time <= newest) {
      late.push(row);
    } else {
      punctual.copy(rows, row);
      newest = time;
    }
  }
  return merge(punctual.finish(), sorted(rows, late));
}

function sorted(rows: Rows, places: number[]): Rows {
  const timeAt = (at: number) => rows.times[places[at] ?? 0];
  places.sort((left, right) => (rows.times[left] ?? 0) - (rows.times[right] ?? 0));
  const builder = new RowsBuilder(places.length);
  for (const [at, row] of places.entries())
    if (timeAt(at) !== timeAt(at + 1) || at + 1 === places.length) builder.copy(rows, row);
  return builder.finish();
}

function isRising(times: Float64Array): boolean {
  for (let row = 1; row < times.length; row++) if ((times[row] ?? 0) <= (times[row - 1] ?? 0)) return false;
  return true;
}

function grown<Column extends { set(from: ArrayLike<number>): void }>(from: ArrayLike<number>, into: Column): Column {
  into.set(from);
  return into;
}
