/** The way of one outlet: rows are on disk before they leave, leave in order, and stay until the engine has them. */
import { type BackoffPolicy, backoffDelay, type Clock, type Logger, messageOf } from '@skerry/base';
import type { Batch, Boxed, Scalar } from '../contract/index.ts';
import type { DropReason, RouteReport } from '../road/contract.ts';
import type { RoadQueue } from '../road/core/road-queue.ts';
import { Collector } from '../road/edge/collector.ts';
import { mergeNewest } from '../road/edge/merge-blocks.ts';
import type { RoadFile } from '../road/edge/road-file.ts';
import { decodeBlock } from '../road/wire/block.ts';
import type { StoredType } from '../store/index.ts';
import { deliver } from './deliver.ts';
import { OutletError, type OutletRows, type OutletTarget, type Sent } from './target.ts';

export interface OutletSenderOptions {
  /** Shared by the outlets of a process. */
  readonly file: RoadFile;
  readonly queue: RoadQueue;
  readonly clock: Clock;
  readonly log: Logger;
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
}

export interface OutletReport extends Pick<RouteReport, 'live' | 'taken' | 'delivered' | 'dropped' | 'refusal'> {
  /** Why nothing leaves at present, in words. */
  readonly problem?: string;
}

const TICK_MS = 50;
/** Beyond, there is no date. */
const MAX_TIME = 8.64e15;
const RETRY: BackoffPolicy = { baseMs: 500, capMs: 30_000 };

export class OutletSender {
  readonly #options: OutletSenderOptions;
  readonly #collector: Collector;
  readonly #closing = new AbortController();
  readonly #running: Promise<unknown>;
  #target: OutletTarget | undefined;
  #sendProblem: string | undefined;
  #diskProblem: string | undefined;

  constructor(options: OutletSenderOptions) {
    this.#options = options;
    this.#collector = new Collector(options.queue, options.file);
    this.#running = Promise.all([this.#keepCollecting(), this.#keepSending()]);
  }

  /** Where rows go from now on; until then they wait. */
  async connect(target: OutletTarget): Promise<void> {
    const before = this.#target;
    this.#target = target;
    await before?.close();
  }

  /** A number for rows of this series to name it; undefined when there are too many. */
  series(type: StoredType, labels: Readonly<Record<string, string>>): number | undefined {
    return this.#options.file.series(type, labels);
  }

  /** Taken into memory, and on disk within the batch's delay. */
  add(series: number, time: number, value: Scalar | Boxed, quality: number): void {
    if (!(Math.abs(time) <= MAX_TIME)) {
      this.drop('Refused');
      return;
    }
    this.#collector.add(series, time, value, quality, this.#options.clock.now());
    if (this.#collector.isFull) this.flush();
  }

  /** A row that never comes into the queue. */
  drop(reason: DropReason): void {
    this.#options.file.countDropped(this.#options.queue, reason, 1);
  }

  /** Puts what was added on disk, or says in the report why it cannot. */
  flush(): void {
    try {
      this.#collector.flush();
      this.#diskProblem = undefined;
      if (this.#isWaiting()) mergeNewest(this.#options.queue, this.#options.file, this.#options.log);
    } catch (error) {
      this.#diskProblem = `the queue on disk takes nothing: ${messageOf(error)}`;
    }
  }

  #isWaiting(): boolean {
    return this.#target === undefined || this.#sendProblem !== undefined;
  }

  report(): OutletReport {
    const { file, queue } = this.#options;
    const { taken, delivered, dropped, refusal } = file.counts(queue);
    const problem = this.#diskProblem ?? this.#sendProblem;
    return {
      live: queue.status('live'),
      taken,
      delivered,
      dropped,
      ...(refusal === undefined ? {} : { refusal }),
      ...(problem === undefined ? {} : { problem }),
    };
  }

  /** What has not left stays on disk. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    this.flush();
    await this.#target?.close();
  }

  async #keepCollecting(): Promise<void> {
    const { clock, file, queue } = this.#options;
    while (await this.#pause(TICK_MS)) {
      if (this.#collector.isDue(clock.now())) this.flush();
      for (let found = queue.surplus(file.runTime); found !== undefined; found = queue.surplus(file.runTime)) {
        queue.drop(found.lane);
        file.drop(queue, found.entry, found.reason);
      }
    }
  }

  async #keepSending(): Promise<void> {
    const { queue, random, log } = this.#options;
    let failures = 0;
    while (!this.#closing.signal.aborted) {
      const target = this.#target;
      if (target === undefined || queue.next('live') === undefined) {
        await this.#pause(TICK_MS);
        continue;
      }
      try {
        await this.#send(target);
        failures = 0;
        this.#sendProblem = undefined;
      } catch (error) {
        const said = error instanceof OutletError ? error.said : '';
        if (this.#sendProblem === undefined)
          log.warn({ outlet: queue.name, error: messageOf(error), said }, 'rows do not leave');
        this.#sendProblem = messageOf(error);
        queue.onSessionEnd();
        await this.#pause(RETRY.baseMs + backoffDelay(RETRY, failures++, random));
      }
    }
  }

  /** As many blocks at once as a batch may have rows. */
  async #send(target: OutletTarget): Promise<void> {
    const { file, queue, log } = this.#options;
    const rows: OutletRows[] = [];
    let count = 0;
    let last = 0;
    for (let entry = queue.next('live'); entry !== undefined; entry = queue.next('live')) {
      if (count > 0 && count + entry.rows > queue.settings.maxRows) break;
      const stored = file.read(entry.number);
      if (stored === undefined) {
        queue.drop('live');
        file.drop(queue, entry, 'Damaged');
        continue;
      }
      const batch = this.#decoded(stored.bytes, entry.number);
      if (batch === undefined) {
        queue.drop('live');
        file.drop(queue, entry, 'Damaged');
        continue;
      }
      queue.send('live');
      file.onSent(queue, entry);
      rows.push(...this.#rowsOf(batch));
      count += entry.rows;
      last = entry.number;
    }
    const onRefused = (error: unknown, refused: number): void => {
      const said = error instanceof OutletError ? error.said : '';
      log.warn({ outlet: queue.name, rows: refused, error: messageOf(error), said }, 'an engine refuses rows');
    };
    const sent = await deliver(target, rows, { signal: this.#closing.signal, onRefused });
    file.deliver(queue, queue.takeAcknowledged('live', last), refusalOf(sent));
  }

  /** One that cannot be decoded never can: it must not keep those behind it. */
  #decoded(bytes: Uint8Array, block: number): Batch | undefined {
    try {
      return decodeBlock(bytes);
    } catch (error) {
      this.#options.log.error(
        { outlet: this.#options.queue.name, block, error: messageOf(error) },
        'a block of rows cannot be decoded; its rows are dropped',
      );
      return undefined;
    }
  }

  /** A block has the rows of a series together. */
  #rowsOf({ length, series, times, values, qualities, boxed }: Batch): readonly OutletRows[] {
    const found: OutletRows[] = [];
    for (let from = 0, to = 0; from < length; from = to) {
      while (to < length && series[to] === series[from]) to += 1;
      const name = this.#options.file.seriesName(series[from] ?? 0);
      if (name === undefined) continue;
      const large = new Map<number, Boxed>();
      for (let row = from; row < to; row++) {
        const value = boxed?.get(row);
        if (value !== undefined) large.set(row - from, value);
      }
      const rows = {
        length: to - from,
        times: times.subarray(from, to),
        values: values.subarray(from, to),
        qualities: qualities.subarray(from, to),
        ...(large.size === 0 ? {} : { boxed: large }),
      };
      found.push({ labels: name.labels, type: name.type, rows });
    }
    return found;
  }

  /** False once it is closed. */
  async #pause(delayMs: number): Promise<boolean> {
    await this.#options.clock.sleep(delayMs, this.#closing.signal).catch(() => {});
    return !this.#closing.signal.aborted;
  }
}

function refusalOf({ dropped }: Sent): { readonly rows: number; readonly reason: string } {
  const reasons = Object.entries(dropped);
  return {
    rows: reasons.reduce((sum, [, count]) => sum + count, 0),
    reason: reasons.map(([reason, count]) => `${reason}: ${count}`).join(', '),
  };
}
