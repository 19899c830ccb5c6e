/**
 * Keys to work on: each at most once in the queue and in one pair of hands, later when asked, later still after failures.
 *
 * Invariant: a key that is added while it is worked on comes up again after `done`.
 * The queue's bound is the number of distinct keys: adding a key again costs nothing.
 */
import { type BackoffPolicy, backoffCeiling, type Clock, type Timer } from '@skerry/base';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Delay after the first, second … failure in a row of one key; without jitter, since keys fail on their own. */
  readonly backoff?: BackoffPolicy;
}

export const DEFAULT_RETRY: BackoffPolicy = { baseMs: 5, capMs: 60_000 };

interface Delayed {
  readonly due: number;
  readonly timer: Timer;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #backoff: BackoffPolicy;
  /** In the order they were added, not yet taken. */
  readonly #ready = new Set<string>();
  readonly #working = new Set<string>();
  /** Added while in work. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor({ clock, backoff = DEFAULT_RETRY }: WorkQueueOptions) {
    this.#clock = clock;
    this.#backoff = backoff;
  }

  /** Keys that wait to be taken now. */
  get size(): number {
    return this.#ready.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#ready.has(key)) return;
    const taker = this.#takers.shift();
    if (taker === undefined) this.#ready.add(key);
    else this.#handOut(key, taker);
  }

  /** Adds the key after a while; the earliest of several such wishes counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const due = this.#clock.monotonic() + delayMs;
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined && waiting.due <= due) return;
    waiting?.timer.cancel();
    const timer = this.#clock.after(
      delayMs,
      () => {
        this.#delayed.delete(key);
        this.add(key);
      },
      { unref: true },
    );
    this.#delayed.set(key, { due, timer });
  }

  /** Adds the key after a delay that grows with each failure in a row. */
  retry(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, backoffCeiling(this.#backoff, failures));
  }

  /** The key's work went well: its next failure counts as the first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, as soon as there is one; undefined once the queue is closed. Give it back with `done`. */
  take(): Promise<string | undefined> {
    const [key] = this.#ready;
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      if (key === undefined) {
        this.#takers.push(resolve);
        return;
      }
      this.#ready.delete(key);
      this.#handOut(key, resolve);
    });
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Wakes every taker with undefined and drops what waits. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#ready.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #handOut(key: string, taker: (key: string) => void): void {
    this.#working.add(key);
    taker(key);
  }
}
