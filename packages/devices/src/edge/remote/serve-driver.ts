/** A driver's own side: answers what a worker asks over a port. For drivers in threads, and for those of others in JavaScript. */
import type { Clock, Logger } from '@skerry/base';
import type { RawValue } from '../../values/encoding.ts';
import type { Driver, DriverContext, EventSink, ReadGroup, SampleSink, Session } from '../driver.ts';
import { DriverError, driverErrorOf } from '../driver-error.ts';
import type { Ask, FromDriver, Port, SessionTrait, ToDriver, WireError } from './messages.ts';

export interface ServeDriverOptions {
  readonly driver: Driver;
  readonly port: Port<FromDriver, ToDriver>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Resolves when the worker is gone and everything is closed. */
export async function serveDriver(options: ServeDriverOptions): Promise<void> {
  const server = new DriverServer(options);
  options.port.onMessage((message) => server.onMessage(message));
  await options.port.closed;
  await server.close();
}

interface OpenSession {
  readonly session: Session;
  readonly groups: Map<number, ReadGroup>;
}

class DriverServer {
  readonly #options: ServeDriverOptions;
  readonly #sessions = new Map<number, OpenSession>();
  readonly #running = new Map<number, AbortController>();

  constructor(options: ServeDriverOptions) {
    this.#options = options;
  }

  onMessage(message: ToDriver): void {
    if ('cancel' in message) {
      this.#running.get(message.cancel)?.abort();
      this.#running.delete(message.cancel);
      return;
    }
    void this.#run(message.id, message);
  }

  async close(): Promise<void> {
    for (const running of this.#running.values()) running.abort();
    await Promise.allSettled([...this.#sessions.values()].map(({ session }) => session.close()));
    await this.#options.driver.close?.();
  }

  async #run(id: number, ask: Ask): Promise<void> {
    const cancelling = new AbortController();
    this.#running.set(id, cancelling);
    try {
      const ok = await this.#answer(id, ask, cancelling.signal);
      this.#post({ id, ok: ok ?? null });
    } catch (error) {
      this.#running.delete(id);
      this.#post({ id, error: wireError(driverErrorOf(error)) });
      return;
    }
    // What was subscribed to goes on until it is cancelled.
    if (ask.do !== 'subscribe' && ask.do !== 'listen') this.#running.delete(id);
  }

  #answer(id: number, ask: Ask, signal: AbortSignal): Promise<unknown> {
    switch (ask.do) {
      case 'connect':
        return this.#connect(ask, signal);
      case 'discover':
        return this.#discover(id, ask, signal);
      case 'close':
        return this.#close(ask.session);
      default:
        return this.#answerSession(id, ask, signal);
    }
  }

  async #answerSession(
    id: number,
    ask: Exclude<Ask, { do: 'connect' | 'discover' | 'close' }>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { session, groups } = this.#find(ask.session);
    switch (ask.do) {
      case 'group':
        groups.set(ask.group, session.group(ask.points));
        return undefined;
      case 'read': {
        const group = groups.get(ask.group);
        if (group === undefined) throw new DriverError('Malformed', `there is no group ${ask.group}`);
        return this.#sampled(id, 'whole', (sink) => group.read(sink, signal));
      }
      case 'subscribe':
        return this.#sampled(id, 'going on', (sink) =>
          able(session.subscribe?.bind(session))(ask.points, sink, signal),
        );
      case 'write': {
        const outcomes = await able(session.write?.bind(session))(ask.writes, signal);
        return outcomes.map((error) => (error === undefined ? null : wireError(error)));
      }
      case 'call':
        return able(session.call?.bind(session))(ask.request, signal);
      case 'listen':
        return able(session.listen?.bind(session))(ask.events, this.#eventSink(id), signal);
      case 'history':
        return this.#sampled(id, 'whole', (sink) => able(session.history?.bind(session))(ask.request, sink, signal));
      case 'browse':
        for await (const item of able(session.browse?.bind(session))(ask.from, signal))
          this.#post({ id, items: [item] });
        return undefined;
    }
  }

  async #connect(
    { session: number, settings }: Extract<Ask, { do: 'connect' }>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { driver } = this.#options;
    const session = await driver.connect(settings, this.#contextOf(number, signal));
    if (signal.aborted) {
      await session.close();
      return [];
    }
    this.#sessions.set(number, { session, groups: new Map() });
    void session.ended.then((error) => {
      this.#sessions.delete(number);
      this.#post({ ended: number, ...(error === undefined ? {} : { error: wireError(error) }) });
    });
    return traitsOf(session);
  }

  async #discover(id: number, { request }: Extract<Ask, { do: 'discover' }>, signal: AbortSignal): Promise<undefined> {
    const { driver } = this.#options;
    const found = able(driver.discover?.bind(driver))(request, this.#contextOf(0, signal));
    for await (const item of found) this.#post({ id, items: [item] });
    return undefined;
  }

  async #close(number: number): Promise<undefined> {
    const open = this.#sessions.get(number);
    this.#sessions.delete(number);
    await open?.session.close();
    return undefined;
  }

  #contextOf(session: number, signal: AbortSignal): DriverContext {
    const { clock, log } = this.#options;
    return {
      clock,
      log,
      signal,
      onRejectedCertificate: (certificate, reason) => this.#post({ session, rejected: { certificate, reason } }),
    };
  }

  #find(number: number): OpenSession {
    const open = this.#sessions.get(number);
    if (open === undefined) throw new DriverError('Closed', 'the session is closed');
    return open;
  }

  /** Samples go in one message where they come at once: at the end of a reading, and at the end of a turn for what goes on. */
  async #sampled(id: number, how: 'whole' | 'going on', work: (sink: SampleSink) => Promise<void>): Promise<undefined> {
    const sink = new SampleCollector(
      (part) => this.#post({ id, ...part }),
      how === 'going on' ? this.#options.clock : undefined,
    );
    try {
      await work(sink);
    } finally {
      sink.flush();
    }
    return undefined;
  }

  #eventSink(id: number): EventSink {
    return {
      event: (index, fields, time) =>
        this.#post({ id, events: [time === undefined ? [index, fields] : [index, fields, time]] }),
    };
  }

  #post(message: FromDriver): void {
    this.#options.port.post(message);
  }
}

/** The method of a trait; what is asked although it is not there is answered so. */
function able<Method extends (...args: never[]) => unknown>(method: Method | undefined): Method {
  if (method === undefined) throw new DriverError('Unsupported', 'the driver cannot do this');
  return method;
}

function traitsOf(session: Session): readonly SessionTrait[] {
  const all: readonly SessionTrait[] = ['subscribe', 'write', 'call', 'listen', 'browse', 'history', 'wantsBytes'];
  return all.filter((trait) => session[trait] !== undefined && session[trait] !== false);
}

function wireError({ kind, message }: DriverError): WireError {
  return { kind, message };
}

/** So many samples go in one message. */
const MAX_SAMPLES = 4096;

type Part = Pick<Extract<FromDriver, { samples: unknown }>, 'samples'>;
type Sent = Part | { readonly failures: (readonly [number, WireError])[] } | { readonly lost: number };

class SampleCollector implements SampleSink {
  readonly #send: (part: Sent) => void;
  readonly #clock: Clock | undefined;
  #index: number[] = [];
  #raw: RawValue[] = [];
  #times: (number | null)[] = [];
  #qualities: (number | null)[] = [];
  #hasTimes = false;
  #hasQualities = false;
  #failures: (readonly [number, WireError])[] = [];
  #isScheduled = false;

  constructor(send: (part: Sent) => void, clock: Clock | undefined) {
    this.#send = send;
    this.#clock = clock;
  }

  value(index: number, raw: RawValue, time?: number, quality?: number): void {
    this.#index.push(index);
    this.#raw.push(raw);
    this.#times.push(time ?? null);
    this.#qualities.push(quality ?? null);
    this.#hasTimes ||= time !== undefined;
    this.#hasQualities ||= quality !== undefined;
    if (this.#index.length >= MAX_SAMPLES) this.flush();
    else this.#schedule();
  }

  fail(index: number, error: DriverError): void {
    this.#failures.push([index, wireError(error)]);
    this.#schedule();
  }

  lost(count: number): void {
    this.#send({ lost: count });
  }

  flush(): void {
    if (this.#index.length > 0) {
      const samples = {
        index: this.#index,
        raw: this.#raw,
        ...(this.#hasTimes ? { times: this.#times } : {}),
        ...(this.#hasQualities ? { qualities: this.#qualities } : {}),
      };
      [this.#index, this.#raw, this.#times, this.#qualities] = [[], [], [], []];
      [this.#hasTimes, this.#hasQualities] = [false, false];
      this.#send({ samples });
    }
    if (this.#failures.length === 0) return;
    this.#send({ failures: this.#failures });
    this.#failures = [];
  }

  #schedule(): void {
    if (this.#clock === undefined || this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.after(0, () => {
      this.#isScheduled = false;
      this.flush();
    });
  }
}
