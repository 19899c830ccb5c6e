/** Moments that are kept more exactly than by the timers of the event loop, which count whole milliseconds and wait their turn. */
import { Worker } from 'node:worker_threads';
import { type Clock, type Logger, messageOf } from '@skerry/base';

export interface Metronome {
  /** Resolves at this moment of the clock's monotonic time, at once when it has passed. Rejects when the signal aborts. */
  until(due: number, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** To a thread: ring `id` when the machine's time, in milliseconds, is `at`. */
export interface Ring {
  readonly id: number;
  readonly at: number;
}

export interface MetronomeOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** What the thread runs: `runMetronome` of `workerData.metronome`. */
  readonly program: string | URL;
  readonly execArgv?: readonly string[];
}

/** As exact as the clock's own timers. */
export function clockMetronome(clock: Clock): Metronome {
  return {
    until: (due, signal) => clock.sleep(Math.max(0, due - clock.monotonic()), signal),
    close: async () => {},
  };
}

/** A moment that is further away is not worth a thread. */
const FINE_MS = 100;
/** The thread does nothing but wait. */
const HEAP_MB = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 1 };

/** With a thread of its own, which begins with the first moment that is near. */
export function threadMetronome(options: MetronomeOptions): Metronome {
  return new ThreadMetronome(options);
}

class ThreadMetronome implements Metronome {
  readonly #options: MetronomeOptions;
  readonly #bell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  /** One a control loop. */
  readonly #waiting = new Map<number, () => void>();
  #thread: Worker | undefined;
  #isGone = false;
  #next = 0;

  constructor(options: MetronomeOptions) {
    this.#options = options;
  }

  async until(due: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { clock } = this.#options;
    const wait = due - clock.monotonic();
    if (wait > 0 && wait <= FINE_MS && !this.#isGone) await this.#ring(wait, signal);
    // Without the thread the clock has to do, whose timers may also be early.
    for (let rest = due - clock.monotonic(); rest > 0; rest = due - clock.monotonic()) await clock.sleep(rest, signal);
  }

  async close(): Promise<void> {
    this.#onGone();
    await this.#thread?.terminate();
  }

  #ring(wait: number, signal: AbortSignal): Promise<void> {
    this.#thread ??= this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(id);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(id, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      this.#thread?.postMessage({ id, at: machineTime() + wait } satisfies Ring);
      Atomics.add(this.#bell, 0, 1);
      Atomics.notify(this.#bell, 0);
    });
  }

  #start(): Worker {
    const { log, program, execArgv } = this.#options;
    const thread = new Worker(program, {
      name: 'metronome',
      workerData: { metronome: this.#bell },
      resourceLimits: HEAP_MB,
      ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
    });
    thread.unref();
    thread.on('message', (id: number) => {
      this.#waiting.get(id)?.();
      this.#waiting.delete(id);
    });
    thread.once('error', (error) => log.error({ error: messageOf(error) }, 'control loops have no exact time'));
    thread.once('exit', () => this.#onGone());
    return thread;
  }

  #onGone(): void {
    this.#isGone = true;
    for (const wake of this.#waiting.values()) wake();
    this.#waiting.clear();
  }
}

const NANOSECONDS_PER_MS = 1e6;

/** The same for all threads, unlike `performance.now()`. */
export function machineTime(): number {
  return Number(process.hrtime.bigint()) / NANOSECONDS_PER_MS;
}
