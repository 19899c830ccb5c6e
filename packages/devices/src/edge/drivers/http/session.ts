/** One device: asked for what it has, told what to do, and heard when it posts. */
import { exactJsonText } from '../../../values/exact-json.ts';
import type { Point, PointWrite, ReadGroup, SampleSink, Session } from '../../driver.ts';
import { DriverError, driverErrorOf, isDriverError } from '../../driver-error.ts';
import { type IndexedPoint, polling } from './polling.ts';
import type { Asked, Requests } from './request.ts';
import type { Posted } from './webhook/posted.ts';

export interface HttpSessionOptions {
  /** Undefined: the device is only heard. */
  readonly requests: Requests | undefined;
  /** Undefined: the device is only asked. */
  readonly posted: Posted | undefined;
}

export class HttpSession implements Session {
  readonly ended: Promise<DriverError | undefined>;
  readonly subscribe?: NonNullable<Session['subscribe']>;
  readonly #end: (why: DriverError | undefined) => void;
  readonly #closing = new AbortController();
  readonly #requests: Requests | undefined;
  readonly #posted: Posted | undefined;

  constructor({ requests, posted }: HttpSessionOptions) {
    this.#requests = requests;
    this.#posted = posted;
    const { promise, resolve } = Promise.withResolvers<DriverError | undefined>();
    this.ended = promise;
    this.#end = resolve;
    if (posted === undefined) return;
    this.subscribe = async (points, sink, signal) => this.#follow(posted, points, sink, signal);
    void posted.ended.then((error) => this.#end(error));
  }

  group(points: readonly Point[]): ReadGroup {
    const [asked, heard] = divided(points);
    const sources = heard.map(({ index, point }) => ({ index, source: this.#posted?.sourceOf(point) }));
    const polled = asked.length === 0 ? undefined : polling(asked, (request, signal) => this.#ask(request, signal));
    return {
      read: async (sink, signal) => {
        for (const { index, source } of sources) {
          if (source === undefined) sink.fail(index, new DriverError('Misconfigured', 'the device has no webhook'));
          else source.tellLast(index, sink);
        }
        await polled?.read(sink, signal);
      },
    };
  }

  /** One after another: what is written first is in the device first. */
  async write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    const outcomes: (DriverError | undefined)[] = [];
    for (const write of writes) outcomes.push(await this.#writeOne(write, signal).then(() => undefined, driverErrorOf));
    return outcomes;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#end(undefined);
    this.#requests?.close();
    await this.#posted?.close();
  }

  #follow(posted: Posted, points: readonly Point[], sink: SampleSink, signal: AbortSignal): void {
    const [asked, heard] = divided(points);
    for (const { index } of asked)
      sink.fail(index, new DriverError('Misconfigured', 'what is asked for has the mode Poll'));
    for (const { index, point } of heard) posted.sourceOf(point).follow(index, sink, signal);
  }

  async #writeOne({ point, value, mask }: PointWrite, signal: AbortSignal): Promise<void> {
    if (mask !== undefined) throw new DriverError('Unsupported', 'single bits cannot be written');
    const write = point.address['write'] as Partial<Asked> | undefined;
    if (write?.path === undefined) throw new DriverError('Rejected', `${point.property} has no address.write`);
    const { method = 'PUT', path, body = '{value}' } = write;
    const json = exactJsonText(value);
    await this.#ask({ method, path, body: body.replaceAll('{value}', () => json) }, signal);
  }

  async #ask(asked: Asked, signal: AbortSignal): Promise<string> {
    if (this.#requests === undefined) throw new DriverError('Misconfigured', 'the connection has no endpoint');
    try {
      return await this.#requests.ask(asked, AbortSignal.any([signal, this.#closing.signal]));
    } catch (error) {
      if (isDriverError(error, 'Unreachable')) this.#end(error);
      throw error;
    }
  }
}

/** What is asked for, and what is posted. */
function divided(points: readonly Point[]): readonly [readonly IndexedPoint[], readonly IndexedPoint[]] {
  const indexed = points.map((point, index) => ({ index, point }));
  const isAsked = ({ point }: IndexedPoint) => point.address['path'] !== undefined;
  return [indexed.filter(isAsked), indexed.filter((each) => !isAsked(each))];
}
