/** What a ReplicaSet lacks or has too much of, and what its status should say. Pure. */
import type { Pod, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '@skerry/api/types';
import { withCondition, withoutCondition } from '../conditions.ts';
import { isActive, isReady, untilAvailable } from '../pod-facts.ts';
import { formatTime } from '../timestamps.ts';
import { type Neighbours, rankForDeletion } from './rank.ts';

/** At most this many pods are made or deleted in one go. */
export const MAX_BURST = 500;

export interface ReplicaSetDiff {
  readonly create: number;
  readonly remove: readonly Pod[];
}

/**
 * Pods that ended or are on their way out are not counted; every other one is, wherever it runs: also one on a node that
 * is not heard of, since that node may well go on alone. Whether such a pod is given up is decided by node lifecycle.
 */
export function diffReplicaSet(
  replicaSet: ReplicaSet,
  pods: readonly Pod[],
  neighbours?: Neighbours,
  isHeld?: (pod: Pod) => boolean,
): ReplicaSetDiff {
  const active = pods.filter(isActive);
  const missing = (replicaSet.spec?.replicas ?? 1) - active.length;
  if (missing >= 0) return { create: Math.min(missing, MAX_BURST), remove: [] };
  const excess = Math.min(-missing, MAX_BURST);
  return { create: 0, remove: rankForDeletion(active, neighbours, isHeld).slice(0, excess) };
}

/** Why pods could not be made or deleted, for the ReplicaFailure condition. */
export interface ReplicaFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly message: string;
}

export interface StatusInput {
  readonly replicaSet: ReplicaSet;
  readonly pods: readonly Pod[];
  readonly now: number;
  /** Whether the pod's node is heard of: a pod on a lost node may run, but nobody can count on it. */
  readonly isReachable: (pod: Pod) => boolean;
  readonly failure: ReplicaFailure | undefined;
}

export interface StatusResult {
  readonly status: ReplicaSetStatus;
  /** When the next ready pod becomes available by mere passing of time. */
  readonly recheckAfterMs: number | undefined;
}

export function replicaSetStatus(input: StatusInput): StatusResult {
  const { replicaSet, pods, now, isReachable } = input;
  const { minReadySeconds = 0, template } = replicaSet.spec ?? {};
  const active = pods.filter(isActive);
  const ready = active.filter((pod) => isReady(pod) && isReachable(pod));
  const waits = ready.map((pod) => untilAvailable(pod, minReadySeconds, now) ?? Number.POSITIVE_INFINITY);
  const pending = waits.filter((wait) => wait > 0 && Number.isFinite(wait));
  const labels = Object.entries(template?.metadata?.labels ?? {});
  const conditions = conditionsOf(input);
  return {
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter(({ metadata }) =>
        labels.every(([key, value]) => metadata.labels?.[key] === value),
      ).length,
      readyReplicas: ready.length,
      availableReplicas: waits.filter((wait) => wait <= 0).length,
      observedGeneration: replicaSet.metadata.generation ?? 0,
      ...(conditions.length === 0 ? {} : { conditions }),
    },
    recheckAfterMs: pending.length === 0 ? undefined : Math.min(...pending),
  };
}

function conditionsOf({ replicaSet, failure, now }: StatusInput): ReplicaSetCondition[] {
  const current = replicaSet.status?.conditions;
  if (failure === undefined) return withoutCondition(current, 'ReplicaFailure');
  const { reason, message } = failure;
  return withCondition<ReplicaSetCondition>(current, {
    type: 'ReplicaFailure',
    status: 'True',
    reason,
    message,
    lastTransitionTime: formatTime(now),
  });
}
