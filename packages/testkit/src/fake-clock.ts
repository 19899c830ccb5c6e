/** A clock that stands still until a test moves it. */
import { type Clock, sleepOn, type Timer } from '@skerry/base';

export interface FakeClock extends Clock {
  /**
   * Moves time forward, firing each due timer at its own instant, in order; between two timers everything
   * that was ready to run has run. Timers set on the way fire too when they are due.
   */
  advance(ms: number): Promise<void>;
  /** Lets everything that is ready run without moving time. */
  settle(): Promise<void>;
  /** How many timers wait. */
  readonly pending: number;
}

export interface FakeClockOptions {
  /** Milliseconds since the epoch; default 2026-01-01T00:00:00Z. */
  readonly start?: number;
}

/** How many turns of the event loop `settle` gives to what is ready: promise chains hop between microtasks and I/O callbacks. */
const SETTLE_TURNS = 8;

interface FakeTimer {
  readonly due: number;
  readonly sequence: number;
  readonly callback: () => void;
}

export function fakeClock({ start = Date.UTC(2026, 0, 1) }: FakeClockOptions = {}): FakeClock {
  const timers = new Set<FakeTimer>();
  let elapsed = 0;
  let sequence = 0;

  const after = (delayMs: number, callback: () => void): Timer => {
    const timer = { due: elapsed + Math.max(0, delayMs), sequence: sequence++, callback };
    timers.add(timer);
    const cancel = () => {
      timers.delete(timer);
    };
    return { cancel, [Symbol.dispose]: cancel };
  };

  const clock: FakeClock = {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after,
    sleep: (delayMs, signal) => sleepOn(clock, delayMs, signal),
    get pending() {
      return timers.size;
    },
    settle,
    advance: async (ms) => {
      const target = elapsed + ms;
      await settle();
      for (let next = earliest(timers); next !== undefined && next.due <= target; next = earliest(timers)) {
        timers.delete(next);
        elapsed = Math.max(elapsed, next.due);
        next.callback();
        await settle();
      }
      elapsed = Math.max(elapsed, target);
    },
  };
  return clock;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function earliest(timers: ReadonlySet<FakeTimer>): FakeTimer | undefined {
  let first: FakeTimer | undefined;
  for (const timer of timers) {
    if (first === undefined || timer.due < first.due || (timer.due === first.due && timer.sequence < first.sequence)) {
      first = timer;
    }
  }
  return first;
}
