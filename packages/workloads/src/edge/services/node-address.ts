/**
 * An address of the host that is the same on every day and that only its own pods use: names and the API are answered there. It
 * lies in the range of link-local addresses, on an interface of this agent's own, which also gives the service network a way.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type RunTool, runTool } from './host-tools.ts';
import { SERVICE_NETWORK } from './ruleset.ts';

/** The packet rules know this network, 169.254.96.0/19, too. It is away from what clouds and others use. */
const FIRST_OCTETS = '169.254';
const FIRST_THIRD = 96;
const THIRDS = 32;
const LAST_OCTETS = 254;
/** Whoever else has a way to these addresses goes first. */
const ROUTE_METRIC = 42_000;
const METRICS = 1000;
const TRIES = 16;

export interface AgentPlace {
  readonly table: string;
  readonly interface: string;
  readonly address: string;
  readonly metric: number;
}

/**
 * `home`, the agent's directory, tells several agents of one host apart, also those of nodes of the same name. `known` are the
 * addresses of the host by interface: what the agent before has left is kept, since its pods go by it.
 */
export function placeOf(node: string, home: string, known: ReadonlyMap<string, readonly string[]>): AgentPlace {
  const hash = createHash('sha256').update(home).digest();
  const id = hash.toString('hex', 0, 4);
  const name = `sk${id}`;
  const number = hash.readUInt32BE(4);
  const taken = new Set([...known.values()].flat());
  const candidates = Array.from({ length: TRIES }, (_, step) => addressAt(number + step));
  const [own] = known.get(name) ?? [];
  return {
    table: `skerry-${node.slice(0, 40)}-${id}`,
    interface: name,
    address: own ?? candidates.find((address) => !taken.has(address)) ?? addressAt(number),
    metric: ROUTE_METRIC + (number % METRICS),
  };
}

function addressAt(number: number): string {
  const index = number % (THIRDS * LAST_OCTETS);
  return `${FIRST_OCTETS}.${FIRST_THIRD + Math.floor(index / LAST_OCTETS)}.${1 + (index % LAST_OCTETS)}`;
}

/** Node itself leaves out interfaces that nothing is plugged into. */
export async function hostAddressesByInterface(): Promise<ReadonlyMap<string, readonly string[]>> {
  const lines = (await runTool('ip', ['-oneline', '-4', 'address', 'show'])).split('\n');
  const found = new Map<string, string[]>();
  for (const line of lines) {
    const [, name, , address = ''] = line.trim().split(/\s+/);
    if (name === undefined) continue;
    found.set(name, [...(found.get(name) ?? []), address.split('/')[0] ?? '']);
  }
  return found;
}

/** Safe to do again. A bridge without ports needs nothing that a network of containers does not need anyway. */
export async function setUpAddress(
  { interface: name, address, metric }: AgentPlace,
  run: RunTool = runTool,
): Promise<void> {
  const commands = [
    ...((await isThere(name, run)) ? [] : [`link add ${name} type bridge`]),
    `address replace ${address}/32 dev ${name}`,
    `link set ${name} up`,
    `route replace ${SERVICE_NETWORK} dev ${name} src ${address} metric ${metric}`,
  ];
  await run('ip', ['-batch', '-'], `${commands.join('\n')}\n`);
}

export async function removeAddress({ interface: name }: AgentPlace, run: RunTool = runTool): Promise<void> {
  if (await isThere(name, run)) await run('ip', ['link', 'delete', name]);
}

async function isThere(name: string, run: RunTool): Promise<boolean> {
  const links = await run('ip', ['-brief', 'link', 'show']);
  return links.split('\n').some((line) => line.split(/[\s@]/)[0] === name);
}

const BRIDGED = '/proc/sys/net/bridge/bridge-nf-call-iptables';

/** Whether packets from one port of a bridge to another are shown to nftables. */
export function seesBridged(file: string = BRIDGED): boolean {
  try {
    return readFileSync(file, 'utf8').trim() === '1';
  } catch {
    return false;
  }
}
