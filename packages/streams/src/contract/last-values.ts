/** The last value of each series, in columns: a reader asks for one, or for all that changed since it last asked. */
import { type Batch, type Boxed, type Scalar, valueAt } from './batch.ts';
import type { SeriesId } from './series.ts';

export interface LastSample {
  readonly time: number;
  readonly value: Scalar | Boxed;
  readonly quality: number;
  /** Grows with each sample that comes, over all series. */
  readonly change: number;
}

const FIRST_SERIES = 256;

/** The last is the one that came last, whatever its time: a device whose clock was set back must not freeze. */
export class LastValues {
  #times = new Float64Array(FIRST_SERIES);
  #values = new Float64Array(FIRST_SERIES);
  #qualities = new Uint8Array(FIRST_SERIES);
  /** Zero: nothing came yet. */
  #changes = new Float64Array(FIRST_SERIES);
  readonly #boxed = new Map<SeriesId, Boxed>();
  #change = 0;

  /** The number of the newest change; 0 before the first. */
  get change(): number {
    return this.#change;
  }

  apply(batch: Batch): void {
    const { length, series, times, values, qualities, boxed } = batch;
    for (let row = 0; row < length; row++) {
      const id = series[row] ?? 0;
      if (id >= this.#times.length) this.#grow(id);
      this.#times[id] = times[row] ?? 0;
      this.#values[id] = values[row] ?? Number.NaN;
      this.#qualities[id] = qualities[row] ?? 0;
      this.#changes[id] = ++this.#change;
    }
    if (boxed !== undefined || this.#boxed.size > 0) this.#applyBoxed(batch);
  }

  get(id: SeriesId): LastSample | undefined {
    const change = this.#changes[id] ?? 0;
    if (change === 0) return undefined;
    return {
      time: this.#times[id] ?? 0,
      value: this.#boxed.get(id) ?? this.#values[id] ?? Number.NaN,
      quality: this.#qualities[id] ?? 0,
      change,
    };
  }

  /** Whether the series has a sample newer than `change`. */
  isNewer(id: SeriesId, change: number): boolean {
    return (this.#changes[id] ?? 0) > change;
  }

  /** Its number stays its own; a later sample makes it known again. */
  forget(id: SeriesId): void {
    if (id < this.#changes.length) this.#changes[id] = 0;
    this.#boxed.delete(id);
  }

  #applyBoxed(batch: Batch): void {
    for (let row = 0; row < batch.length; row++) {
      const id = batch.series[row] ?? 0;
      const value = valueAt(batch, row);
      if (typeof value === 'number') this.#boxed.delete(id);
      else this.#boxed.set(id, value);
    }
  }

  #grow(id: SeriesId): void {
    const size = 2 ** Math.ceil(Math.log2(id + 1));
    const grown = <Column extends Float64Array | Uint8Array>(column: Column, next: Column): Column => {
      next.set(column);
      return next;
    };
    this.#times = grown(this.#times, new Float64Array(size));
    this.#values = grown(this.#values, new Float64Array(size));
    this.#qualities = grown(this.#qualities, new Uint8Array(size));
    this.#changes = grown(this.#changes, new Float64Array(size));
  }
}
