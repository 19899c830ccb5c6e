/** Rows of one series inside of the store: like `SeriesRows`, but with times in whole microseconds, which float64 holds exactly. */
import type { Boxed, Scalar } from '../contract/index.ts';
import type { SeriesRows } from './contract.ts';

export interface Rows {
  readonly length: number;
  /** Rising, each once. */
  readonly times: Float64Array;
  /** See `numberFor`. */
  readonly values: Float64Array;
  readonly qualities: Uint8Array;
  readonly boxed?: ReadonlyMap<number, Boxed>;
}

export const MICROS = 1000;

export const NO_ROWS: Rows = {
  length: 0,
  times: new Float64Array(0),
  values: new Float64Array(0),
  qualities: new Uint8Array(0),
};

export function toSeriesRows(rows: Rows): SeriesRows {
  const { boxed, times, values } = rows;
  const inMilliseconds = { ...rows, times: times.map((time) => time / MICROS) };
  if (boxed === undefined) return inMilliseconds;
  return { ...inMilliseconds, values: values.map((value, row) => (boxed.has(row) ? Number.NaN : value)) };
}

/** What aggregates take for a value: an integer that is too large for the column as the nearest number that it has. */
export function numberFor(value: Scalar | Boxed): number {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : Number.NaN;
}

export function rowValue({ boxed, values }: Rows, row: number): Scalar | Boxed {
  return boxed?.get(row) ?? values[row] ?? Number.NaN;
}

/** The rows from `start` up to `end`, as a view. */
export function slice(rows: Rows, start: number, end: number): Rows {
  if (start === 0 && end === rows.length) return rows;
  const { boxed, times, values, qualities } = rows;
  return {
    length: end - start,
    times: times.subarray(start, end),
    values: values.subarray(start, end),
    qualities: qualities.subarray(start, end),
    ...(boxed === undefined ? {} : withBoxed(shifted(boxed, start, end))),
  };
}

/** Those with `from <= time < to`. */
export function within(rows: Rows, from: number, to: number): Rows {
  return slice(rows, firstAt(rows.times, from), firstAt(rows.times, to));
}

/** The first row whose time is not before `time`. */
export function firstAt(times: Float64Array, time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Both in one; where they have the same time, `newer` has the word. */
export function merge(older: Rows, newer: Rows): Rows {
  if (older.length === 0) return newer;
  if (newer.length === 0) return older;
  if ((older.times[older.length - 1] ?? 0) < (newer.times[0] ?? 0)) return concat([older, newer]);
  const merged = new RowsBuilder(older.length + newer.length);
  let left = 0;
  let right = 0;
  while (left < older.length && right < newer.length) {
    const difference = (older.times[left] ?? 0) - (newer.times[right] ?? 0);
    if (difference < 0) {
      merged.copy(older, left++);
    } else {
      if (difference === 0) left++;
      merged.copy(newer, right++);
    }
  }
  while (left < older.length) merged.copy(older, left++);
  while (right < newer.length) merged.copy(newer, right++);
  return merged.finish();
}

/** One after the other; each begins after the one before has ended. */
export function concat(pieces: readonly Rows[]): Rows {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return only;
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const times = new Float64Array(length);
  const values = new Float64Array(length);
  const qualities = new Uint8Array(length);
  const boxed = new Map<number, Boxed>();
  let at = 0;
  for (const piece of pieces) {
    times.set(piece.times, at);
    values.set(piece.values, at);
    qualities.set(piece.qualities, at);
    for (const [row, value] of piece.boxed ?? []) boxed.set(at + row, value);
    at += piece.length;
  }
  return { length, times, values, qualities, ...withBoxed(boxed) };
}

/** Collects up to `capacity` rows. */
export class RowsBuilder {
  readonly #times: Float64Array;
  readonly #values: Float64Array;
  readonly #qualities: Uint8Array;
  readonly #boxed = new Map<number, Boxed>();
  #length = 0;

  constructor(capacity: number) {
    this.#times = new Float64Array(capacity);
    this.#values = new Float64Array(capacity);
    this.#qualities = new Uint8Array(capacity);
  }

  copy(from: Rows, row: number): void {
    const at = this.#length++;
    this.#times[at] = from.times[row] ?? 0;
    this.#values[at] = from.values[row] ?? 0;
    this.#qualities[at] = from.qualities[row] ?? 0;
    const boxed = from.boxed?.get(row);
    if (boxed !== undefined) this.#boxed.set(at, boxed);
  }

  finish(): Rows {
    const length = this.#length;
    return {
      length,
      times: this.#times.subarray(0, length),
      values: this.#values.subarray(0, length),
      qualities: this.#qualities.subarray(0, length),
      ...withBoxed(this.#boxed),
    };
  }
}

export function withBoxed(boxed: ReadonlyMap<number, Boxed>): { readonly boxed?: ReadonlyMap<number, Boxed> } {
  return boxed.size === 0 ? {} : { boxed };
}

function shifted(boxed: ReadonlyMap<number, Boxed>, start: number, end: number): ReadonlyMap<number, Boxed> {
  const own = new Map<number, Boxed>();
  for (const [row, value] of boxed) if (row >= start && row < end) own.set(row - start, value);
  return own;
}
