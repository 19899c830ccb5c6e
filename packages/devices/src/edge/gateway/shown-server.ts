/** An OPC UA server that runs, with what it shows: devices by their plan, values by the samples of the data worker. */
import type { Logger } from '@skerry/base';
import type { ResolvedModel } from '../../models/resolve-model.ts';
import type { ModelEvent } from '../../resources/device-model.ts';
import { isInShare, type SampleEvent, type SampleLine, type SampleRows, type Share } from '../../telemetry/samples.ts';
import { type GatewayServer, type GatewayServerOptions, openGatewayServer } from './gateway-server.ts';
import { followSamples } from './sample-feed.ts';
import type { Sample } from './space.ts';
import { planSpace, type ShownDevice } from './space-plan.ts';

export interface ShownServerOptions extends GatewayServerOptions {
  /** Where the data worker serves. */
  readonly values: { readonly socketPath: string; readonly token: string };
  /** Of the devices that it is told to show. */
  readonly share: Share;
}

type FeedOptions = Pick<ShownServerOptions, 'namespace' | 'clock' | 'log' | 'values' | 'share'>;

export interface Shown {
  readonly devices: readonly ShownDevice[];
  readonly models: (name: string) => ResolvedModel | undefined;
}

const SEVERITIES: Readonly<Record<NonNullable<ModelEvent['severity']>, number>> = {
  Info: 100,
  Warning: 500,
  Critical: 900,
};

export class ShownServer {
  readonly #server: GatewayServer;
  readonly #log: Logger;
  readonly #share: Share;
  readonly #closing = new AbortController();
  readonly #following: Promise<void>;
  readonly #series = new Map<number, { readonly device: string; readonly property: string }>();
  /** The last one of each property, for variables that come later. */
  readonly #last = new Map<string, Sample>();
  #devices: ReadonlyMap<string, ShownDevice> = new Map();
  #changes = 0;
  #lost = 0;

  static async open(options: ShownServerOptions): Promise<ShownServer> {
    return new ShownServer(await openGatewayServer(options), options);
  }

  constructor(server: GatewayServer, { namespace, clock, log, values, share }: FeedOptions) {
    this.#server = server;
    this.#log = log;
    this.#share = share;
    const feed = { ...values, namespace, share, clock, log };
    const sink = { line: (line: SampleLine) => this.#take(line), lost: () => this.#server.space.markLost(clock.now()) };
    this.#following = followSamples(feed, sink, this.#closing.signal);
  }

  get endpointUrl(): string {
    return this.#server.endpointUrl;
  }

  async show({ devices: all, models }: Shown): Promise<void> {
    const devices = all.filter(({ name }) => isInShare(name, this.#share));
    const { space } = this.#server;
    this.#devices = new Map(devices.map((device) => [device.name, device]));
    const fresh = await space.apply(planSpace(devices, models));
    for (const id of fresh) {
      const sample = this.#last.get(id);
      if (sample !== undefined) this.#set(sample);
    }
    for (const [id, { device }] of this.#last) if (!this.#devices.has(device)) this.#last.delete(id);
  }

  figures() {
    const { space } = this.#server;
    const { overflows, ...figures } = this.#server.figures();
    return { devices: space.devices, variables: space.variables, ...figures, overflows: overflows + this.#lost };
  }

  /** Since this was last asked. */
  takeChanges(): number {
    const changes = this.#changes;
    this.#changes = 0;
    return changes;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#following;
    await this.#server.close();
  }

  #take({ series, rows, event, dropped = 0 }: SampleLine): void {
    this.#lost += dropped;
    if (series !== undefined) this.#series.set(series.id, series);
    if (rows !== undefined) this.#takeRows(rows);
    if (event !== undefined) this.#raise(event);
  }

  #takeRows({ series, times, values, qualities }: SampleRows): void {
    for (const [row, id] of series.entries()) {
      const known = this.#series.get(id);
      if (known === undefined) continue;
      const { device, property } = known;
      const sample = {
        device,
        property,
        value: values[row] ?? null,
        time: times[row] ?? 0,
        quality: qualities[row] ?? 0,
      };
      this.#last.set(`${device}/${property}`, sample);
      this.#changes++;
      this.#set(sample);
    }
  }

  /** A sample of a plan that is no longer, or not yet, the one that is shown may not fit. */
  #set(sample: Sample): void {
    try {
      this.#server.space.set(sample);
    } catch (error) {
      const { device, property } = sample;
      this.#log.debug({ error, device, property }, 'a sample does not fit');
    }
  }

  #raise(event: SampleEvent): void {
    const { severity = 'Info' } = this.#devices.get(event.device)?.model.events.get(event.event) ?? {};
    this.#server.space.raise(event, SEVERITIES[severity]);
  }
}

export function closeQuietly(server: ShownServer | undefined, log: Logger): Promise<void> {
  return server === undefined
    ? Promise.resolve()
    : server.close().catch((error: unknown) => log.warn({ error }, 'a server did not end well'));
}
