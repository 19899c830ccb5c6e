/** Whether this node takes a pod that is bound to it: whoever bound it may know less of the node, and a pod may name its node itself. Pure. */
import { SAFE_SYSCTLS } from '@skerry/api/pod-security';
import type { Node, Pod } from '@skerry/api/types';
import { mayBeOn } from '../../fit/node-affinity.ts';
import { type Amounts, amountsOf, hostPortsOf, portsMeet, requestsOf } from '../../fit/requests.ts';

/** Why a pod fails before anything of it has started, in a kubelet's words. */
export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

export interface AdmittingNode {
  /** Absent while the API does not show it: its labels decide nothing then. */
  readonly node: Node | undefined;
  readonly allocatable: Readonly<Record<string, string>>;
  /** Whoever holds resources here. */
  readonly others: readonly Pod[];
}

export function rejectionOf(pod: Pod, place: AdmittingNode): Rejection | undefined {
  return ofSystem(pod) ?? ofSysctls(pod) ?? ofAffinity(pod, place) ?? ofPorts(pod, place) ?? ofResources(pod, place);
}

/** `kernel/shm_rmid_forced` is another way to write `kernel.shm_rmid_forced`; the first separator says which way it is. */
export function sysctlName(name: string): string {
  if (!/^[^./]*\//.test(name)) return name;
  return name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}

function ofSystem({ spec }: Pod): Rejection | undefined {
  const system = spec?.os?.name ?? 'linux';
  if (system === 'linux') return undefined;
  return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
}

function ofSysctls({ spec }: Pod): Rejection | undefined {
  for (const { name } of spec?.securityContext?.sysctls ?? []) {
    const plain = sysctlName(name);
    if (!SAFE_SYSCTLS.has(plain)) return forbidden(`forbidden sysctl: ${JSON.stringify(plain)} not allowlisted`);
    if (plain.startsWith('net.') && spec?.hostNetwork) return forbidden(shared(plain, 'host net'));
    if (plain.startsWith('kernel.shm') && spec?.hostIPC) return forbidden(shared(plain, 'host ipc'));
  }
  return undefined;
}

function shared(name: string, what: string): string {
  return `forbidden sysctl: ${JSON.stringify(name)} not allowed with ${what} enabled`;
}

function forbidden(message: string): Rejection {
  return { reason: 'SysctlForbidden', message };
}

function ofAffinity(pod: Pod, { node }: AdmittingNode): Rejection | undefined {
  if (node === undefined || mayBeOn(pod, node)) return undefined;
  const message = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
  return { reason: 'NodeAffinity', message };
}

function ofPorts(pod: Pod, { node, others }: AdmittingNode): Rejection | undefined {
  if (node === undefined) return undefined;
  const taken = others.flatMap((other) => hostPortsOf(other, node));
  if (!hostPortsOf(pod, node).some((port) => taken.some((other) => portsMeet(port, other)))) return undefined;
  const message = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
  return { reason: 'NodePorts', message };
}

function ofResources(pod: Pod, { allocatable, others }: AdmittingNode): Rejection | undefined {
  const capacity = amountsOf(allocatable);
  const used = sum(others.map(requestsOf));
  for (const [name, requested] of [['pods', 1000] as const, ...requestsOf(pod)]) {
    const taken = name === 'pods' ? others.length * 1000 : (used.get(name) ?? 0);
    const whole = capacity.get(name) ?? (name === 'pods' ? Number.POSITIVE_INFINITY : 0);
    if (requested <= 0 || requested <= whole - taken) continue;
    const [wanted, had, all] = [requested, taken, whole].map((amount) => inUnits(name, amount));
    return {
      reason: `OutOf${name}`,
      message: `Node didn't have enough resource: ${name}, requested: ${wanted}, used: ${had}, capacity: ${all}`,
    };
  }
  return undefined;
}

function sum(all: readonly Amounts[]): Amounts {
  const total = new Map<string, number>();
  for (const [name, amount] of all.flatMap((amounts) => [...amounts])) total.set(name, (total.get(name) ?? 0) + amount);
  return total;
}

/** CPU is told in thousandths, everything else in whole units. */
function inUnits(name: string, amount: number): number {
  return name === 'cpu' ? amount : Math.ceil(amount / 1000);
}
