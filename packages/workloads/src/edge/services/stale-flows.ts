/**
 * Which remembered UDP flows lead astray after a change of rules. A connection of TCP ends by itself; a flow of UDP goes on where
 * its first packet went, also to nowhere, for as long as packets come. Pure.
 */
import type { Entrance, Rules, Target } from './ruleset.ts';

export interface StaleFlow {
  /** Absent for node ports: any address of the host. */
  readonly ip?: string;
  readonly port: number;
  /** Flows to this target only; absent: all, since there was none. */
  readonly target?: string;
}

export function staleFlows(before: Rules, after: Rules): readonly StaleFlow[] {
  return (['clusterIps', 'externalIps', 'nodePorts'] as const).flatMap((table) => {
    const entrances = new Set([...before[table].keys(), ...after[table].keys()]);
    return [...entrances].flatMap((entrance) => {
      const was = targetsOf(before, before[table].get(entrance));
      const is = targetsOf(after, after[table].get(entrance));
      return isUdp(entrance) ? flowsOf(entrance, was, is) : [];
    });
  });
}

function isUdp(entrance: Entrance): boolean {
  return entrance.split(' . ').at(-2) === 'udp';
}

function targetsOf({ exits }: Rules, exit: string | undefined): readonly Target[] {
  return exits.get(exit ?? '')?.targets ?? [];
}

function flowsOf(entrance: Entrance, was: readonly Target[], is: readonly Target[]): StaleFlow[] {
  const parts = entrance.split(' . ');
  const [ip] = parts.length === 3 ? parts : [];
  const at = { port: Number(parts.at(-1)), ...(ip === undefined ? {} : { ip }) };
  if (was.length === 0) return is.length === 0 ? [] : [at];
  const kept = new Set(is.map((target) => target.ip));
  return [...new Set(was.map((target) => target.ip))]
    .filter((target) => !kept.has(target))
    .map((target) => ({ ...at, target }));
}

const FAMILY = ['-f', 'ipv4', '-p', 'udp'];

/** For the program `conntrack`. */
export function deletionOf({ ip, port, target }: StaleFlow): string[] {
  return [
    '-D',
    ...FAMILY,
    '--orig-port-dst',
    String(port),
    ...(ip === undefined ? [] : ['--orig-dst', ip]),
    ...(target === undefined ? [] : ['--reply-src', target]),
  ];
}
