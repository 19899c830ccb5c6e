/**
 * The time at which rows come: that of the node’s clock, which others may set. It never goes back by a little, never stands still, and
 * follows the clock at once when that is set ahead; ahead of the clock itself, it goes a little slower until both agree.
 */
import type { Clock } from '@skerry/base';

/** Clocks may be so far apart before one of them must have been wrong. */
const MAX_AHEAD_MS = 3_600_000;
/** Of the time that passes, while the clock is behind: windows are a ninth longer then. */
const SLOW = 0.9;

export class ArrivalClock {
  readonly #clock: Clock;
  #time: number;
  #monotonic: number;

  /** Goes on from `since`, should the clock be behind. */
  constructor(clock: Clock, since: number) {
    this.#clock = clock;
    this.#time = Math.max(clock.now(), isNear(since, clock.now()) ? since : Number.NEGATIVE_INFINITY);
    this.#monotonic = clock.monotonic();
  }

  now(): number {
    const [wall, monotonic] = [this.#clock.now(), this.#clock.monotonic()];
    const passed = this.#time + (monotonic - this.#monotonic) * SLOW;
    this.#monotonic = monotonic;
    this.#time = isNear(passed, wall) ? Math.max(wall, passed) : wall;
    return Math.floor(this.#time);
  }
}

/** What is further ahead is of a clock that was wrong. */
export function isNear(time: number, now: number): boolean {
  return time <= now + MAX_AHEAD_MS;
}
