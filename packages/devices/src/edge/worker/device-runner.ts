/** Drives one device: connects, reads, and connects again, until it is told to stop. */
import { backoffDelay, type Clock, type Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import type { DeviceState } from '../../resources/device-status.ts';
import type { DeviceSettings, Session } from '../driver.ts';
import { DriverError, driverErrorOf } from '../driver-error.ts';
import { eventPoints, eventSink } from './device-events.ts';
import type { DevicePlan, PlannedPoint } from './device-plan.ts';
import { intervalOf } from './device-plan.ts';
import type { Drivers } from './drivers.ts';
import type { DeviceCondition, DeviceEvent } from './live-device.ts';
import { Pipeline } from './pipeline.ts';
import { phaseOf, poll } from './poll.ts';
import type { Publisher } from './publisher.ts';
import { resolveSettings } from './settings.ts';
import type { SiteCertificates } from './site-certificates.ts';

export interface RunnerContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly client: Client;
  readonly drivers: Drivers;
  readonly certificates: SiteCertificates;
  readonly publisher: Publisher;
  readonly random: () => number;
  /** The condition may have changed. */
  readonly onChange: () => void;
  readonly onEvent: (event: DeviceEvent) => void;
  readonly onRejectedCertificate: (certificate: Uint8Array, reason: string) => void;
}

/** To connect may take longer than one request: a handshake is several. */
const CONNECT_TIMES = 5;
/** So many readings in a row that brought nothing end a session: some devices recover only when they are connected anew. */
const MAX_EMPTY_READINGS = 5;
/** How often it is looked whether a Secret, a ConfigMap or a TrustList has changed. */
const FOLLOW_MS = 5000;
/** How often it is looked for what has grown stale. */
const SWEEP_MS = 500;

export class DeviceRunner {
  readonly plan: DevicePlan;
  readonly pipeline: Pipeline;
  readonly #context: RunnerContext;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  readonly #counters = { reads: 0, readErrors: 0, missedReads: 0, writes: 0, writeErrors: 0, connects: 0 };
  #state: DeviceState = 'Connecting';
  #error = '';
  #errorAt: number | undefined;
  #connectedAt: number | undefined;
  #session: Session | undefined;
  /** What the connection names, as it was when the session began. */
  #named = '';
  #running: Promise<void> | undefined;

  constructor(plan: DevicePlan, context: RunnerContext) {
    this.plan = plan;
    this.#context = context;
    this.#log = context.log.child({ device: `${plan.namespace}/${plan.name}`, protocol: plan.protocol });
    this.pipeline = new Pipeline({ ...context, points: plan.points });
  }

  start(): void {
    this.#running ??= this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Cheaper than the whole condition. */
  get state(): DeviceState {
    return this.#state;
  }

  /** While it is connected. */
  get session(): Session | undefined {
    return this.#session;
  }

  countWrites(written: number, failed: number): void {
    this.#counters.writes += written;
    this.#counters.writeErrors += failed;
  }

  get condition(): DeviceCondition {
    const problem = this.pipeline.problem();
    const isConnected = this.#state === 'Connected';
    const lastSeenAt = this.pipeline.lastGoodAt;
    return {
      state: isConnected && problem !== undefined ? 'Degraded' : this.#state,
      // What a reading lacked is said by the properties; a lost connection is said by the device.
      lastError: isConnected ? worded(problem) : this.#error,
      ...(this.#errorAt === undefined ? {} : { lastErrorAt: this.#errorAt }),
      ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
      ...(this.#connectedAt === undefined ? {} : { connectedAt: this.#connectedAt }),
      counters: { ...this.pipeline.counters(), ...this.#counters },
    };
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#context;
    for (let failures = 0; !signal.aborted; failures++) {
      const startedAt = clock.monotonic();
      const error = await this.#serve(signal);
      if (signal.aborted) return;
      const { reconnect } = this.plan.connection;
      if (this.#connectedAt !== undefined && clock.monotonic() - startedAt > reconnect.capMs) failures = 0;
      this.#connectedAt = undefined;
      this.#fail('Disconnected', error);
      // The first pause is short but never nothing: a device that refuses at once must not be asked all the time.
      const pause = reconnect.baseMs / 2 + backoffDelay(reconnect, failures, random);
      await clock.sleep(pause, signal).catch(() => {});
    }
  }

  /** One session, from connecting to its end; gives back what ended it. Never rejects. */
  async #serve(signal: AbortSignal): Promise<DriverError> {
    const ending = new AbortController();
    const until = AbortSignal.any([signal, ending.signal]);
    let session: Session | undefined;
    try {
      session = await this.#connect(until);
      this.#session = session;
      this.#succeed();
      const work = this.#work(session, until);
      const ended = session.ended.then((error) => error ?? new DriverError('Closed', 'the session was closed'));
      return await Promise.race([ended, work, aborted(until)]);
    } catch (error) {
      return driverErrorOf(error);
    } finally {
      this.#session = undefined;
      ending.abort();
      await this.#closeQuietly(session);
    }
  }

  async #connect(signal: AbortSignal): Promise<Session> {
    const { clock, drivers, onRejectedCertificate } = this.#context;
    const { timeoutMs } = this.plan.connection;
    const limit = new AbortController();
    const timer = clock.after(timeoutMs * CONNECT_TIMES, () => limit.abort());
    const either = AbortSignal.any([signal, limit.signal]);
    try {
      const driver = await drivers.open(this.plan.protocol);
      const settings = await this.#settings(either);
      this.#named = namedBy(settings);
      return await driver.connect(settings, { clock, log: this.#log, signal: either, onRejectedCertificate });
    } catch (cause) {
      if (!limit.signal.aborted) throw cause;
      throw new DriverError('TimedOut', `not connected within ${timeoutMs * CONNECT_TIMES} ms`, { cause });
    } finally {
      timer.cancel();
    }
  }

  async #settings(signal: AbortSignal): Promise<DeviceSettings> {
    const { client, certificates } = this.#context;
    const settings = await resolveSettings(client, this.plan, signal);
    const { servesAs } = this.plan.connection;
    if (servesAs === undefined || settings.secret['tls.crt'] !== undefined) return settings;
    return { ...settings, site: await certificates.of(servesAs) };
  }

  /** Resolves with the reason to connect anew; otherwise goes on until the signal aborts. */
  #work(session: Session, signal: AbortSignal): Promise<DriverError> {
    const { subscribed, polled } = this.plan;
    const sweeping = poll({
      ...this.#grid(SWEEP_MS, signal),
      onMissed: () => {},
      read: async () => this.pipeline.sweep(),
    });
    const polling = [...polled].map(([scanClass, points]) =>
      this.#poll(session, points, intervalOf(scanClass), signal),
    );
    const subscribing = subscribed.length === 0 ? [] : [this.#subscribe(session, subscribed, signal)];
    const listening = this.plan.events.size === 0 ? [] : [this.#listen(session, signal)];
    const following = hasNames(this.plan.connection) ? [this.#follow(signal)] : [];
    return new Promise((resolve, reject) => {
      for (const each of [...polling, ...subscribing, ...listening, ...following]) {
        each.then((error) => error !== undefined && resolve(error), reject);
      }
      sweeping.catch(reject);
    });
  }

  async #poll(
    session: Session,
    points: readonly PlannedPoint[],
    intervalMs: number,
    signal: AbortSignal,
  ): Promise<DriverError | undefined> {
    const group = session.group(points.map(({ point }) => point));
    const sink = this.pipeline.sinkFor(points);
    const giveUp = new AbortController();
    let empty = 0;
    let last: DriverError | undefined;
    const read = async () => {
      this.#counters.reads++;
      try {
        await group.read(sink, signal);
        empty = 0;
        this.#context.publisher.flush();
      } catch (thrown) {
        if (signal.aborted) return;
        last = driverErrorOf(thrown);
        this.#counters.readErrors++;
        this.#errorAt = this.#context.clock.now();
        this.pipeline.failAll(points, last);
        if (++empty >= MAX_EMPTY_READINGS) giveUp.abort();
      }
      this.#context.onChange();
    };
    await poll({ ...this.#grid(intervalMs, AbortSignal.any([signal, giveUp.signal])), read });
    return giveUp.signal.aborted ? last : undefined;
  }

  /** A driver that cannot be told is asked. */
  async #subscribe(
    session: Session,
    points: readonly PlannedPoint[],
    signal: AbortSignal,
  ): Promise<DriverError | undefined> {
    const { onChange } = this.#context;
    if (session.subscribe === undefined) return this.#poll(session, points, intervalOf('1s'), signal);
    const sink = this.pipeline.sinkFor(points);
    const telling = {
      ...sink,
      value: (...sample: Parameters<typeof sink.value>) => {
        sink.value(...sample);
        onChange();
      },
    };
    try {
      await session.subscribe(
        points.map(({ point }) => point),
        telling,
        signal,
      );
      return undefined;
    } catch (error) {
      return signal.aborted ? undefined : driverErrorOf(error);
    }
  }

  async #listen(session: Session, signal: AbortSignal): Promise<DriverError | undefined> {
    if (session.listen === undefined) {
      this.#log.warn({}, 'the driver reports no events');
      return undefined;
    }
    const points = eventPoints(this.plan);
    try {
      await session.listen(points, eventSink(this.plan, points, this.#context), signal);
      return undefined;
    } catch (error) {
      return signal.aborted ? undefined : driverErrorOf(error);
    }
  }

  /** Resolves when something that the connection names is no longer what the session began with. */
  async #follow(signal: AbortSignal): Promise<DriverError | undefined> {
    const { clock } = this.#context;
    while (!signal.aborted) {
      await clock.sleep(FOLLOW_MS, signal).catch(() => {});
      const settings = await this.#settings(signal).catch(() => undefined);
      // What is not there, or cannot be asked for, is no reason to end what works.
      if (settings !== undefined && namedBy(settings) !== this.#named)
        return new DriverError('Closed', 'what the connection names has changed');
    }
    return undefined;
  }

  #grid(intervalMs: number, signal: AbortSignal) {
    const { namespace, name } = this.plan;
    return {
      clock: this.#context.clock,
      intervalMs,
      phaseMs: phaseOf(`${namespace}/${name}`, intervalMs),
      onMissed: (count: number) => {
        this.#counters.missedReads += count;
      },
      signal,
    };
  }

  #succeed(): void {
    const { clock, onChange } = this.#context;
    this.#counters.connects++;
    this.#state = 'Connected';
    this.#error = '';
    this.#connectedAt = clock.now();
    this.#log.info({}, 'device connected');
    onChange();
  }

  #fail(state: DeviceState, error: DriverError): void {
    if (this.#state !== state || this.#error !== error.message)
      this.#log.warn({ kind: error.kind, error: error.message }, 'device not connected');
    this.#state = state;
    this.#errorAt = this.#context.clock.now();
    this.#error = error.message;
    // What is only written has no value that could be missed, nor one that comes back.
    const read = this.plan.points.filter(({ visitor }) => visitor.mode !== 'WriteOnly');
    this.pipeline.failAll(read, error);
    this.#context.onChange();
  }

  async #closeQuietly(session: Session | undefined): Promise<void> {
    try {
      await session?.close();
    } catch (error) {
      this.#log.warn({ error: driverErrorOf(error).message }, 'session not closed in order');
    }
  }
}

function hasNames({ secretName, configMapName, trustList, servesAs }: DevicePlan['connection']): boolean {
  return [secretName, configMapName, trustList, servesAs].some((each) => each !== undefined);
}

function namedBy({ secret, files, trust, site }: DeviceSettings): string {
  const text = (bytes: Readonly<Record<string, Uint8Array>>) =>
    Object.entries(bytes).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  return JSON.stringify([text(secret), text(files), trust, site]);
}

function worded(problem: ReturnType<Pipeline['problem']>): string {
  if (problem === undefined) return '';
  const { text, count } = problem;
  return count === 1 ? text : `${text} (and ${count - 1} more)`;
}

function aborted(signal: AbortSignal): Promise<DriverError> {
  const closed = new DriverError('Closed', 'the device is no longer driven here');
  return new Promise((resolve) => {
    if (signal.aborted) resolve(closed);
    else signal.addEventListener('abort', () => resolve(closed), { once: true });
  });
}
