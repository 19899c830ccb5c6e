/** Values of many series in columns: what the bus carries. A batch never changes once it was published. */
import type { SeriesId } from './series.ts';

/** What fits into the column of float64: bool as 0 and 1, datetime as milliseconds since 1970, integers up to 2^53. */
export type Scalar = number;

/** What does not fit there and stands beside: text, bytes, large integers, lists and structures. */
export type Boxed = string | bigint | Uint8Array | readonly unknown[] | { readonly [name: string]: unknown };

export interface Batch {
  /** How many rows; the columns may be longer. */
  readonly length: number;
  readonly series: Uint32Array;
  /** Of the source: milliseconds since 1970, with fractions. */
  readonly times: Float64Array;
  /** NaN where the value is in `boxed`. */
  readonly values: Float64Array;
  /** See `Quality`. */
  readonly qualities: Uint8Array;
  /** By row; absent when every value is in the column. */
  readonly boxed?: ReadonlyMap<number, Boxed>;
}

/** So many rows at most in a batch: its columns then have 168 KiB. */
export const MAX_BATCH_ROWS = 8192;

const FIRST_ROWS = 64;

/** The value of a row, as it travels; its series knows the type that it stands for. */
export function valueAt({ boxed, values }: Batch, row: number): Scalar | Boxed {
  return boxed?.get(row) ?? values[row] ?? Number.NaN;
}

/** Collects rows until `take` makes a batch of them. */
export class BatchBuilder {
  #capacity = FIRST_ROWS;
  #length = 0;
  #series = new Uint32Array(FIRST_ROWS);
  #times = new Float64Array(FIRST_ROWS);
  #values = new Float64Array(FIRST_ROWS);
  #qualities = new Uint8Array(FIRST_ROWS);
  #boxed: Map<number, Boxed> | undefined;

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === MAX_BATCH_ROWS;
  }

  /** Returns false, and takes nothing, when the batch is full. */
  add(series: SeriesId, time: number, value: Scalar | Boxed, quality: number): boolean {
    const row = this.#length;
    if (row === this.#capacity && !this.#grow()) return false;
    this.#length = row + 1;
    this.#series[row] = series;
    this.#times[row] = time;
    this.#qualities[row] = quality;
    if (typeof value === 'number') {
      this.#values[row] = value;
    } else {
      this.#values[row] = Number.NaN;
      this.#boxed ??= new Map();
      this.#boxed.set(row, value);
    }
    return true;
  }

  /** The rows so far; the builder starts anew. Undefined when there are none. */
  take(): Batch | undefined {
    const length = this.#length;
    if (length === 0) return undefined;
    const boxed = this.#boxed;
    const batch: Batch = {
      length,
      series: this.#series,
      times: this.#times,
      values: this.#values,
      qualities: this.#qualities,
      ...(boxed === undefined ? {} : { boxed }),
    };
    // What was needed once is needed again, and little is kept of a burst.
    this.#capacity = Math.min(MAX_BATCH_ROWS, Math.max(FIRST_ROWS, length));
    this.#length = 0;
    this.#boxed = undefined;
    this.#series = new Uint32Array(this.#capacity);
    this.#times = new Float64Array(this.#capacity);
    this.#values = new Float64Array(this.#capacity);
    this.#qualities = new Uint8Array(this.#capacity);
    return batch;
  }

  #grow(): boolean {
    if (this.#capacity === MAX_BATCH_ROWS) return false;
    this.#capacity = Math.min(MAX_BATCH_ROWS, this.#capacity * 2);
    this.#series = copied(this.#series, new Uint32Array(this.#capacity));
    this.#times = copied(this.#times, new Float64Array(this.#capacity));
    this.#values = copied(this.#values, new Float64Array(this.#capacity));
    this.#qualities = copied(this.#qualities, new Uint8Array(this.#capacity));
    return true;
  }
}

function copied<Column extends { set(from: ArrayLike<number>): void }>(from: ArrayLike<number>, into: Column): Column {
  into.set(from);
  return into;
}
