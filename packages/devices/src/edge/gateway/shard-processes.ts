/** The processes that have a share of one server, beside the one that has the first: started, listened to, started again when they die. */
import type { ChildProcess } from 'node:child_process';
import { type BackoffPolicy, backoffDelay, type Clock, type Logger, type Timer } from '@skerry/base';
import type { ServerReport } from './server-report.ts';

export interface ShardProcessesOptions {
  /** The process of this share; the first one that there is a process for is 1. */
  readonly launch: (index: number) => ChildProcess;
  readonly onReport: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What such a process says. */
export interface ShardSaid {
  readonly report?: ServerReport;
}

const RESTART: BackoffPolicy = { baseMs: 1000, capMs: 60_000 };
/** Asked to end, a process is given so long. */
const STOP_MS = 10_000;

export class ShardProcesses {
  readonly #options: ShardProcessesOptions;
  readonly #shards: Shard[] = [];

  constructor(options: ShardProcessesOptions) {
    this.#options = options;
  }

  /** By share, from 1 on; undefined for one that has not said anything since it was started. */
  get reports(): readonly (ServerReport | undefined)[] {
    return this.#shards.map(({ report }) => report);
  }

  /** Resolves when those that are too many have ended. */
  async want(count: number): Promise<void> {
    while (this.#shards.length < count) this.#shards.push(new Shard(this.#shards.length + 1, this.#options));
    await Promise.all(this.#shards.splice(count).map((shard) => shard.close()));
  }
}

class Shard {
  readonly #index: number;
  readonly #options: ShardProcessesOptions;
  #child: ChildProcess;
  #restart: Timer | undefined;
  #failures = 0;
  #isClosed = false;
  report: ServerReport | undefined;

  constructor(index: number, options: ShardProcessesOptions) {
    this.#index = index;
    this.#options = options;
    this.#child = this.#launch();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#restart?.cancel();
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = this.#options.clock.after(STOP_MS, () => child.kill('SIGKILL'), { unref: true });
    await ended;
    timer.cancel();
  }

  #launch(): ChildProcess {
    const child = this.#options.launch(this.#index);
    child.on('message', ({ report }: ShardSaid) => {
      if (report === undefined || this.#isClosed) return;
      this.#failures = 0;
      this.report = report;
      this.#options.onReport();
    });
    child.once('error', (error) => this.#options.log.error({ error, shard: this.#index }, 'shard not started'));
    child.once('exit', (code, signal) => this.#onEnd(code, signal));
    return child;
  }

  #onEnd(code: number | null, signal: string | null): void {
    if (this.#isClosed) return;
    const { clock, log, onReport } = this.#options;
    const pauseMs = Math.round(backoffDelay(RESTART, ++this.#failures, Math.random));
    log.warn({ shard: this.#index, code, signal, pauseMs }, 'shard died; it is started again');
    this.report = undefined;
    onReport();
    this.#restart = clock.after(pauseMs, () => {
      this.#child = this.#launch();
    });
  }
}
