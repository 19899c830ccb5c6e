/** A process that the agent starts and watches: told by message what it needs, started again when it dies, ended when it is not wanted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { type BackoffPolicy, backoffDelay, type Clock, type Logger, type Timer } from '@skerry/base';

export interface WorkerProcessOptions {
  readonly name: string;
  readonly bundle: string;
  /** The first message to it. */
  readonly start: object;
  /** Answers what it asks; without it nobody does. */
  readonly answer?: (question: unknown) => object;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

export interface WorkerProcess {
  readonly isRunning: boolean;
  /** Starts it, or ends it; what is so already stays. */
  want(isWanted: boolean): void;
  /** Ends it for good. */
  close(): Promise<void>;
}

const RESTART: BackoffPolicy = { baseMs: 1000, capMs: 60_000 };
/** A run that lasted this long counts as healthy: the next restart is quick again. */
const HEALTHY_MS = 60_000;
/** Asked to end, it is given so long. */
const STOP_MS = 10_000;
/** What a runaway worker may take before only it dies; its threads keep young what is garbage soon in no more than so much each. */
const HEAP_FLAGS: readonly string[] = ['--max-old-space-size=1024', '--max-semi-space-size=1'];
/** What its threads free goes back to the system: by itself glibc keeps it, with an arena of its own for each thread. */
const ALLOCATOR: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' };

export function createWorkerProcess(options: WorkerProcessOptions): WorkerProcess {
  return new SupervisedProcess(options);
}

class SupervisedProcess implements WorkerProcess {
  readonly #options: WorkerProcessOptions;
  readonly #log: Logger;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #restart: Timer | undefined;
  #isWanted = false;
  #isClosed = false;
  #failures = 0;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.#log = options.log.child({ worker: options.name });
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  want(isWanted: boolean): void {
    if (this.#isClosed || isWanted === this.#isWanted) return;
    this.#isWanted = isWanted;
    this.#failures = 0;
    this.#restart?.cancel();
    if (!isWanted) this.#end();
    else if (this.#child === undefined) this.#launch();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isWanted = false;
    this.#restart?.cancel();
    this.#end();
    await this.#ended;
  }

  #launch(): void {
    const { bundle, start, clock } = this.#options;
    // Its log is a part of the agent's.
    const child = spawn(process.execPath, [...HEAP_FLAGS, bundle], {
      env: { ...process.env, ...ALLOCATOR },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const startedAt = clock.monotonic();
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      const onEnd = (code: number | null, signal: string | null) => {
        resolve();
        if (this.#child === child) this.#onEnd({ code, signal, ranMs: clock.monotonic() - startedAt });
      };
      child.once('exit', onEnd);
      child.once('error', (error) => {
        this.#log.error({ error: error.message }, 'worker not started');
        if (child.pid === undefined) onEnd(null, null);
      });
    });
    const { answer } = this.#options;
    if (answer !== undefined) child.on('message', (question) => child.send(answer(question), () => {}));
    // It may be gone before it hears this; its end says so.
    child.send(start, () => {});
    this.#log.info({ pid: child.pid }, 'worker started');
  }

  #onEnd({ code, signal, ranMs }: { code: number | null; signal: string | null; ranMs: number }): void {
    this.#child = undefined;
    if (!this.#isWanted) {
      this.#log.info({ code, signal }, 'worker ended');
      return;
    }
    const { clock, random } = this.#options;
    this.#failures = ranMs >= HEALTHY_MS ? 0 : this.#failures + 1;
    const pauseMs =
      this.#failures === 0 ? 0 : Math.round(RESTART.baseMs + backoffDelay(RESTART, this.#failures, random));
    this.#log.warn({ code, signal, pauseMs }, 'worker died; it is started again');
    this.#restart = clock.after(pauseMs, () => this.#launch());
  }

  #end(): void {
    const child = this.#child;
    if (child === undefined) return;
    const { clock } = this.#options;
    child.kill('SIGTERM');
    const timer = clock.after(STOP_MS, () => child.kill('SIGKILL'), { unref: true });
    child.once('exit', () => timer.cancel());
  }
}
