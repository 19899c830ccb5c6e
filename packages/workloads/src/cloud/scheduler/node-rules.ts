/** Rules between a pod and one node: selectors, node affinity, taints, ports and resources. */
import type { Pod, Taint, Toleration } from '@skerry/api/types';
import { mayBeOn } from '../../fit/node-affinity.ts';
import { type Amounts, hostPortsOf, portsMeet } from '../../fit/requests.ts';
import type { NodeView } from './cluster.ts';

/** Why a node is out of the question, in Kubernetes' words; undefined when it is not. */
export type Verdict = string | undefined;

const UNSCHEDULABLE_TAINT: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

export function checkUnschedulable(pod: Pod, { node }: NodeView): Verdict {
  if (node.spec?.unschedulable !== true || toleratesTaint(pod, UNSCHEDULABLE_TAINT)) return undefined;
  return 'node(s) were unschedulable';
}

export function checkTaints(pod: Pod, { node }: NodeView): Verdict {
  const taint = node.spec?.taints?.find((each) => each.effect !== 'PreferNoSchedule' && !toleratesTaint(pod, each));
  return taint === undefined ? undefined : `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
}

export function toleratesTaint(pod: Pod, taint: Taint): boolean {
  return (pod.spec?.tolerations ?? []).some((toleration) => tolerates(toleration, taint));
}

/** core/v1 Toleration: an empty key with Exists tolerates everything, an empty effect every effect. */
export function tolerates({ key = '', operator = 'Equal', value = '', effect }: Toleration, taint: Taint): boolean {
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return key !== '' && operator === 'Equal' && value === (taint.value ?? '');
}

export function checkNodeAffinity(pod: Pod, { node }: NodeView): Verdict {
  return mayBeOn(pod, node) ? undefined : "node(s) didn't match Pod's node affinity/selector";
}

export function checkPorts(pod: Pod, view: NodeView): Verdict {
  const taken = hostPortsOf(pod, view.node).some((port) => view.ports.some((other) => portsMeet(port, other)));
  return taken ? "node(s) didn't have free ports for the requested pod ports" : undefined;
}

/** Every reason at once: a person should see all that is short. */
export function checkResources(requests: Amounts, view: NodeView): readonly string[] {
  const short = [...requests]
    .filter(([name, amount]) => amount > 0 && amount > free(view, name))
    .map(([name]) => `Insufficient ${name}`);
  const room = view.allocatable.get('pods');
  return room !== undefined && (view.pods.size + 1) * 1000 > room ? ['Too many pods', ...short] : short;
}

function free({ allocatable, requested }: NodeView, resource: string): number {
  return (allocatable.get(resource) ?? 0) - (requested.get(resource) ?? 0);
}
