/**
 * Event time. Rows of all sources become one sequence in the order of their times; what comes after its time has passed is late.
 *
 * Each source has a watermark: no row is older, save those that are late. That of the whole is the least of those that are not
 * idle. Which rows are late, and in which order the others go on, follows from the rows alone, however the sources are interleaved.
 */
import type { Row } from '../sql/index.ts';
import { packed, unpacked } from './meta.ts';
import type { SavedState } from './operator.ts';
import type { Runtime } from './runtime.ts';

export interface SourceTiming {
  /** A row may be so much older than the newest one. */
  readonly outOfOrderMs: number;
  /**
   * `rows`: their times move the watermark, and `advanceSource` does. `given`: only that, as for the results of another flow.
   * `nothing`: it says nothing about time, as a table.
   */
  readonly drivenBy: 'rows' | 'given' | 'nothing';
}

export interface TimelineTarget {
  push(source: number, row: Row, time: number): void;
  advance(time: number): void;
  late(source: number, row: Row, time: number): void;
}

interface Source extends SourceTiming {
  watermark: number;
  isIdle: boolean;
}

interface Waiting {
  readonly source: number;
  readonly input: Row;
  readonly time: number;
}

interface Saved {
  readonly watermark: number;
  readonly sources: readonly { readonly watermark: number; readonly isIdle: boolean }[];
  readonly waiting: readonly Waiting[];
}

const NEVER = Number.NEGATIVE_INFINITY;

export class Timeline {
  readonly #sources: Source[];
  readonly #target: TimelineTarget;
  readonly #runtime: Runtime;
  /** Only one source says what time it is: then nothing has to wait for an earlier place among rows of its time. */
  readonly #isAlone: boolean;
  /** By time, then by source, then as they came. Of one source nothing waits that could go on. */
  #waiting: Waiting[] = [];
  #watermark = NEVER;

  constructor(timings: readonly SourceTiming[], runtime: Runtime, target: TimelineTarget) {
    this.#sources = timings.map((timing) => ({ ...timing, watermark: NEVER, isIdle: timing.drivenBy === 'nothing' }));
    this.#isAlone = timings.filter(({ drivenBy }) => drivenBy !== 'nothing').length === 1;
    this.#runtime = runtime;
    this.#target = target;
  }

  get watermark(): number {
    return this.#watermark;
  }

  offer(index: number, row: Row, time: number): void {
    const source = this.#sources[index];
    if (source === undefined) return;
    if (source.isIdle) source.isIdle = false;
    if (time < source.watermark || time < this.#watermark) {
      this.#target.late(index, row, time);
      return;
    }
    const isMoved = source.drivenBy === 'rows' && time - source.outOfOrderMs > source.watermark;
    if (isMoved) source.watermark = time - source.outOfOrderMs;
    // The way of most rows: one source, in order.
    if (this.#isAlone && this.#waiting.length === 0 && time <= source.watermark) {
      this.#watermark = source.watermark;
      this.#target.push(index, row, time);
      return;
    }
    this.#wait({ source: index, input: row, time });
    if (isMoved) this.#move();
  }

  /** Nothing earlier than this comes of the source any more. */
  advanceSource(index: number, time: number): void {
    const source = this.#sources[index];
    if (source === undefined || time <= source.watermark) return;
    source.watermark = time;
    this.#move();
  }

  /** An idle source holds nothing back until its next row. */
  setIdle(index: number): void {
    const source = this.#sources[index];
    if (source === undefined || source.isIdle) return;
    source.isIdle = true;
    this.#move();
  }

  /** The times that were are of a clock that was wrong: what waits goes on, and time begins anew. */
  setBack(time: number): void {
    this.#watermark = Number.POSITIVE_INFINITY;
    this.#release();
    this.#watermark = time;
    for (const source of this.#sources) if (source.drivenBy !== 'nothing') source.watermark = time;
  }

  /** When the clock alone lets something go on. */
  get due(): number | undefined {
    const [next] = this.#waiting;
    if (next === undefined) return undefined;
    return this.#isAlone ? next.time : next.time + 1;
  }

  save(): SavedState {
    const sources = this.#sources.map(({ watermark, isIdle }) => ({ watermark, isIdle }));
    return { watermark: this.#watermark, sources, waiting: this.#waiting.map(packed) };
  }

  load(state: SavedState): void {
    const { watermark, sources, waiting } = state as Saved;
    if (sources.length !== this.#sources.length) return;
    for (const [at, source] of this.#sources.entries()) Object.assign(source, sources[at]);
    this.#watermark = watermark;
    this.#waiting = waiting.map(unpacked).filter(() => this.#runtime.takeRow());
  }

  #wait(row: Waiting): void {
    if (!this.#runtime.takeRow()) return;
    let at = this.#waiting.length;
    for (
      let before = this.#waiting[at - 1];
      before !== undefined && isAfter(before, row);
      before = this.#waiting[at - 1]
    )
      at--;
    this.#waiting.splice(at, 0, row);
  }

  #move(): void {
    const busy = this.#sources.filter(({ isIdle }) => !isIdle);
    // When all are idle, time stands still.
    const least = busy.reduce((sum, { watermark }) => Math.min(sum, watermark), Number.POSITIVE_INFINITY);
    const next = busy.length === 0 ? this.#watermark : least;
    if (next < this.#watermark || next === NEVER) return;
    this.#watermark = next;
    this.#release();
    this.#target.advance(next);
  }

  /** Rows of the watermark’s own time wait where another source may still have an earlier place among them. */
  #release(): void {
    const limit = this.#watermark;
    let count = 0;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[count]) {
      if (next.time > limit || (next.time === limit && !this.#isAlone && limit !== Number.POSITIVE_INFINITY)) break;
      count++;
    }
    if (count === 0) return;
    const released = this.#waiting.splice(0, count);
    this.#runtime.releaseRows(count);
    for (const { source, input, time } of released) this.#target.push(source, input, time);
  }
}

function isAfter(one: Waiting, other: Waiting): boolean {
  return one.time > other.time || (one.time === other.time && one.source > other.source);
}
