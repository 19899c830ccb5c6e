/** The driver of devices that answer to HTTP. Properties of the same answer are asked for once. */
import type { Clock } from '@skerry/base';
import type { RawValue } from '../../../values/encoding.ts';
import type { DeviceSettings, Driver, Point, PointWrite, ReadGroup, SampleSink, Session } from '../../driver.ts';
import { DriverError, driverErrorOf, isDriverError } from '../../driver-error.ts';
import { openTcp } from '../../transport/tcp-stream.ts';
import { type Asked, ask } from './request.ts';

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

export function createHttp({ clock }: { readonly clock: Clock }): Driver {
  return {
    protocol: 'http',
    connect: async (settings, { signal }) => {
      const { endpoint, timeoutMs } = settings;
      const url = URL.parse(endpoint);
      const port = url === null ? undefined : PORTS[url.protocol];
      if (url === null || port === undefined)
        throw new DriverError('Misconfigured', `the endpoint "${endpoint}" is neither http://HOST nor https://HOST`);
      const at = { kind: 'tcp' as const, host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || port };
      // Whether anybody is there, before anything is asked.
      const stream = await openTcp(at, { endpoint: at, serial: NO_SERIAL, timeoutMs, clock, signal });
      stream.close();
      return new HttpSession(settings, clock);
    },
  };
}

const NO_SERIAL = { baudRate: 9600, dataBits: 8, parity: 'None', stopBits: 1, flowControl: 'None' } as const;

class HttpSession implements Session {
  readonly ended: Promise<DriverError | undefined>;
  readonly #end: (why: DriverError | undefined) => void;
  readonly #closing = new AbortController();
  readonly #settings: DeviceSettings;
  readonly #clock: Clock;

  constructor(settings: DeviceSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
    const { promise, resolve } = Promise.withResolvers<DriverError | undefined>();
    this.ended = promise;
    this.#end = resolve;
  }

  group(points: readonly Point[]): ReadGroup {
    const requests = new Map<string, [Asked, [number, Point][]]>();
    for (const [index, point] of points.entries()) {
      const { method = 'GET', path, body } = point.address as unknown as Partial<Asked>;
      const asked: Asked = { method, path: String(path), body };
      const key = JSON.stringify(asked);
      const [, wanted] = requests.get(key) ?? [];
      if (wanted === undefined) requests.set(key, [asked, [[index, point]]]);
      else wanted.push([index, point]);
    }
    return { read: (sink, signal) => this.#readAll([...requests.values()], sink, signal) };
  }

  /** One after another: what is written first is in the device first. */
  async write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    const outcomes: (DriverError | undefined)[] = [];
    for (const write of writes) outcomes.push(await this.#writeOne(write, signal).then(() => undefined, driverErrorOf));
    return outcomes;
  }

  close(): Promise<void> {
    this.#closing.abort();
    this.#end(undefined);
    return Promise.resolve();
  }

  async #readAll(
    requests: readonly [Asked, [number, Point][]][],
    sink: SampleSink,
    signal: AbortSignal,
  ): Promise<void> {
    let silent: DriverError | undefined;
    let hasAnswer = false;
    for (const [asked, points] of requests) {
      const answer = silent ?? (await this.#read(asked, points, signal).catch(driverErrorOf));
      if (isDriverError(answer, 'TimedOut', 'Unreachable', 'Closed', 'Malformed')) {
        if (!hasAnswer) throw answer;
        silent = answer;
      } else hasAnswer = true;
      for (const [index, point] of points) tell(index, answer, point, sink);
    }
  }

  async #read(asked: Asked, points: readonly [number, Point][], signal: AbortSignal): Promise<Answer> {
    const text = await this.#ask(asked, signal);
    const isJson = points.some(([, { address }]) => address['match'] === undefined);
    return { text, json: isJson ? parseJson(text) : undefined };
  }

  async #writeOne({ point, value, mask }: PointWrite, signal: AbortSignal): Promise<void> {
    if (mask !== undefined) throw new DriverError('Unsupported', 'single bits cannot be written');
    const write = point.address['write'] as Partial<Asked> | undefined;
    if (write?.path === undefined) throw new DriverError('Rejected', `${point.property} has no address.write`);
    const { method = 'PUT', path, body = '{value}' } = write;
    const json = JSON.stringify(value, (_name, each: unknown) => (typeof each === 'bigint' ? Number(each) : each));
    await this.#ask({ method, path, body: body.replaceAll('{value}', () => json) }, signal);
  }

  async #ask(asked: Asked, signal: AbortSignal): Promise<string> {
    const both = AbortSignal.any([signal, this.#closing.signal]);
    try {
      return await ask(this.#settings, asked, { clock: this.#clock, signal: both });
    } catch (error) {
      if (isDriverError(error, 'Unreachable')) this.#end(error);
      throw error;
    }
  }
}

interface Answer {
  readonly text: string;
  readonly json: unknown;
}

function tell(index: number, answer: Answer | DriverError, point: Point, sink: SampleSink): void {
  if (answer instanceof DriverError) {
    sink.fail(index, answer);
    return;
  }
  try {
    sink.value(index, valueIn(answer, point));
  } catch (error) {
    sink.fail(index, driverErrorOf(error));
  }
}

/** Throws a DriverError. */
function valueIn({ text, json }: Answer, { address, property }: Point): RawValue {
  const { match, field } = address;
  if (match !== undefined) {
    const found = new RegExp(String(match), 'u').exec(text);
    if (found === null) throw new DriverError('Malformed', `the answer does not match the expression of ${property}`);
    return found.groups?.['value'] ?? found[1] ?? found[0];
  }
  let value = json;
  for (const step of field === undefined ? [] : String(field).split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step))
      throw new DriverError('NotFound', `the answer has no ${String(field)}`);
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  if (value === null || value === undefined) throw new DriverError('NotFound', `${String(field)} is null`);
  return value as RawValue;
}

function parseJson(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch (cause) {
    throw new DriverError('Malformed', 'the answer is no JSON', { cause });
  }
}
