/** A driver that lives elsewhere, as if it were here. */
import { BoundedQueue } from '@skerry/base';
import type {
  BrowseEntry,
  CallRequest,
  DeviceSettings,
  DiscoveryRequest,
  Driver,
  DriverContext,
  EventPoint,
  EventSink,
  FoundDevice,
  HistoryRequest,
  Point,
  PointWrite,
  ReadGroup,
  SampleSink,
  Session,
} from '../driver.ts';
import { DriverError } from '../driver-error.ts';
import type { Ask, FromDriver, Port, Samples, SessionTrait, ToDriver, WireError } from './messages.ts';

export interface RemoteDriver extends Driver {
  /** With the reason, once it can be reached no more. */
  readonly closed: Promise<string>;
}

export function remoteDriver(protocol: string, port: Port<ToDriver, FromDriver>): RemoteDriver {
  const asking = new Asking(protocol, port);
  return {
    protocol,
    closed: port.closed,
    connect: (settings, context) => connect(asking, settings, context),
    discover: (request, context) => discover(asking, request, context),
    close: async () => port.close(),
  };
}

/** So many requests are under way at once. */
const MAX_REQUESTS = 100_000;

interface Pending {
  readonly session: number | undefined;
  readonly onPart: ((part: FromDriver) => void) | undefined;
  /** Whether parts still come after the answer. */
  readonly goesOn: boolean;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: DriverError) => void;
}

interface AskOptions {
  readonly signal: AbortSignal;
  readonly onPart?: (part: FromDriver) => void;
  readonly goesOn?: boolean;
}

/** Requests, by number, and who waits for their answers. */
class Asking {
  readonly #protocol: string;
  readonly #port: Port<ToDriver, FromDriver>;
  readonly #pending = new Map<number, Pending>();
  readonly #sessions = new Map<number, RemoteSession>();
  #next = 0;
  #gone: string | undefined;

  constructor(protocol: string, port: Port<ToDriver, FromDriver>) {
    this.#protocol = protocol;
    this.#port = port;
    port.onMessage((message) => this.#onMessage(message));
    void port.closed.then((reason) => this.#onClosed(reason));
  }

  number(): number {
    return ++this.#next;
  }

  track(number: number, session: RemoteSession): void {
    this.#sessions.set(number, session);
  }

  /** What is still asked of the session has no answer any more. */
  forget(number: number): void {
    this.#sessions.delete(number);
    for (const [id, pending] of this.#pending) {
      if (pending.session !== number) continue;
      this.#pending.delete(id);
      this.#port.post({ cancel: id });
      pending.reject(new DriverError('Closed', 'the session was closed'));
    }
  }

  ask(ask: Ask, { signal, onPart, goesOn = false }: AskOptions): Promise<unknown> {
    if (this.#gone !== undefined) return Promise.reject(this.#unreachable(this.#gone));
    if (signal.aborted) return Promise.reject(givenUp());
    if (this.#pending.size >= MAX_REQUESTS)
      return Promise.reject(new DriverError('Busy', `more than ${MAX_REQUESTS} requests wait for the driver`));
    const id = this.number();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#pending.delete(id);
        this.#port.post({ cancel: id });
        reject(givenUp());
      };
      const settled = () => {
        if (!goesOn) signal.removeEventListener('abort', onAbort);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#pending.set(id, {
        onPart,
        goesOn,
        session: 'session' in ask ? ask.session : undefined,
        resolve: (result) => {
          settled();
          resolve(result);
        },
        reject: (error) => {
          signal.removeEventListener('abort', onAbort);
          reject(error);
        },
      });
      this.#port.post({ id, ...ask });
    });
  }

  #onMessage(message: FromDriver): void {
    if ('ended' in message) {
      this.#sessions.get(message.ended)?.end(errorFrom(message.error));
      this.#sessions.delete(message.ended);
      return;
    }
    if ('rejected' in message) {
      this.#sessions.get(message.session)?.tellRejected(message.rejected.certificate, message.rejected.reason);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if ('ok' in message) {
      if (!pending.goesOn) this.#pending.delete(message.id);
      pending.resolve(message.ok);
    } else if ('error' in message) {
      this.#pending.delete(message.id);
      pending.reject(errorFrom(message.error) ?? new DriverError('Malformed', 'an error without words'));
    } else pending.onPart?.(message);
  }

  #onClosed(reason: string): void {
    this.#gone = reason;
    const error = this.#unreachable(reason);
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    for (const session of this.#sessions.values()) session.end(error);
    this.#sessions.clear();
  }

  #unreachable(reason: string): DriverError {
    return new DriverError('Unreachable', `the driver of ${this.#protocol} is gone: ${reason}`);
  }
}

function givenUp(): DriverError {
  return new DriverError('Closed', 'the request was given up');
}

function errorFrom(error: WireError | undefined): DriverError | undefined {
  return error === undefined ? undefined : new DriverError(error.kind, error.message);
}

async function connect(asking: Asking, settings: DeviceSettings, context: DriverContext): Promise<Session> {
  const number = asking.number();
  const remote = new RemoteSession(asking, number, context);
  asking.track(number, remote);
  try {
    const traits = (await asking.ask({ do: 'connect', session: number, settings }, context)) as readonly SessionTrait[];
    return withTraits(remote, new Set(traits));
  } catch (error) {
    asking.forget(number);
    throw error;
  }
}

/** Without the methods that the session does not have. */
function withTraits(remote: RemoteSession, traits: ReadonlySet<SessionTrait>): Session {
  return {
    group: (points) => remote.group(points),
    close: () => remote.close(),
    ended: remote.ended,
    ...(traits.has('wantsBytes') ? { wantsBytes: true } : {}),
    ...(traits.has('subscribe') ? { subscribe: (points, sink, signal) => remote.subscribe(points, sink, signal) } : {}),
    ...(traits.has('write') ? { write: (writes, signal) => remote.write(writes, signal) } : {}),
    ...(traits.has('call') ? { call: (request, signal) => remote.call(request, signal) } : {}),
    ...(traits.has('listen') ? { listen: (events, sink, signal) => remote.listen(events, sink, signal) } : {}),
    ...(traits.has('browse') ? { browse: (from, signal) => remote.browse(from, signal) } : {}),
    ...(traits.has('history') ? { history: (request, sink, signal) => remote.history(request, sink, signal) } : {}),
  };
}

const NEVER: AbortSignal = new AbortController().signal;

type Addressed = Readonly<Record<string, unknown>>;

class RemoteSession {
  readonly #asking: Asking;
  readonly #number: number;
  readonly #context: DriverContext;
  readonly #ended = Promise.withResolvers<DriverError | undefined>();
  #isClosed = false;

  constructor(asking: Asking, number: number, context: DriverContext) {
    this.#asking = asking;
    this.#number = number;
    this.#context = context;
  }

  get ended(): Promise<DriverError | undefined> {
    return this.#ended.promise;
  }

  end(error: DriverError | undefined): void {
    this.#ended.resolve(error);
  }

  tellRejected(certificate: Uint8Array, reason: string): void {
    this.#context.onRejectedCertificate?.(certificate, reason);
  }

  group(points: readonly Point[]): ReadGroup {
    const group = this.#asking.number();
    const session = this.#number;
    // What is wrong with a point is known with the first reading: nothing here waits for the driver.
    const made = this.#ask({ do: 'group', session, group, points }, NEVER);
    made.catch(() => {});
    return {
      read: async (sink, signal) => {
        await made;
        await this.#ask({ do: 'read', session, group }, signal, { onPart: (part) => tell(sink, part) });
      },
    };
  }

  async subscribe(points: readonly Point[], sink: SampleSink, signal: AbortSignal): Promise<void> {
    const onPart = (part: FromDriver) => tell(sink, part);
    await this.#ask({ do: 'subscribe', session: this.#number, points }, signal, { onPart, goesOn: true });
  }

  async write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    const outcomes = await this.#ask({ do: 'write', session: this.#number, writes }, signal);
    const list = Array.isArray(outcomes) ? (outcomes as readonly (WireError | null)[]) : [];
    return writes.map((_, at) => errorFrom(list[at] ?? undefined));
  }

  async call(request: CallRequest, signal: AbortSignal): ReturnType<NonNullable<Session['call']>> {
    const result = await this.#ask({ do: 'call', session: this.#number, request }, signal);
    return result as Awaited<ReturnType<NonNullable<Session['call']>>>;
  }

  async listen(events: readonly EventPoint[], sink: EventSink, signal: AbortSignal): Promise<void> {
    const onPart = (part: FromDriver) => {
      if (!('events' in part)) return;
      for (const [index, fields, time] of part.events) sink.event(index, fields, time);
    };
    await this.#ask({ do: 'listen', session: this.#number, events }, signal, { onPart, goesOn: true });
  }

  browse(from: Addressed | undefined, signal: AbortSignal): AsyncIterable<BrowseEntry> {
    const ask: Ask = { do: 'browse', session: this.#number, ...(from === undefined ? {} : { from }) };
    return itemsOf<BrowseEntry>(this.#asking, ask, signal);
  }

  async history(request: HistoryRequest, sink: SampleSink, signal: AbortSignal): Promise<void> {
    const onPart = (part: FromDriver) => tell(sink, part);
    await this.#ask({ do: 'history', session: this.#number, request }, signal, { onPart });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.end(undefined);
    this.#asking.forget(this.#number);
    await this.#asking.ask({ do: 'close', session: this.#number }, { signal: NEVER }).catch(() => {});
  }

  #ask(ask: Ask, signal: AbortSignal, more: Omit<AskOptions, 'signal'> = {}): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new DriverError('Closed', 'the session is closed'));
    return this.#asking.ask(ask, { ...more, signal });
  }
}

function tell(sink: SampleSink, part: FromDriver): void {
  if ('samples' in part) tellSamples(sink, part.samples);
  else if ('failures' in part) {
    for (const [index, error] of part.failures) sink.fail(index, new DriverError(error.kind, error.message));
  } else if ('lost' in part) sink.lost?.(part.lost);
}

function tellSamples(sink: SampleSink, { index, raw, times, qualities }: Samples): void {
  for (const [row, at] of index.entries()) {
    const value = raw[row];
    if (value !== undefined) sink.value(at, value, times?.[row] ?? undefined, qualities?.[row] ?? undefined);
  }
}

async function* discover(
  asking: Asking,
  request: DiscoveryRequest,
  context: DriverContext,
): AsyncGenerator<FoundDevice> {
  yield* itemsOf<FoundDevice>(asking, { do: 'discover', request }, context.signal);
}

/** So many things that were found wait for their reader; a driver that finds more without end is cut off. */
const MAX_ITEMS = 100_000;

async function* itemsOf<T>(asking: Asking, ask: Ask, signal: AbortSignal): AsyncGenerator<T> {
  const queue = new BoundedQueue<T>('items of a driver', MAX_ITEMS);
  const ending = new AbortController();
  let wake = () => {};
  let isOver = false;
  const onPart = (part: FromDriver) => {
    if (!('items' in part)) return;
    if (!part.items.every((item) => queue.offer(item as T))) ending.abort();
    wake();
  };
  const answer = asking.ask(ask, { signal: AbortSignal.any([signal, ending.signal]), onPart }).finally(() => {
    isOver = true;
    wake();
  });
  answer.catch(() => {});
  try {
    for (;;) {
      const item = queue.take();
      if (item !== undefined) yield item;
      else if (isOver) break;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    await answer;
  } finally {
    ending.abort();
  }
}
