/** Timers by name, each at most once at a time; none keeps the process alive. */
import type { Clock, Timer } from '@skerry/base';

export class NamedTimers {
  readonly #clock: Clock;
  readonly #timers = new Map<string, Timer>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Unless that is planned already. */
  later(name: string, delayMs: number, what: () => void): void {
    if (this.#isClosed || this.#timers.has(name)) return;
    const run = () => {
      this.#timers.delete(name);
      what();
    };
    this.#timers.set(name, this.#clock.after(delayMs, run, { unref: true }));
  }

  cancel(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  /** For good. */
  close(): void {
    this.#isClosed = true;
    for (const name of this.#timers.keys()) this.cancel(name);
  }
}
