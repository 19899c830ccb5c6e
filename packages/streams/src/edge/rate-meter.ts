/** How many there were, and how many a second over about the last minute. */
import type { Clock } from '@skerry/base';

const SLICE_MS = 5000;
const SLICES = 12;

export class RateMeter {
  total = 0;
  readonly #clock: Clock;
  /** What the total was at the beginning of each slice, the oldest first. */
  #marks: { readonly at: number; readonly total: number }[];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#marks = [{ at: clock.monotonic(), total: 0 }];
  }

  add(count: number): void {
    this.total += count;
  }

  perSecond(): number {
    const now = this.#clock.monotonic();
    const last = this.#marks.at(-1);
    if (last !== undefined && now - last.at >= SLICE_MS)
      this.#marks = [...this.#marks, { at: now, total: this.total }].slice(-SLICES);
    const [first] = this.#marks;
    const seconds = first === undefined ? 0 : (now - first.at) / 1000;
    return seconds <= 0 || first === undefined ? 0 : Math.round(((this.total - first.total) / seconds) * 10) / 10;
  }
}
