/** Pods on nodes that are cut off and go on alone: a rollout leaves them as they are, waits for them, and says so. */
import type { Node, Pod } from '@skerry/api/types';
import type { Informer } from '@skerry/kube/controller';
import { findCondition, withoutCondition } from './conditions.ts';
import { isReachable } from './node-facts.ts';
import { autonomyOfPod } from './node-lifecycle/autonomy.ts';
import { formatTime } from './timestamps.ts';

/** The condition by which Deployments, DaemonSets and StatefulSets say that part of a rollout waits. */
export const WAITING_FOR_NODES = 'WaitingForNodes';

/** A message names so many nodes; the rest is a number. */
const MAX_NAMED = 10;

/** The node on which the pod is out of reach and may stay; undefined for every other pod. */
export type CutOffNode = (pod: Pod) => string | undefined;

export function cutOffNodes(nodes: Informer<Node>): CutOffNode {
  return (pod) => {
    const node = nodes.cache.get(pod.spec?.nodeName ?? '');
    if (node === undefined || isReachable(node) || autonomyOfPod(pod, node) === 0) return undefined;
    return node.metadata.name;
  };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** The conditions with the one that names the nodes of the pods waited for, one entry a pod; without it for none. */
export function withWaiting(conditions: readonly Condition[] | undefined, nodes: readonly string[], now: number) {
  const others = withoutCondition(conditions, WAITING_FOR_NODES);
  if (nodes.length === 0) return others;
  const message = waitingMessage(nodes);
  const known = findCondition(conditions, WAITING_FOR_NODES);
  if (known?.message === message) return [...(conditions ?? [])];
  const lastTransitionTime = known?.lastTransitionTime ?? formatTime(now);
  return [...others, { type: WAITING_FOR_NODES, status: 'True', reason: 'NodesCutOff', message, lastTransitionTime }];
}

/** What is news about the waiting; undefined when nothing is. */
export function waitingNews(
  before: readonly Condition[] | undefined,
  after: readonly Condition[] | undefined,
): string | undefined {
  const message = findCondition(after, WAITING_FOR_NODES)?.message;
  return message === findCondition(before, WAITING_FOR_NODES)?.message ? undefined : message;
}

function waitingMessage(nodes: readonly string[]): string {
  const counts = [...Map.groupBy(nodes, (node) => node)]
    .map(([node, pods]) => ({ node, pods: pods.length }))
    .sort((one, other) => (one.node < other.node ? -1 : 1));
  const named = counts.slice(0, MAX_NAMED).map(({ node, pods }) => (pods === 1 ? node : `${node} (${pods})`));
  const rest = counts.length - named.length;
  const list = [...named, ...(rest > 0 ? [`${rest} more`] : [])].join(', ');
  const subject =
    nodes.length === 1 ? '1 pod waits for its node, which is' : `${nodes.length} pods wait for their nodes, which are`;
  return `${subject} cut off: ${list}`;
}
