/** Time as an argument: nothing in this project reads the system's clock or sets a timer except through a `Clock`. */

/** A running timer. Disposing it cancels it. */
export interface Timer extends Disposable {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch. May jump; use it only for what a person or a peer reads. */
  now(): number;
  /** Milliseconds that never go back; the origin has no meaning. */
  monotonic(): number;
  /** Calls `callback` once, `delayMs` from now. The timer does not keep the process alive when `unref` is set. */
  after(delayMs: number, callback: () => void, options?: { readonly unref?: boolean }): Timer;
  /** Resolves `delayMs` from now; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay that the platform's timers take: longer ones would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, callback, options) => startTimer(delayMs, callback, options?.unref ?? false),
  sleep: (delayMs, signal) => sleepOn(systemClock, delayMs, signal),
};

/** Sleeps on any clock; the one implementation that every clock shares. */
export function sleepOn(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function startTimer(delayMs: number, callback: () => void, unref: boolean): Timer {
  const handle = setTimeout(callback, Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
  if (unref) handle.unref();
  const cancel = () => clearTimeout(handle);
  return { cancel, [Symbol.dispose]: cancel };
}
