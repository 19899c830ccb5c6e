/** The road from this node to the cloud: takes rows by route, keeps them on disk, and brings them when and as fast as it may. */
import { type BackoffPolicy, backoffDelay, type Clock, messageOf } from '@skerry/base';
import { type LinkStream, MAX_STREAM_MESSAGE_BYTES } from '@skerry/link';
import type { Boxed, Scalar } from '../../contract/index.ts';
import type { StoredType } from '../../store/index.ts';
import type { DropReason, RouteReport, RouteSettings } from '../contract.ts';
import type { RoadQueue } from '../core/road-queue.ts';
import { Sender } from '../core/sender.ts';
import { decodeCloudMessage, encodeEdgeMessage } from '../wire/messages.ts';
import { Collector } from './collector.ts';
import { mergeNewest } from './merge-blocks.ts';
import { type Origin, RoadFile, type RoadFileOptions } from './road-file.ts';

export interface RoadOptions extends RoadFileOptions {
  /** A stream to the cloud's intake; rejects while the node is cut off. */
  readonly open: (signal: AbortSignal) => Promise<LinkStream>;
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
}

export interface Road {
  /** The way of a route, by a name that lasts; new settings hold from now on. Throws when there are too many routes. */
  route(name: string, settings: RouteSettings): RoadRoute;
  /** The route is gone: what it has taken still goes. */
  retire(name: string): void;
  readonly isConnected: boolean;
  /** Why it is not, or why nothing is taken; in words. */
  readonly problem: string | undefined;
  close(): Promise<void>;
}

export interface RoadRoute {
  /** A number for rows of this series to name it; undefined when the node has too many. */
  series(type: StoredType, labels: Readonly<Record<string, string>>): number | undefined;
  /** Taken into memory, and on disk within the route's delay. */
  add(series: number, time: number, value: Scalar | Boxed, quality: number): void;
  /** Everything that was added is on disk when it returns, together with where its sources were. Throws when the disk takes nothing. */
  flush(origins?: readonly Origin[]): void;
  /** Where a source was when it made the last rows that are on disk. */
  origin(name: string): Uint8Array | undefined;
  /** Rows that never came here. */
  countDropped(reason: DropReason, rows: number): void;
  report(): RouteReport;
}

/** Collectors and bounds are looked at this often. */
const TICK_MS = 50;
const TIDY_EVERY_MS = 5000;
/** Routes that are not known by then were deleted while nobody ran. */
const SETTLED_MS = 600_000;
/** While something waits that time alone lets go: a budget, a value that ages. */
const PATIENCE_MS = 20;
const IDLE_MS = 1000;
/** The agent is near, and dials the cloud by a backoff of its own. */
const RECONNECT: BackoffPolicy = { baseMs: 200, capMs: 800 };
/** A session that lasted so long counts as healthy. */
const HEALTHY_MS = 5000;
/** A disk that takes nothing is tried again after so long. */
const DISK_RETRY_MS = 500;
/** And its trouble is said again after so long. */
const SAY_AGAIN_MS = 60_000;

export function openRoad(options: RoadOptions): Road {
  const road = new NodeRoad(options);
  road.start();
  return road;
}

class NodeRoad implements Road {
  readonly #options: RoadOptions;
  readonly #file: RoadFile;
  readonly #routes = new Map<string, OpenRoute>();
  readonly #retired = new Set<string>();
  readonly #settledAt: number;
  readonly #closing = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #wake: (() => void) | undefined;
  #diskProblem: string | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #saidAt = Number.NEGATIVE_INFINITY;
  #linkProblem: string | undefined = 'not connected yet';

  constructor(options: RoadOptions) {
    this.#options = options;
    this.#file = new RoadFile(options);
    this.#settledAt = options.clock.monotonic() + SETTLED_MS;
  }

  get isConnected(): boolean {
    return this.#linkProblem === undefined;
  }

  get problem(): string | undefined {
    return this.#diskProblem ?? this.#linkProblem;
  }

  start(): void {
    this.#running = Promise.all([this.#keepCollecting(), this.#keepConnected()]);
  }

  route(name: string, settings: RouteSettings): RoadRoute {
    this.#retired.delete(name);
    const queue = this.#file.queue(name, settings);
    if (queue === undefined) throw new RangeError('there are too many routes at this node');
    const known = this.#routes.get(name);
    if (known !== undefined) return known;
    const route = new OpenRoute(queue, this.#file, this.#options.clock, (collector) => this.#flush(collector));
    this.#routes.set(name, route);
    this.#awake();
    return route;
  }

  retire(name: string): void {
    const route = this.#routes.get(name);
    if (route === undefined) return;
    this.#flush(route.collector);
    this.#routes.delete(name);
    this.#retired.add(name);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#awake();
    await this.#running;
    for (const { collector } of this.#routes.values()) this.#flush(collector);
    this.#file.close();
  }

  // ——— into the queues ———

  async #keepCollecting(): Promise<void> {
    const { clock } = this.#options;
    let tidyAt = clock.monotonic() + TIDY_EVERY_MS;
    while (!this.#closing.signal.aborted) {
      await clock.sleep(TICK_MS, this.#closing.signal).catch(() => {});
      for (const { collector } of this.#routes.values()) if (collector.isDue(clock.now())) this.#flush(collector);
      for (const queue of this.#file.queues) this.#trim(queue);
      if (clock.monotonic() < tidyAt) continue;
      tidyAt = clock.monotonic() + TIDY_EVERY_MS;
      this.#file.tidy();
      this.#forgetEmpty();
    }
  }

  #flush(collector: Collector): void {
    const { clock, log } = this.#options;
    if (this.#diskProblem !== undefined && clock.monotonic() - this.#triedAt < DISK_RETRY_MS) return;
    this.#triedAt = clock.monotonic();
    try {
      collector.flush();
      this.#diskProblem = undefined;
    } catch (error) {
      this.#diskProblem = `the queue on disk takes nothing: ${messageOf(error)}`;
      if (clock.monotonic() - this.#saidAt < SAY_AGAIN_MS) return;
      this.#saidAt = clock.monotonic();
      log.error(
        { route: collector.queue.name, rows: collector.rows, error: messageOf(error) },
        'rows cannot be put on disk',
      );
      return;
    }
    if (!this.isConnected) mergeNewest(collector.queue, this.#file, log);
    this.#awake();
  }

  #trim(queue: RoadQueue): void {
    const { runTime } = this.#file;
    for (let found = queue.surplus(runTime); found !== undefined; found = queue.surplus(runTime)) {
      queue.drop(found.lane);
      this.#file.drop(queue, found.entry, found.reason);
    }
  }

  #forgetEmpty(): void {
    for (const queue of this.#file.queues) {
      if (this.#routes.has(queue.name) || queue.blocks > 0) continue;
      if (!this.#retired.delete(queue.name) && this.#options.clock.monotonic() < this.#settledAt) continue;
      this.#file.forget(queue);
    }
  }

  // ——— to the cloud ———

  async #keepConnected(): Promise<void> {
    const { clock, random, log } = this.#options;
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const began = clock.monotonic();
      try {
        await this.#session(signal);
      } catch (error) {
        if (this.isConnected) log.info({ error: messageOf(error) }, 'the road to the cloud is cut');
        this.#linkProblem = messageOf(error);
      }
      if (clock.monotonic() - began > HEALTHY_MS) attempt = 0;
      await clock.sleep(RECONNECT.baseMs + backoffDelay(RECONNECT, attempt, random), signal).catch(() => {});
    }
  }

  /** Ends by throwing. */
  async #session(closing: AbortSignal): Promise<void> {
    const ending = new AbortController();
    const signal = AbortSignal.any([closing, ending.signal]);
    const stream = await this.#options.open(signal);
    const queues = () => this.#file.queues;
    const sender = new Sender({ shelf: this.#file, queues, messageBytes: MAX_STREAM_MESSAGE_BYTES });
    this.#linkProblem = undefined;
    try {
      await Promise.race([this.#read(stream, sender, signal), this.#write(stream, sender, signal)]);
      throw new Error('the cloud has ended the stream');
    } finally {
      ending.abort();
      stream.abort('the session is over');
      this.#linkProblem ??= 'the stream has ended';
      sender.end();
      this.#awake();
    }
  }

  async #read(stream: LinkStream, sender: Sender, signal: AbortSignal): Promise<void> {
    for await (const bytes of stream.incoming) {
      // What came before the break is still given out; by now another session may have begun.
      if (signal.aborted) return;
      sender.receive(decodeCloudMessage(bytes), this.#options.clock.now());
      this.#awake();
    }
  }

  async #write(stream: LinkStream, sender: Sender, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const messages = sender.next(clock.now());
      if (messages === undefined) {
        await this.#something();
        continue;
      }
      for (const message of messages) {
        await stream.send(encodeEdgeMessage(message));
        if (signal.aborted) return;
      }
    }
  }

  /** Resolves when something was added or came, or after a moment. */
  #something(): Promise<void> {
    return new Promise((resolve) => {
      const isIdle = this.#file.queues.every(({ blocks }) => blocks === 0);
      const timer = this.#options.clock.after(isIdle ? IDLE_MS : PATIENCE_MS, () => this.#awake());
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

class OpenRoute implements RoadRoute {
  readonly collector: Collector;
  readonly #file: RoadFile;
  readonly #clock: Clock;
  readonly #flushFull: (collector: Collector) => void;

  constructor(queue: RoadQueue, file: RoadFile, clock: Clock, flushFull: (collector: Collector) => void) {
    this.collector = new Collector(queue, file);
    this.#file = file;
    this.#clock = clock;
    this.#flushFull = flushFull;
  }

  series(type: StoredType, labels: Readonly<Record<string, string>>): number | undefined {
    return this.#file.series(type, labels);
  }

  add(series: number, time: number, value: Scalar | Boxed, quality: number): void {
    this.collector.add(series, time, value, quality, this.#clock.now());
    if (this.collector.isFull) this.#flushFull(this.collector);
  }

  flush(origins?: readonly Origin[]): void {
    this.collector.flush(origins);
  }

  origin(name: string): Uint8Array | undefined {
    return this.#file.origin(this.collector.queue, name);
  }

  countDropped(reason: DropReason, rows: number): void {
    this.#file.countDropped(this.collector.queue, reason, rows);
  }

  report(): RouteReport {
    const { queue } = this.collector;
    const budget = queue.budget.rate(this.#clock.now());
    return {
      live: queue.status('live'),
      late: queue.status('late'),
      ...this.#file.counts(queue),
      ...(budget === undefined ? {} : { budget }),
    };
  }
}
