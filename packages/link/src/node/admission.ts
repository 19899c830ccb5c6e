/** How fast the hub lets comers in: a token bucket with a bounded queue behind it, so that a restart is no stampede. */
import { BoundedQueue } from '@skerry/base';
import { ADMISSION_BURST, ADMISSION_QUEUE } from '../limits.ts';

export class Admission<T> {
  readonly #perMs: number;
  readonly #waiting = new BoundedQueue<T>('admission', ADMISSION_QUEUE);
  #tokens = ADMISSION_BURST;
  #filledAt: number;

  constructor(perSecond: number, now: number) {
    this.#perMs = perSecond / 1_000;
    this.#filledAt = now;
  }

  /** False when the queue is full: the comer should try later. */
  offer(comer: T): boolean {
    return this.#waiting.offer(comer);
  }

  /** The next comer that may enter now. */
  take(now: number): T | undefined {
    this.#tokens = Math.min(ADMISSION_BURST, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
    if (this.#tokens < 1 || this.#waiting.size === 0) return undefined;
    this.#tokens--;
    return this.#waiting.take();
  }

  /** When the next waiting comer may enter. */
  deadline(): number {
    if (this.#waiting.size === 0) return Number.POSITIVE_INFINITY;
    return this.#filledAt + Math.max(0, 1 - this.#tokens) / this.#perMs;
  }
}
