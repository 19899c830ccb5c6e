/** One device behind a broker: what its topics say is heard, and the last of it remembered. */
import { parseDuration } from '@skerry/api/durations';
import { TopicTrie } from '../../../mqtt/topics.ts';
import type { DeviceSettings, DriverContext, Point, PointWrite, ReadGroup, SampleSink, Session } from '../../driver.ts';
import { DriverError, driverErrorOf, isDriverError } from '../../driver-error.ts';
import { readAddress, writeAddress } from './addresses.ts';
import type { Link, OnMessage, Qos } from './link.ts';
import { makePayload } from './payload.ts';
import { type Reading, Source, type TopicSource, tellAll } from './source.ts';
import { SparkplugMetrics, type SparkplugName, type Told } from './sparkplug/metrics.ts';

export type OpenLink = (onMessage: OnMessage) => Promise<Link>;

/** Rejects with a DriverError. */
export async function openMqttSession(
  settings: DeviceSettings,
  context: DriverContext,
  open: OpenLink,
): Promise<Session> {
  const session = new MqttSession(settings, context);
  await session.open(open);
  return session;
}

/** So many topics are found once. */
const MAX_TOPICS_KNOWN = 10_000;
/** Messages that come before anything is asked for: a session that lasts brings them at once. */
const MAX_EARLY = 10_000;
/** All births are asked for once in this time at most. */
const REBIRTH_MS = 5000;

class MqttSession implements Session {
  readonly #settings: DeviceSettings;
  readonly #context: DriverContext;
  readonly #closing = new AbortController();
  readonly #sources = new Map<string, Source>();
  readonly #byMetric = new Map<string, Source>();
  readonly #trie = new TopicTrie<TopicSource>();
  readonly #known = new Map<string, readonly TopicSource[]>();
  readonly #confirmations = new Map<string, Set<() => void>>();
  readonly #sparkplug: SparkplugMetrics | undefined;
  readonly #qos: Qos;
  readonly #retainedWaitMs: number;
  #early: { readonly topic: string; readonly payload: Uint8Array }[] = [];
  #isAsked = false;
  #rebirthAt = Number.NEGATIVE_INFINITY;
  #link: Link | undefined;

  constructor(settings: DeviceSettings, context: DriverContext) {
    this.#settings = settings;
    this.#context = context;
    const { qos, retainedWait, sparkplug } = settings.options;
    this.#qos = (qos ?? 1) as Qos;
    this.#retainedWaitMs = parseDuration(String(retainedWait ?? '500ms')) ?? 500;
    this.#sparkplug = sparkplug === undefined ? undefined : new SparkplugMetrics(sparkplug as SparkplugName);
  }

  get ended(): Promise<DriverError | undefined> {
    return this.#open.ended;
  }

  async open(open: OpenLink): Promise<void> {
    const link = await open((topic, payload) => this.#onMessage(topic, payload));
    this.#link = link;
    void link.ended.then(() => this.#closing.abort());
    if (this.#sparkplug === undefined) return;
    await this.#within(link.subscribe([this.#sparkplug.filter], this.#qos), this.#context.signal);
    this.#askForBirth();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#link?.close();
  }

  group(points: readonly Point[]): ReadGroup {
    const sources = points.map((point) => this.#sourceOf(point));
    return {
      read: async (sink, signal) => {
        await this.#refresh(sources, signal);
        for (const [index, source] of sources.entries()) tell(sink, index, source?.last, points[index]);
      },
    };
  }

  async subscribe(points: readonly Point[], sink: SampleSink, signal: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const sources = points.map((point) => this.#sourceOf(point));
    for (const [index, source] of sources.entries()) {
      if (source === undefined) sink.fail(index, noTopic());
      else this.#follow(source, (reading) => tell(sink, index, reading, source.point), ended);
    }
    await this.#ask(sources, signal);
  }

  async write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    return Promise.all(
      writes.map(async (write) => {
        try {
          await this.#write(write, signal);
          return undefined;
        } catch (error) {
          return driverErrorOf(error);
        }
      }),
    );
  }

  // ——— in ———

  #onMessage(topic: string, payload: Uint8Array): void {
    if (!this.#isAsked && this.#sparkplug === undefined) {
      if (this.#early.length < MAX_EARLY) this.#early.push({ topic, payload });
      return;
    }
    const confirmed = this.#confirmations.get(topic);
    if (confirmed !== undefined) for (const resolve of confirmed) resolve();
    if (this.#sparkplug !== undefined && topic.startsWith('spBv1.0/')) this.#hear(this.#sparkplug, topic, payload);
    else tellAll(this.#sourcesAt(topic), payload);
  }

  #sourcesAt(topic: string): readonly TopicSource[] {
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_TOPICS_KNOWN) this.#known.clear();
    const found = this.#trie.match(topic);
    this.#known.set(topic, found);
    return found;
  }

  #hear(sparkplug: SparkplugMetrics, topic: string, payload: Uint8Array): void {
    let told: Told;
    try {
      told = sparkplug.hear(topic, payload);
    } catch (error) {
      this.#context.log.warn({ topic, error: driverErrorOf(error).message }, 'payload is no Sparkplug');
      return;
    }
    for (const { metric, value, time } of told.values) {
      const reading = value ?? new DriverError('NotFound', `the metric ${metric} is null`);
      this.#byMetric.get(metric)?.tell({ value: reading, time });
    }
    if (told.death !== undefined) {
      const value = new DriverError('Unreachable', told.death);
      for (const source of this.#byMetric.values()) source.tell({ value, time: undefined });
    }
    if (told.needsBirth === true) this.#askForBirth();
  }

  #askForBirth(): void {
    const now = this.#context.clock.monotonic();
    if (this.#sparkplug === undefined || now - this.#rebirthAt < REBIRTH_MS) return;
    this.#rebirthAt = now;
    const payload = this.#sparkplug.rebirth(this.#context.clock.now());
    this.#open.publish({ topic: this.#sparkplug.rebirthTopic, payload, qos: 0, isRetained: false }).catch(() => {});
  }

  // ——— asking ———

  get #open(): Link {
    if (this.#link === undefined) throw new DriverError('Closed', 'the session is not open');
    return this.#link;
  }

  /** The same for the same point; undefined where it has no topic. */
  #sourceOf(point: Point): Source | undefined {
    const key = JSON.stringify([point.property, point.address]);
    const known = this.#sources.get(key);
    if (known !== undefined) return known;
    const source = new Source(point);
    if (this.#sparkplug !== undefined) this.#byMetric.set(String(point.address['metric'] ?? point.property), source);
    else {
      const address = readAddress(point, this.#settings);
      if (address === undefined) return undefined;
      this.#trie.add(address.filter, { source, address });
      this.#known.clear();
    }
    this.#sources.set(key, source);
    return source;
  }

  #follow(source: Source, listener: (reading: Reading) => void, ended: AbortSignal): void {
    if (ended.aborted) return;
    source.listeners.add(listener);
    ended.addEventListener('abort', () => source.listeners.delete(listener), { once: true });
    if (source.last !== undefined) listener(source.last);
  }

  /** The broker tells again what it keeps. */
  async #ask(sources: readonly (Source | undefined)[], signal: AbortSignal): Promise<void> {
    if (this.#sparkplug !== undefined) {
      if (sources.some((source) => source?.last === undefined)) this.#askForBirth();
      await this.#within(Promise.resolve(), signal);
      return;
    }
    const filters = new Set(
      sources.flatMap((source) =>
        source === undefined ? [] : (readAddress(source.point, this.#settings)?.filter ?? []),
      ),
    );
    this.#isAsked = true;
    const asking = this.#open.subscribe([...filters], this.#qos);
    const early = this.#early;
    this.#early = [];
    for (const { topic, payload } of early) this.#onMessage(topic, payload);
    await this.#within(asking, signal);
  }

  /** Asks, and waits until each source has said something, but not long for what the broker does not keep. */
  async #refresh(sources: readonly (Source | undefined)[], signal: AbortSignal): Promise<void> {
    const waiting = new Set(sources.filter((source) => source !== undefined));
    const all = Promise.withResolvers<void>();
    const listening = new AbortController();
    for (const source of waiting) {
      const hear = () => {
        waiting.delete(source);
        if (waiting.size === 0) all.resolve();
      };
      source.listeners.add(hear);
      listening.signal.addEventListener('abort', () => source.listeners.delete(hear), { once: true });
    }
    try {
      await this.#ask(sources, signal);
      const { clock } = this.#context;
      if (waiting.size === 0) return;
      const enough = AbortSignal.any([signal, listening.signal, this.#closing.signal]);
      await Promise.race([all.promise, clock.sleep(this.#retainedWaitMs, enough).catch(() => {})]);
    } finally {
      listening.abort();
    }
    this.#assertOpen(signal);
  }

  // ——— out ———

  async #write({ point, value, mask }: PointWrite, signal: AbortSignal): Promise<void> {
    if (mask !== undefined) throw new DriverError('Unsupported', 'single bits cannot be written over MQTT');
    if (this.#sparkplug !== undefined) return this.#command(this.#sparkplug, { point, value }, signal);
    const to = writeAddress(point, this.#settings);
    if (to === undefined) throw new DriverError('Misconfigured', `${point.property} has no address to write to`);
    const { topic, format, path, qos, isRetained, confirmTopic } = to;
    const payload = makePayload({ value, format, path, type: point.type, encoding: point.encoding });
    const confirmed = confirmTopic === undefined ? undefined : await this.#confirmation(confirmTopic, signal);
    try {
      await this.#within(this.#open.publish({ topic, payload, qos, isRetained }), signal);
      if (confirmed !== undefined) await this.#within(confirmed.promise, signal);
    } finally {
      confirmed?.end();
    }
  }

  async #command(sparkplug: SparkplugMetrics, { point, value }: PointWrite, signal: AbortSignal): Promise<void> {
    const metric = String(point.address['metric'] ?? point.property);
    const payload = sparkplug.command(metric, value, this.#context.clock.now());
    if (payload === undefined) throw new DriverError('NotFound', `no birth has named the metric ${metric}`);
    const topic = sparkplug.commandTopic;
    await this.#within(this.#open.publish({ topic, payload, qos: 0, isRetained: false }), signal);
  }

  /** Resolves once the device answers; what the broker keeps there from before does not count. */
  async #confirmation(topic: string, signal: AbortSignal): Promise<{ promise: Promise<void>; end: () => void }> {
    this.#isAsked = true;
    await this.#within(this.#open.subscribe([topic], this.#qos), signal);
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#confirmations.get(topic) ?? new Set();
    this.#confirmations.set(topic, waiting.add(resolve));
    const end = () => {
      waiting.delete(resolve);
      if (waiting.size === 0) this.#confirmations.delete(topic);
    };
    return { promise, end };
  }

  /** Rejects with a DriverError: given up, closed, or no answer in time. */
  async #within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    const { timeoutMs } = this.#settings;
    const done = new AbortController();
    const either = AbortSignal.any([signal, this.#closing.signal, done.signal]);
    const late = this.#context.clock.sleep(timeoutMs, either).then(
      () => Promise.reject(new DriverError('TimedOut', `no answer within ${timeoutMs} ms`)),
      async () => Promise.reject(await this.#reason()),
    );
    late.catch(() => {});
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      if (isDriverError(error)) throw error;
      this.#assertOpen(signal);
      throw new DriverError('Rejected', `the broker refuses: ${driverErrorOf(error).message}`, { cause: error });
    } finally {
      done.abort();
      this.#assertOpen(signal);
    }
  }

  #assertOpen(signal: AbortSignal): void {
    if (this.#closing.signal.aborted || signal.aborted) throw new DriverError('Closed', 'the session is closed');
  }

  async #reason(): Promise<DriverError> {
    const over = this.#closing.signal.aborted ? await this.#link?.ended : undefined;
    return over ?? new DriverError('Closed', 'the request was given up');
  }
}

function noTopic(): DriverError {
  return new DriverError('Misconfigured', 'it has no topic');
}

function tell(sink: SampleSink, index: number, reading: Reading | undefined, point: Point | undefined): void {
  if (reading === undefined) {
    const why = new DriverError('NotFound', `nothing has been published for ${point?.property ?? 'it'} yet`);
    sink.fail(index, why);
  } else if (isDriverError(reading.value)) sink.fail(index, reading.value);
  else sink.value(index, reading.value, reading.time);
}
