/** A rate of bytes that several senders share: each waits its turn before it sends. */
import { type Clock, sleepOn } from '@skerry/base';
import { BLOB_RATE_WINDOW_MS } from '../limits.ts';

export class Rate {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  /** When all that was let through has gone at the rate. */
  #paidUntil = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
  }

  /** Resolves when so many bytes may go. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic();
    const waitMs = this.#paidUntil - now;
    this.#paidUntil = Math.max(this.#paidUntil, now - BLOB_RATE_WINDOW_MS) + bytes / this.#bytesPerMs;
    if (waitMs > 0) await sleepOn(this.#clock, waitMs, signal);
  }
}
