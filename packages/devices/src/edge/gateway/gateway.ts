/** The OPC UA servers of this node: each runs as its object says, and shows the devices that are driven here. */
import type { ChildProcess } from 'node:child_process';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import {
  type ControllerSpec,
  type Informer,
  keyOf,
  runController,
  startInformer,
  watching,
} from '@skerry/kube/controller';
import { resolveModel } from '../../models/resolve-model.ts';
import type { Device } from '../../resources/device.ts';
import type { DeviceModel } from '../../resources/device-model.ts';
import { DEVICE_MODELS, DEVICES, OPCUA_SERVERS, TRUST_LISTS } from '../../resources/group.ts';
import type { OpcUaServer, OpcUaServerStatus } from '../../resources/opcua-server.ts';
import type { TrustList } from '../../resources/trust-list.ts';
import { isDriverError } from '../driver-error.ts';
import { thumbprintOf } from '../opcua/own-certificate.ts';
import { doorOver } from '../twin/door-client.ts';
import { RejectedCertificates } from '../worker/rejected-certificates.ts';
import { resolveSettings } from '../worker/settings.ts';
import type { Neighbour } from './gateway-server.ts';
import { NO_FIGURES, type ServerReport, statusOf } from './server-report.ts';
import { type Named, resolveServer, type ServerSettings } from './server-settings.ts';
import { conditionsOf, ShardDemand, sharesOf } from './shard-demand.ts';
import { ShardProcesses } from './shard-processes.ts';
import { closeQuietly, type Shown, ShownServer } from './shown-server.ts';
import { shownDevice } from './space-plan.ts';

export interface GatewayOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the data worker serves. */
  readonly values: { readonly socketPath: string; readonly token: string };
  /** Where key pairs are kept. */
  readonly folder: string;
  /** The standard's own nodes, as XML. */
  readonly nodeset: string;
  /** Starts the process that has this share of a server. */
  readonly launch: (shard: Shard) => ChildProcess;
  /** Of a process that was started so: what is its own, and who hears how it is. */
  readonly shard?: Shard & { readonly report: (report: ServerReport) => void };
}

export interface Shard {
  /** By namespace and name. */
  readonly server: string;
  readonly index: number;
}

export interface Gateway {
  stop(): Promise<void>;
}

interface Entry {
  readonly refusals: RejectedCertificates;
  /** Of the server that runs: what cannot change while it does. */
  madeOf: string;
  server: ShownServer | undefined;
  settings: ServerSettings | undefined;
  told: string;
  countedAt: number;
  changesPerSecond: number;
  readonly demand: ShardDemand;
  /** None in a process that is one of them. */
  readonly shards: ShardProcesses;
}

/** Figures get into the status this often; Secrets are read again. */
const LOOK_MS = 10_000;

export function startGateway(options: GatewayOptions): Gateway {
  const stopping = new AbortController();
  const context = { ...options, signal: stopping.signal };
  const gateway = new NodeGateway(options, {
    servers: startInformer<OpcUaServer>(context, { gvr: OPCUA_SERVERS }),
    devices: startInformer<Device>(context, { gvr: DEVICES }),
    models: startInformer<DeviceModel>(context, { gvr: DEVICE_MODELS }),
    trust: startInformer<TrustList>(context, { gvr: TRUST_LISTS }),
  });
  const running = runController(gateway.spec, context);
  return {
    stop: async () => {
      stopping.abort();
      await running;
      await gateway.close();
    },
  };
}

interface Caches {
  readonly servers: Informer<OpcUaServer>;
  readonly devices: Informer<Device>;
  readonly models: Informer<DeviceModel>;
  readonly trust: Informer<TrustList>;
}

class NodeGateway {
  readonly spec: ControllerSpec;
  readonly #options: GatewayOptions;
  readonly #caches: Caches;
  readonly #entries = new Map<string, Entry>();
  #wake: (key: string) => void = () => {};

  constructor(options: GatewayOptions, caches: Caches) {
    this.#options = options;
    this.#caches = caches;
    const { servers, devices, models, trust } = caches;
    const keysIn = (namespace = '') =>
      servers.cache.list().flatMap((server) => (server.metadata.namespace === namespace ? [keyOf(server)] : []));
    this.spec = {
      name: 'opcua-servers',
      watches: [
        watching(servers, ({ object }) => [keyOf(object)]),
        watching(devices, ({ object }) => keysIn(object.metadata.namespace)),
        watching(models, () => servers.cache.list().map(keyOf)),
        watching(trust, ({ object }) => keysIn(object.metadata.namespace)),
      ],
      source: (enqueue) => {
        this.#wake = enqueue;
        return () => {};
      },
      reconcile: (key, signal) => this.#reconcile(key, signal),
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => this.#end(entry)));
    this.#entries.clear();
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<{ readonly afterMs: number } | undefined> {
    const { shard, node } = this.#options;
    if (shard !== undefined && shard.server !== key) return undefined;
    const server = this.#caches.servers.cache.get(key);
    const entry = this.#entries.get(key);
    if (server === undefined || server.status?.nodes?.includes(node) !== true) {
      this.#entries.delete(key);
      if (entry !== undefined) await this.#end(entry);
      return undefined;
    }
    const kept = entry ?? this.#newEntry(key);
    this.#entries.set(key, kept);
    if (shard === undefined) await kept.shards.want(sharesOf(server) - 1);
    const failure = await this.#run(server, kept, signal);
    await this.#tell(server, kept, failure);
    return { afterMs: LOOK_MS };
  }

  #newEntry(key: string): Entry {
    const { clock, log, launch } = this.#options;
    const onReport = () => this.#wake(key);
    return {
      refusals: new RejectedCertificates(onReport),
      madeOf: '',
      server: undefined,
      settings: undefined,
      told: '',
      countedAt: clock.monotonic(),
      changesPerSecond: 0,
      demand: new ShardDemand(),
      shards: new ShardProcesses({ launch: (index) => launch({ server: key, index }), onReport, clock, log }),
    };
  }

  async #end({ server, shards }: Entry): Promise<void> {
    await Promise.all([closeQuietly(server, this.#options.log), shards.want(0)]);
  }

  /** Why it does not run; what can be read of the object and what it names decides alone. */
  async #run(server: OpcUaServer, entry: Entry, signal: AbortSignal): Promise<string | undefined> {
    try {
      const settings = await this.#resolve(server, signal);
      const { access: _access, ...fixed } = settings;
      const madeOf = JSON.stringify({ ...fixed, keyPair: thumbprintOf(settings.keyPair), shares: sharesOf(server) });
      entry.settings = settings;
      if (entry.server === undefined || entry.madeOf !== madeOf) await this.#open(server, entry, madeOf);
      await entry.server?.show(this.#shownBy(server));
      return undefined;
    } catch (error) {
      // Nobody is served by what is no longer said.
      if (isDriverError(error, 'Misconfigured')) await this.#close(entry);
      return messageOf(error);
    }
  }

  #resolve(server: OpcUaServer, signal: AbortSignal): Promise<ServerSettings> {
    const { client, clock, folder, shard } = this.#options;
    const { namespace = '', name = '' } = server.metadata;
    const fetch = (named: Named) => {
      const connection = { endpoint: '', timeoutMs: 0, retries: 0, reconnect: { baseMs: 0, capMs: 0 }, options: {} };
      return resolveSettings(client, { namespace, name, connection: { ...connection, ...named } }, signal);
    };
    return resolveServer(server, { fetch, folder, now: clock.now(), shard: shard?.index ?? 0 });
  }

  async #open(server: OpcUaServer, entry: Entry, madeOf: string): Promise<void> {
    const { settings } = entry;
    await this.#close(entry);
    if (settings === undefined) return;
    const { values, log, shard } = this.#options;
    const { namespace = '', name = '' } = server.metadata;
    entry.server = await ShownServer.open({
      ...this.#options,
      ...settings,
      namespace,
      name,
      log: log.child({ server: `${namespace}/${name}` }),
      door: doorOver(values),
      access: () => entry.settings?.access ?? settings.access,
      refusals: entry.refusals,
      share: { index: shard?.index ?? 0, of: sharesOf(server) },
      neighbours: () => neighboursIn(entry.shards.reports),
    });
    entry.madeOf = madeOf;
  }

  async #close(entry: Entry): Promise<void> {
    const { server } = entry;
    entry.server = undefined;
    await closeQuietly(server, this.#options.log);
  }

  #shownBy({ metadata, spec }: OpcUaServer): Shown {
    const { devices, models } = this.#caches;
    const lookUp = (name: string) => {
      const model = resolveModel(name, (each) => models.cache.get(each));
      return typeof model === 'string' ? undefined : model;
    };
    const wanted = Object.entries(spec.devices?.matchLabels ?? {});
    const shown = devices.cache.list().flatMap((device) => {
      const { namespace, labels = {} } = device.metadata;
      const isShown =
        namespace === metadata.namespace &&
        device.status?.nodes?.[0] === this.#options.node &&
        wanted.every(([label, value]) => labels[label] === value);
      const model = isShown ? lookUp(device.spec.model.name) : undefined;
      return model === undefined ? [] : [shownDevice(device, model)];
    });
    return { devices: shown, models: lookUp };
  }

  async #tell(server: OpcUaServer, entry: Entry, failure: string | undefined): Promise<void> {
    const { client, shard } = this.#options;
    const { namespace = '', name = '' } = server.metadata;
    const report = this.#reportOf(entry, failure);
    const said = shard === undefined ? this.#statusOf(server, entry, report) : report;
    const told = JSON.stringify(said);
    if (told === entry.told) return;
    const where = { gvr: OPCUA_SERVERS, namespace, name };
    if (shard === undefined) await client.patch(where, { status: said }, { type: 'merge', subresource: 'status' });
    else shard.report(report);
    entry.told = told;
  }

  #statusOf(server: OpcUaServer, entry: Entry, report: ServerReport): Partial<OpcUaServerStatus> {
    const { clock, log } = this.#options;
    const status = statusOf(server.metadata.generation ?? 0, [report, ...entry.shards.reports]);
    const { changesPerSecond = 0 } = status;
    const wanted = entry.demand.wanted({ changesPerSecond, shares: sharesOf(server), now: clock.monotonic() });
    const isNews = wanted !== undefined && wanted > (server.status?.wantedShards ?? 1);
    if (isNews)
      log.warn({ server: keyOf(server), changesPerSecond, wanted }, 'more changes than its processes pass on');
    return {
      ...status,
      ...(isNews ? { wantedShards: wanted } : {}),
      conditions: conditionsOf(server, wanted, new Date(clock.now()).toISOString()),
    };
  }

  #reportOf(entry: Entry, failure: string | undefined): ServerReport {
    const { server, settings, refusals } = entry;
    this.#count(entry);
    const { changesPerSecond } = entry;
    return {
      ...(failure === undefined ? {} : { failure }),
      ...(server === undefined ? {} : { endpoint: server.endpointUrl }),
      ...(settings === undefined
        ? {}
        : {
            applicationUri: settings.endpoint.applicationUri,
            certificateThumbprint: thumbprintOf(settings.keyPair),
          }),
      figures: server === undefined ? NO_FIGURES : { ...server.figures(), changesPerSecond },
      rejectedCertificates: refusals.list,
    };
  }

  #count(entry: Entry): void {
    const now = this.#options.clock.monotonic();
    const elapsedMs = now - entry.countedAt;
    if (elapsedMs < LOOK_MS) return;
    entry.countedAt = now;
    entry.changesPerSecond = rate(entry.server?.takeChanges() ?? 0, elapsedMs);
  }
}

function neighboursIn(reports: readonly (ServerReport | undefined)[]): readonly Neighbour[] {
  return reports.flatMap((report) => {
    const { applicationUri, endpoint: endpointUrl } = report ?? {};
    return applicationUri === undefined || endpointUrl === undefined ? [] : [{ applicationUri, endpointUrl }];
  });
}

function rate(count: number, elapsedMs: number): number {
  return Math.round((count * 10_000) / elapsedMs) / 10;
}
