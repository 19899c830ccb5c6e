/** What a device posts: values by point, the last of each remembered. */
import { parseDuration } from '@skerry/api/durations';
import type { Clock } from '@skerry/base';
import type { RawValue } from '../../../../values/encoding.ts';
import type { DeviceSettings, Point, SampleSink } from '../../../driver.ts';
import { DriverError, driverErrorOf, isDriverError } from '../../../driver-error.ts';
import { Body, type Extract, extraction } from '../extraction.ts';
import { authenticationOf } from './authentication.ts';
import type { Membership, WebhookListeners } from './listeners.ts';

/** As a client is told: its values were taken, or in words why not. */
export type Verdict = { readonly status: 204 } | { readonly status: 400 | 422 | 503; readonly why: string };

export interface Posted {
  /** The same one for points with the same address. */
  sourceOf(point: Point): PostedSource;
  /** Settles when nothing more can come. Never rejects. */
  readonly ended: Promise<DriverError | undefined>;
  close(): Promise<void>;
}

/** Joins the listener that the options name, and opens it first where nobody has; undefined where they name none. */
export async function openPosted(
  { namespace, name, options, secret, site }: DeviceSettings,
  listeners: WebhookListeners,
  clock: Clock,
): Promise<Posted | undefined> {
  const webhook = options['webhook'] as Readonly<Record<string, unknown>> | undefined;
  if (webhook === undefined) return undefined;
  const { address = '127.0.0.1', port = 8443, path, security = 'Tls', bodyTimeout = '10s' } = webhook;
  const sources = new Map<string, PostedSource>();
  const membership = await listeners.join({
    address: String(address),
    port: Number(port),
    tls: security === 'Plain' ? undefined : keyPairOf(secret, site),
    route: {
      device: `${namespace}/${name}`,
      path: String(path),
      authentication: authenticationOf(webhook, secret),
      maxBodyBytes: Number(webhook['maxBodyBytes'] ?? 1_048_576),
      maxPerSecond: Number(webhook['maxPerSecond'] ?? 100),
      bodyTimeoutMs: parseDuration(String(bodyTimeout)) ?? 10_000,
      take: (text) => take([...sources.values()], new Body(text, 'the body'), clock.now()),
    },
  });
  return {
    sourceOf: (point) => {
      const key = JSON.stringify(point.address);
      const known = sources.get(key) ?? new PostedSource(point);
      sources.set(key, known);
      return known;
    },
    ended: membership.ended,
    close: (): ReturnType<Membership['leave']> => membership.leave(),
  };
}

function keyPairOf(secret: DeviceSettings['secret'], site: DeviceSettings['site']) {
  const [certificate, key] = [secret['tls.crt'], secret['tls.key']];
  if (certificate !== undefined && key !== undefined)
    return { certificate: new TextDecoder().decode(certificate), key: new TextDecoder().decode(key) };
  if (site === undefined) throw new DriverError('Misconfigured', 'the Secret has no tls.crt and tls.key');
  return { certificate: site.certificate, key: site.key };
}

/** A post need not have everything. Who has nothing that anybody looks for made a mistake, and is told. */
function take(sources: readonly PostedSource[], body: Body, now: number): Verdict {
  if (sources.length === 0) return { status: 503, why: 'nobody listens yet' };
  const outcomes = sources.map((source) => source.hear(body, now));
  if (outcomes.some((each) => each === undefined)) return { status: 204 };
  const malformed = outcomes.find((each) => isDriverError(each, 'Malformed'));
  if (malformed !== undefined) return { status: 400, why: malformed.message };
  return { status: 422, why: 'nothing in the body is a property' };
}

interface Sample {
  readonly value: RawValue;
  readonly time: number;
}

export class PostedSource {
  readonly #property: string;
  readonly #extract: Extract;
  readonly #listeners = new Set<(sample: Sample) => void>();
  #last: Sample | undefined;

  constructor(point: Point) {
    this.#property = point.property;
    this.#extract = extraction(point);
  }

  /** Undefined: there was a value in it. */
  hear(body: Body, now: number): DriverError | undefined {
    try {
      const { value, time = now } = this.#extract(body);
      const sample = { value, time };
      this.#last = sample;
      for (const listener of this.#listeners) listener(sample);
      return undefined;
    } catch (error) {
      return driverErrorOf(error);
    }
  }

  tellLast(index: number, sink: SampleSink): void {
    if (this.#last !== undefined) sink.value(index, this.#last.value, this.#last.time);
    else sink.fail(index, new DriverError('NotFound', `nothing has been posted for ${this.#property} yet`));
  }

  follow(index: number, sink: SampleSink, signal: AbortSignal): void {
    if (this.#last !== undefined) this.tellLast(index, sink);
    const listener = ({ value, time }: Sample) => sink.value(index, value, time);
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }
}
