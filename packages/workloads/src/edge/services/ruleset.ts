/**
 * From what the node makes of its Services to what the kernel does with packets: tables of destinations and where each leads.
 * `planRules` says what, `formatRuleset` writes it down for nft as one transaction. Pure.
 */
import type { EndpointView, PortView, Protocol, ServiceView } from './service-view.ts';

/** Where services have their addresses, as the cloud hands them out. */
export const SERVICE_NETWORK = '10.96.0.0/12';

/** Where agents have addresses of their own. What the host sends to a Service comes from one of them, whichever agent's it is. */
const AGENT_NETWORK = '169.254.96.0/19';

/** Clients of a sticky Service fall into so many buckets, and each bucket belongs to one endpoint. */
const BUCKETS = 128;

export interface Target {
  readonly ip: string;
  readonly port: number;
}

/** One port of one Service: whoever is led here goes on to one of the targets. */
export interface Exit {
  readonly name: string;
  readonly protocol: Protocol;
  readonly isSticky: boolean;
  /** Never empty. */
  readonly targets: readonly Target[];
}

/** An address, a protocol and a port: `10.96.0.1 . tcp . 443`. Without an address where any of the host's will do. */
export type Entrance = string;

export interface Rules {
  readonly exits: ReadonlyMap<string, Exit>;
  /** To the name of an exit. */
  readonly clusterIps: ReadonlyMap<Entrance, string>;
  /** Those count only where they are addresses of this host. */
  readonly externalIps: ReadonlyMap<Entrance, string>;
  readonly nodePorts: ReadonlyMap<Entrance, string>;
  /** What is sent to one of these and is led nowhere is refused, so that nobody waits in vain. */
  readonly serviceIps: readonly string[];
}

/** Where names are answered: at port 53 as everywhere, or at another one that 53 leads to. */
export interface NamesPlace {
  readonly ip: string;
  readonly port: number;
}

export const NAMES_PORT = 53;

export function planRules(services: readonly ServiceView[], names?: NamesPlace): Rules {
  const rules = {
    exits: new Map<string, Exit>(),
    clusterIps: new Map<Entrance, string>(),
    externalIps: new Map<Entrance, string>(),
    nodePorts: new Map<Entrance, string>(),
    serviceIps: new Set<string>(),
  };
  for (const service of services) {
    if (service.clusterIp === undefined) continue;
    rules.serviceIps.add(service.clusterIp);
    for (const port of service.ports) {
      const exit = exitOf(service, port);
      if (exit === undefined) continue;
      rules.exits.set(exit.name, exit);
      rules.clusterIps.set(entrance(service.clusterIp, port), exit.name);
      if (service.hostIp !== undefined) rules.clusterIps.set(entrance(service.hostIp, port), exit.name);
      for (const ip of service.externalIps) rules.externalIps.set(entrance(ip, port), exit.name);
      if (port.nodePort !== undefined) rules.nodePorts.set(`${port.protocol} . ${port.nodePort}`, exit.name);
    }
  }
  for (const exit of names === undefined || names.port === NAMES_PORT ? [] : exitsOf(names)) {
    rules.exits.set(exit.name, exit);
    rules.clusterIps.set(`${names?.ip} . ${exit.protocol} . ${NAMES_PORT}`, exit.name);
  }
  return { ...rules, serviceIps: [...rules.serviceIps].sort() };
}

function exitsOf(names: NamesPlace): readonly Exit[] {
  return (['udp', 'tcp'] as const).map((protocol) => ({
    name: `names/${protocol}`,
    protocol,
    isSticky: false,
    targets: [names],
  }));
}

function entrance(ip: string, { protocol, port }: PortView): Entrance {
  return `${ip} . ${protocol} . ${port}`;
}

/** Names come through the API's validation; what is none of its names never reaches nft. */
const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

function exitOf(service: ServiceView, port: PortView): Exit | undefined {
  const { namespace, name, isSticky, endpoints } = service;
  if (![namespace, name].every((text) => NAME.test(text))) return undefined;
  const targets = uniqueTargets(endpoints, port.name);
  if (targets.length === 0) return undefined;
  return { name: `svc/${namespace}/${name}/${port.protocol}/${port.port}`, protocol: port.protocol, isSticky, targets };
}

function uniqueTargets(endpoints: readonly EndpointView[], port: string): Target[] {
  const found = new Map<string, Target>();
  for (const { ip, ports } of endpoints) {
    const number = ports[port];
    if (number !== undefined && isPort(number) && !ip.includes(':')) found.set(`${ip}:${number}`, { ip, port: number });
  }
  return [...found].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, target]) => target);
}

function isPort(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number < 65_536;
}

/** Whose table it is, and what it knows besides Services. */
export interface RulesetFrame {
  readonly table: string;
  /** The node's own address for pods: names and the API are answered there. */
  readonly address: string;
  /** Of pods on networks of their own. */
  readonly podIps: readonly string[];
  /** Whether packets between two pods on one bridge come past these rules; if not, their answers must be made to. */
  readonly seesBridged: boolean;
}

/** A whole new table in place of the old one, at once: no packet ever meets half of it. */
export function formatRuleset(frame: RulesetFrame, rules: Rules): string {
  const { table } = frame;
  const elements = elementsIn({ frame, rules });
  return [
    `add table ip ${table}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    ...[...rules.exits.values()].map(formatExit),
    ...SETS.map((set) => formatSet(set, elements[set])),
    chains(frame),
    '}',
    '',
  ].join('\n');
}

export interface Ruleset {
  readonly frame: RulesetFrame;
  readonly rules: Rules;
}

/** What makes `before` into `after`, in one transaction; empty when nothing differs. Only who made `before` may ask for it. */
export function formatChange(before: Ruleset, after: Ruleset): string {
  const { table, address, seesBridged } = after.frame;
  if (before.frame.address !== address || before.frame.seesBridged !== seesBridged) {
    return formatRuleset(after.frame, after.rules);
  }
  const [old, fresh] = [elementsIn(before), elementsIn(after)];
  const gone = SETS.flatMap((set) => elementLine('delete', table, set, missing(old[set], fresh[set])));
  const come = SETS.flatMap((set) => elementLine('add', table, set, missing(fresh[set], old[set])));
  const exits = [...after.rules.exits.values()].map((exit) => ({ exit, was: before.rules.exits.get(exit.name) }));
  const changed = exits.filter(({ exit, was }) => was === undefined || ruleOf(was) !== ruleOf(exit));
  const dropped = [...before.rules.exits.keys()].filter((name) => !after.rules.exits.has(name));
  const lines = [
    ...changed.flatMap(({ exit, was }) => [
      `${was === undefined ? 'add' : 'flush'} chain ip ${table} ${exit.name}`,
      `add rule ip ${table} ${exit.name} ${ruleOf(exit)}`,
    ]),
    ...gone,
    ...come,
    ...dropped.map((name) => `delete chain ip ${table} ${name}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

const SETS = ['pods', 'looped', 'service-ips', 'cluster-ips', 'external-ips', 'node-ports'] as const;

type Elements = Readonly<Record<(typeof SETS)[number], readonly string[]>>;

function elementsIn({ frame: { podIps }, rules }: Ruleset): Elements {
  return {
    pods: podIps,
    looped: podIps.map((ip) => `${ip} . ${ip}`),
    'service-ips': rules.serviceIps,
    'cluster-ips': verdicts(rules.clusterIps),
    'external-ips': verdicts(rules.externalIps),
    'node-ports': verdicts(rules.nodePorts),
  };
}

function missing(from: readonly string[], other: readonly string[]): readonly string[] {
  const known = new Set(other);
  return from.filter((element) => !known.has(element));
}

function elementLine(verb: 'add' | 'delete', table: string, set: string, elements: readonly string[]): string[] {
  return elements.length === 0 ? [] : [`${verb} element ip ${table} ${set} { ${elements.join(', ')} }`];
}

function verdicts(entries: ReadonlyMap<Entrance, string>): string[] {
  return [...entries].map(([at, exit]) => `${at} : goto ${exit}`);
}

/** Lets pods in at once, whatever the table holds otherwise. */
export function formatAdmission(table: string, ips: readonly string[]): string {
  const looped = ips.map((ip) => `${ip} . ${ip}`);
  return `add element ip ${table} pods { ${ips.join(', ')} }\nadd element ip ${table} looped { ${looped.join(', ')} }\n`;
}

export function formatRemoval(table: string): string {
  return `add table ip ${table}\ndelete table ip ${table}\n`;
}

/** A nat chain sees the first packet of a connection only; the others follow it. */
function chains({ address, seesBridged }: RulesetFrame): string {
  const backThroughUs = seesBridged ? 'ip saddr . ip daddr @looped' : 'ip saddr @pods ip daddr @pods';
  return `
  chain to-host {
    ip daddr . meta l4proto . th dport vmap @external-ips
    meta l4proto . th dport vmap @node-ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat - 5; policy accept;
    ip saddr @pods ip daddr . meta l4proto . th dport vmap @cluster-ips
    ip daddr != { 127.0.0.0/8, ${address} } fib daddr type local jump to-host
  }
  chain output {
    type nat hook output priority -105; policy accept;
    ip daddr . meta l4proto . th dport vmap @cluster-ips
    ip daddr != { 127.0.0.0/8, ${address} } fib daddr type local jump to-host
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 5; policy accept;
    ct status dnat ip saddr ${AGENT_NETWORK} oifname != "lo" masquerade
    ct status dnat ${backThroughUs} masquerade
  }
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }
  chain input {
    type filter hook input priority filter - 5; policy accept;
    ip daddr ${address} iifname != "lo" ct direction original ip saddr != @pods drop
  }
  chain forward {
    type filter hook forward priority filter - 5; policy accept;
    ip saddr @pods ip daddr @service-ips jump refuse
  }
  chain outgoing {
    type filter hook output priority filter - 5; policy accept;
    ip daddr @service-ips jump refuse
  }`;
}

function formatExit(exit: Exit): string {
  return `  chain ${exit.name} {\n    ${ruleOf(exit)}\n  }`;
}

function ruleOf({ protocol, targets, isSticky }: Exit): string {
  return `meta l4proto ${protocol} dnat ip to ${choiceOf(targets, isSticky)}`;
}

function choiceOf(targets: readonly Target[], isSticky: boolean): string {
  const [only, ...more] = targets.map(({ ip, port }) => `${ip} . ${port}`);
  if (more.length === 0) return (only ?? '').replace(' . ', ':');
  const choices = isSticky ? bucketsOf(targets) : targets;
  const list = choices.map(({ ip, port }, index) => `${index} : ${ip} . ${port}`).join(', ');
  const number = isSticky ? `jhash ip saddr mod ${BUCKETS} seed 0x5e` : `numgen random mod ${choices.length}`;
  return `${number} map { ${list} }`;
}

/**
 * The target that weighs most for a bucket has it (rendezvous hashing): nothing is remembered, so it outlives restarts and
 * swaps, and a target that comes or goes moves only the clients that were, or will be, its own.
 */
export function bucketsOf(targets: readonly Target[]): readonly Target[] {
  const seeded = targets.map((target) => ({ target, seed: seedOf(target) }));
  return Array.from({ length: BUCKETS }, (_, bucket) => {
    const weighed = seeded.map(({ target, seed }) => ({ target, weight: mixed(seed + bucket * GOLDEN) }));
    return weighed.reduce((best, one) => (one.weight > best.weight ? one : best)).target;
  });
}

function seedOf({ ip, port }: Target): number {
  return [...ip.split('.').map(Number), port].reduce((seed, part) => mixed(Math.imul(seed, 31) + part), 0);
}

const GOLDEN = 0x9e3779b9;

/** The last step of MurmurHash3: every bit of the number decides on every bit of the result. */
function mixed(number: number): number {
  let hash = number >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const TYPES: Readonly<Record<(typeof SETS)[number], string>> = {
  pods: 'ipv4_addr',
  looped: 'ipv4_addr . ipv4_addr',
  'service-ips': 'ipv4_addr',
  'cluster-ips': 'ipv4_addr . inet_proto . inet_service : verdict',
  'external-ips': 'ipv4_addr . inet_proto . inet_service : verdict',
  'node-ports': 'inet_proto . inet_service : verdict',
};

function formatSet(name: (typeof SETS)[number], elements: readonly string[]): string {
  const type = TYPES[name];
  const list = elements.length === 0 ? '' : `    elements = { ${elements.join(', ')} }\n`;
  return `  ${type.endsWith('verdict') ? 'map' : 'set'} ${name} {\n    type ${type}\n${list}  }`;
}
