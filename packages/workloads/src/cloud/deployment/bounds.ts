/** How far a rollout may go above and below the wanted number of pods. */
import type { Deployment, ReplicaSet } from '@skerry/api/types';

export function replicasOf(object: Deployment | ReplicaSet): number {
  return object.spec?.replicas ?? 1;
}

export function totalReplicas(replicaSets: readonly ReplicaSet[]): number {
  return replicaSets.reduce((sum, replicaSet) => sum + replicasOf(replicaSet), 0);
}

export function availableReplicas(replicaSets: readonly ReplicaSet[]): number {
  return replicaSets.reduce((sum, { status }) => sum + (status?.availableReplicas ?? 0), 0);
}

export function isRollingUpdate({ spec }: Deployment): boolean {
  return spec?.strategy?.type !== 'Recreate';
}

/** Pods above the wanted number. */
export function maxSurge(deployment: Deployment): number {
  return isRollingUpdate(deployment) ? limitsOf(deployment).surge : 0;
}

/** Pods that may be missing. */
export function maxUnavailable(deployment: Deployment): number {
  const replicas = replicasOf(deployment);
  if (!isRollingUpdate(deployment) || replicas === 0) return 0;
  return Math.min(limitsOf(deployment).unavailable, replicas);
}

function limitsOf(deployment: Deployment): { surge: number; unavailable: number } {
  const { maxSurge: surgeText = '25%', maxUnavailable: unavailableText = '25%' } =
    deployment.spec?.strategy?.rollingUpdate ?? {};
  const replicas = replicasOf(deployment);
  const surge = countOf(surgeText, replicas, Math.ceil);
  const unavailable = countOf(unavailableText, replicas, Math.floor);
  // With neither room above nor below, a rollout could not move at all.
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

/** `3` or `25%` of `total`. */
export function countOf(value: number | string, total: number, round: (share: number) => number): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? 0 : round((Number(percent) * total) / 100);
}
