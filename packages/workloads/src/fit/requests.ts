/** What a pod asks of a node: amounts of resources and host ports. Amounts are in thousandths of the resource's unit. */

import { parseQuantity } from '@skerry/api/quantity';
import type { Node, Pod } from '@skerry/api/types';

export type Amounts = ReadonlyMap<string, number>;

const NANO_PER_MILLI = 1_000_000n;

/** A quantity in thousandths; 0 for what is none, since admission has already refused that. */
function milli(quantity: unknown): number {
  const parsed = parseQuantity(quantity);
  return parsed === undefined ? 0 : Number(parsed.nano / NANO_PER_MILLI);
}

type ResourceList = Readonly<Record<string, string>> | undefined;

/**
 * The requests that count for the scheduler (KEP-753): running containers and sidecars together, or the largest init container
 * with the sidecars started before it, whichever is more; plus the runtime's overhead.
 */
export function requestsOf(pod: Pod): Amounts {
  const spec = pod.spec;
  const sum = new Map<string, number>();
  for (const container of spec?.containers ?? []) add(sum, container.resources?.requests);
  const sidecars = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const container of spec?.initContainers ?? []) {
    if (container.restartPolicy === 'Always') add(sidecars, container.resources?.requests);
    const needed = new Map(sidecars);
    if (container.restartPolicy !== 'Always') add(needed, container.resources?.requests);
    raise(peak, needed);
  }
  for (const [name, amount] of sidecars) sum.set(name, (sum.get(name) ?? 0) + amount);
  raise(sum, peak);
  raise(sum, amountsOf(spec?.resources?.requests));
  add(sum, spec?.overhead);
  return sum;
}

export function amountsOf(list: ResourceList): Amounts {
  const amounts = new Map<string, number>();
  add(amounts, list);
  return amounts;
}

function add(amounts: Map<string, number>, list: ResourceList): void {
  for (const [name, quantity] of Object.entries(list ?? {}))
    amounts.set(name, (amounts.get(name) ?? 0) + milli(quantity));
}

function raise(amounts: Map<string, number>, floor: Amounts): void {
  for (const [name, amount] of floor) amounts.set(name, Math.max(amounts.get(name) ?? 0, amount));
}

export function allocatableOf(node: Node): Amounts {
  return amountsOf(node.status?.allocatable ?? node.status?.capacity);
}

/** True when the pod would run as processes of the host: it or its images ask for that, or the node has no other runtime. */
function runsAsProcess(pod: Pod, node: Node): boolean {
  const runtimeClass = pod.spec?.runtimeClassName;
  if (runtimeClass !== undefined) return runtimeClass === 'process';
  const labels = node.metadata.labels ?? {};
  if (pod.spec?.containers?.every(({ image }) => image === 'host')) return true;
  return labels['runtime.skerry.io/process'] === 'true' && labels['runtime.skerry.io/containerd'] !== 'true';
}

/** The host's ports a pod takes, `PROTOCOL/IP/PORT`. Processes of the host have no network of their own: their ports are the host's. */
export function hostPortsOf(pod: Pod, node: Node): readonly string[] {
  const ownsHostNetwork = pod.spec?.hostNetwork === true || runsAsProcess(pod, node);
  const containers = [...(pod.spec?.containers ?? []), ...sidecarsOf(pod)];
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, protocol = 'TCP', hostIP = '' }) => {
      const port = hostPort || (ownsHostNetwork ? containerPort : 0);
      return port === 0 ? [] : [`${protocol}/${hostIP === '' ? '0.0.0.0' : hostIP}/${port}`];
    }),
  );
}

function sidecarsOf(pod: Pod) {
  return (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
}

/** Two claims of one port meet when their addresses are the same or either is every address. */
export function portsMeet(left: string, right: string): boolean {
  const [leftProtocol, leftIp, leftPort] = left.split('/');
  const [rightProtocol, rightIp, rightPort] = right.split('/');
  if (leftProtocol !== rightProtocol || leftPort !== rightPort) return false;
  return leftIp === rightIp || leftIp === '0.0.0.0' || rightIp === '0.0.0.0';
}
