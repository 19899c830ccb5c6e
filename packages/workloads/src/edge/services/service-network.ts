/** Services and names for the pods of one node: packet rules, name server, and what pods are told of them. */
import { readFileSync } from 'node:fs';
import { type BackoffPolicy, backoffDelay, type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import type { NodeFact } from '../node/conditions.ts';
import type { Pod as PodObject } from '../pod/types.ts';
import type { ReadyMount } from '../runtime.ts';
import { type DnsSettings, dnsSettingsOf, parseResolvConf } from './dns-settings.ts';
import { findTool, type HostTool, PACKAGE_OF } from './host-tools.ts';
import { createHostsNames } from './hosts-names.ts';
import { type Names, namesOf } from './names.ts';
import {
  type AgentPlace,
  hostAddressesByInterface,
  placeOf,
  removeAddress,
  seesBridged,
  setUpAddress,
} from './node-address.ts';
import { abortOf, type FollowedWorld, followWorld } from './node-world.ts';
import { PacketRules } from './packet-rules.ts';
import type { Resolver } from './resolver.ts';
import { NAMES_PORT, planRules } from './ruleset.ts';
import { type ApiAddress, viewServices } from './service-view.ts';

const RESOLV_CONF = '/etc/resolv.conf';
const RESOLV_CONF_FRESH_MS = 5000;
/** How often it is made sure that nobody has taken away what is ours. */
const CHECK_MS = 60_000;
/** A pod that was let in shows up in the API by then, or is gone. */
const ADMISSION_MS = 60_000;
/** A rollout changes much in a row; some of it is done at once. */
const SPACING_MS = 50;
const RETRY: BackoffPolicy = { baseMs: 500, capMs: 30_000 };

/** What pods get of it. */
export interface PodNetwork {
  /** Undefined: as on the host. */
  dnsOf(pod: PodObject): DnsSettings | undefined;
  /** What a pod on the host's network sees as /etc/hosts; undefined: the host's own. */
  hostsOf(pod: PodObject): ReadyMount | undefined;
  /** Resolves when a pod with addresses of its own may use Services and names. */
  admit(pod: PodObject, ips: readonly string[]): Promise<void>;
}

const CONDITION = 'ServicesAvailable';

export interface ServiceNetwork extends PodNetwork {
  /** The host as its pods reach it; undefined where Services do not work. */
  readonly address: string | undefined;
  /** As a condition of the node. */
  state(): NodeFact;
  /** From now on the API of pods is there. */
  setApi(api: ApiAddress): void;
  /** Follows the nearest API, once `ready`, until `signal` aborts; what is set up stays then, for the next agent. */
  run(follow: FollowOptions, signal: AbortSignal): Promise<void>;
  /** No pod is left: takes everything back. */
  remove(): Promise<void>;
  close(): Promise<void>;
}

export interface FollowOptions {
  readonly client: Client;
  /** Resolves when the API shows all the node has. */
  readonly ready: Promise<void>;
}

export interface ServiceNetworkOptions {
  readonly node: string;
  /** The agent's own directory: several agents may share a host. */
  readonly home: string;
  /** Somebody else may do it on this host. */
  readonly isWanted: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: () => number;
}

/** Where it cannot work, the node runs its pods all the same and says why. */
export async function openServiceNetwork(options: ServiceNetworkOptions): Promise<ServiceNetwork> {
  const log = options.log.child({ controller: 'services' });
  const lack = whatLacks({ isWanted: options.isWanted, isRoot: process.getuid?.() === 0, find: findTool });
  if (lack !== undefined) {
    log.warn({ reason: lack.reason }, 'Services do not work on this node');
    return absentNetwork(options, lack);
  }
  try {
    const place = placeOf(options.node, options.home, await hostAddressesByInterface());
    const network = new WorkingNetwork({ ...options, log }, place);
    await network.open();
    return network;
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'Services do not work on this node');
    return absentNetwork(options, lacking('DataPlaneFailed', messageOf(error)));
  }
}

const NOT_HERE = 'Services do not work on this node';

function lacking(reason: string, why: string): NodeFact {
  return { type: CONDITION, status: 'False', reason, message: `${NOT_HERE}: ${why}` };
}

export interface Circumstances {
  readonly isWanted: boolean;
  readonly isRoot: boolean;
  readonly find: (tool: HostTool) => string | undefined;
}

/** Why Services cannot work here, and what brings them; undefined when nothing is in the way. */
export function whatLacks({ isWanted, isRoot, find }: Circumstances): NodeFact | undefined {
  if (!isWanted) return lacking('SwitchedOff', 'the agent was started with --services off');
  if (!isRoot) return lacking('NotRoot', 'the agent does not run as root; run it as root');
  const missing = (['nft', 'ip'] as const satisfies HostTool[]).filter((tool) => find(tool) === undefined);
  if (missing.length === 0) return undefined;
  const packages = missing.map((tool) => PACKAGE_OF[tool]).join(' ');
  const why = `${missing.join(' and ')} missing; apt-get install ${packages}, then start the agent anew`;
  return lacking(missing[0] === 'nft' ? 'NftablesMissing' : 'IprouteMissing', why);
}

/** Of what needs packet rules there is nothing; names stand for pods on the host, unless somebody else is in charge of them. */
function absentNetwork(options: ServiceNetworkOptions, state: NodeFact): ServiceNetwork {
  const host = hostDns(options.clock);
  const hosts = options.isWanted ? createHostsNames(options) : undefined;
  return {
    address: undefined,
    state: () => state,
    dnsOf: (pod) => dnsSettingsOf(pod, { host: host() }),
    hostsOf: ({ metadata: { namespace = '' } }) => hosts?.mountFor(namespace),
    admit: async () => {},
    setApi: () => {},
    run: async (follow, signal) => hosts?.run(follow, signal),
    remove: async () => {},
    close: async () => {},
  };
}

/** The host's own settings, read anew when they are a few seconds old. */
function hostDns(clock: Clock): () => DnsSettings {
  let settings = parseResolvConf('');
  let staleAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.monotonic() < staleAt) return settings;
    staleAt = clock.monotonic() + RESOLV_CONF_FRESH_MS;
    try {
      settings = parseResolvConf(readFileSync(RESOLV_CONF, 'utf8'));
    } catch {
      // Being rewritten, or none at all: what was known counts.
    }
    return settings;
  };
}

class WorkingNetwork implements ServiceNetwork {
  readonly #options: ServiceNetworkOptions;
  readonly #place: AgentPlace;
  readonly #rules: PacketRules;
  readonly #hostDns: () => DnsSettings;
  /** Addresses of pods by their uid, from before their status shows them. */
  readonly #admitted = new Map<string, { readonly ips: readonly string[]; readonly at: number }>();
  /** What touches the kernel happens one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #world: FollowedWorld | undefined;
  #names: Names | undefined;
  #resolver: Resolver | undefined;
  #api: ApiAddress | undefined;
  #problem: string | undefined;
  #isDue = Promise.withResolvers<void>();

  constructor(options: ServiceNetworkOptions, place: AgentPlace) {
    const { clock, log } = options;
    this.#options = options;
    this.#place = place;
    this.#rules = new PacketRules(place, log);
    this.#hostDns = hostDns(clock);
  }

  get address(): string {
    return this.#place.address;
  }

  async open(): Promise<void> {
    const { clock, log, random = Math.random } = this.#options;
    // Loaded only where there is somebody to answer.
    const [{ openResolver }, { openUpstream }] = await Promise.all([
      import('./resolver.ts'),
      import('./upstream.ts'),
      setUpAddress(this.#place),
      this.#rules.open(seesBridged()),
    ]);
    const servers = () => this.#hostDns().servers.filter((server) => server !== this.address);
    const upstream = openUpstream({ servers, clock });
    const names = () => this.#names;
    const shared = { host: this.address, names, upstream, random, log };
    this.#resolver = await openResolver({ ...shared, port: NAMES_PORT }).catch((error: unknown) => {
      // Another name server has that port at every address, also at this one: the rules lead from it to a free one.
      if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
        return openResolver({ ...shared, port: 0 });
      throw error;
    });
    log.info({ address: this.address, table: this.#place.table }, 'Services and cluster names are served');
  }

  state(): NodeFact {
    if (this.#problem !== undefined) return lacking('DataPlaneFailed', this.#problem);
    const message = 'Services and cluster names work on this node';
    return { type: CONDITION, status: 'True', reason: 'DataPlaneReady', message };
  }

  setApi(api: ApiAddress): void {
    this.#api = api;
    this.#touch();
  }

  dnsOf(pod: PodObject): DnsSettings | undefined {
    return dnsSettingsOf(pod, { host: this.#hostDns(), clusterServer: this.address });
  }

  hostsOf(): undefined {
    return undefined;
  }

  async admit({ metadata: { uid = '' } }: PodObject, ips: readonly string[]): Promise<void> {
    this.#admitted.set(uid, { ips, at: this.#options.clock.monotonic() });
    try {
      await this.#inTurn(() => this.#rules.admit(ips));
    } catch (error) {
      // The pod starts all the same; the whole table that is due now has it in.
      this.#options.log.warn({ error: messageOf(error) }, 'pod not let in yet');
      this.#rules.forget();
      this.#touch();
    }
  }

  async run({ client, ready }: FollowOptions, signal: AbortSignal): Promise<void> {
    const { clock, log, node } = this.#options;
    await Promise.race([ready, abortOf(signal)]);
    if (signal.aborted) return;
    const world = followWorld({ client, clock, log, signal }, node, () => this.#touch());
    await world.synced.catch(() => {});
    if (signal.aborted) return;
    this.#world = world;
    this.#touch();
    await Promise.all([this.#applyForEver(signal), this.#checkForEver(signal)]);
  }

  async remove(): Promise<void> {
    const { log } = this.#options;
    const failed = (error: unknown) => log.warn({ error: messageOf(error) }, 'packet rules left behind');
    await this.#inTurn(() => this.#rules.remove()).catch(failed);
    await removeAddress(this.#place).catch(failed);
  }

  async close(): Promise<void> {
    await this.#queue.catch(() => {});
    await this.#resolver?.close();
    this.#resolver = undefined;
  }

  #touch(): void {
    this.#isDue.resolve();
  }

  async #applyForEver(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const aborted = abortOf(signal);
    for (let failures = 0; !signal.aborted; ) {
      await Promise.race([this.#isDue.promise, aborted]);
      if (signal.aborted) return;
      this.#isDue = Promise.withResolvers<void>();
      try {
        await this.#inTurn(() => this.#applyNow());
        failures = 0;
        this.#problem = undefined;
        await clock.sleep(SPACING_MS, signal).catch(() => {});
      } catch (error) {
        this.#problem = messageOf(error);
        log.warn({ error: messageOf(error) }, 'packet rules not set');
        await clock.sleep(RETRY.baseMs + backoffDelay(RETRY, failures++), signal).catch(() => {});
        this.#touch();
      }
    }
  }

  async #applyNow(): Promise<void> {
    const world = this.#world?.read();
    if (world === undefined) return;
    const { table, address } = this.#place;
    const views = viewServices({ ...world, hostIp: address, ...(this.#api === undefined ? {} : { api: this.#api }) });
    this.#names = namesOf(views);
    const podIps = this.#podIps(world.pods);
    const names = { ip: address, port: this.#resolver?.port ?? NAMES_PORT };
    const frame = { table, address, podIps, seesBridged: seesBridged() };
    await this.#rules.apply({ frame, rules: planRules(views, names) });
  }

  /** Of pods on networks of their own: those that their status shows, and those that have only just got theirs. */
  #podIps(pods: ReturnType<FollowedWorld['read']>['pods']): readonly string[] {
    const uids = new Set(pods.map(({ metadata }) => metadata.uid));
    const oldest = this.#options.clock.monotonic() - ADMISSION_MS;
    for (const [uid, { at }] of this.#admitted) if (!uids.has(uid) && at < oldest) this.#admitted.delete(uid);
    const shown = pods
      .filter(({ spec, status }) => spec?.hostNetwork !== true && status?.podIP !== status?.hostIP)
      .flatMap(({ status }) => status?.podIPs?.map(({ ip }) => ip) ?? []);
    return [...new Set([...shown, ...[...this.#admitted.values()].flatMap(({ ips }) => ips)])]
      .filter((ip) => !ip.includes(':'))
      .sort();
  }

  async #checkForEver(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(CHECK_MS, signal).catch(() => {});
      if (signal.aborted) return;
      await setUpAddress(this.#place).catch((error: unknown) =>
        log.warn({ error: messageOf(error) }, 'address not set'),
      );
      if (await this.#rules.isThere()) continue;
      this.#rules.forget();
      this.#touch();
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.catch(() => {}).then(work);
    this.#queue = turn;
    return turn;
  }
}
