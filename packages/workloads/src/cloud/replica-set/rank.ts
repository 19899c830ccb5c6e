/** Which pod is missed least when a ReplicaSet has too many. */
import type { Pod } from '@skerry/api/types';
import { isReady, readySince } from '../pod-facts.ts';
import { createdAt } from '../timestamps.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/** Pods of the same ReplicaSet, or of its Deployment, that share the pod's node. */
export type Neighbours = (pod: Pod) => number;

/** The pods in the order in which they should go; each rule decides only where those before it do not. */
export function rankForDeletion(
  pods: readonly Pod[],
  neighbours: Neighbours = () => 0,
  isHeld: (pod: Pod) => boolean = () => false,
): Pod[] {
  const rules: readonly ((pod: Pod) => number)[] = [
    (pod) => (isHeld(pod) ? 1 : 0),
    ({ spec }) => (spec?.nodeName === undefined || spec.nodeName === '' ? 0 : 1),
    ({ status }) => PHASE_RANK[status?.phase ?? ''] ?? 0,
    (pod) => (isReady(pod) ? 1 : 0),
    deletionCost,
    (pod) => -neighbours(pod),
    (pod) => -(readySince(pod) ?? 0),
    (pod) => -restarts(pod),
    (pod) => -createdAt(pod),
  ];
  const ranked = pods.map((pod) => ({ pod, rank: rules.map((rule) => rule(pod)) }));
  return ranked.sort((left, right) => compareRanks(left.rank, right.rank)).map(({ pod }) => pod);
}

const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

function compareRanks(left: readonly number[], right: readonly number[]): number {
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function deletionCost({ metadata }: Pod): number {
  const cost = Number(metadata.annotations?.[DELETION_COST] ?? 0);
  return Number.isInteger(cost) ? cost : 0;
}

function restarts({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}
