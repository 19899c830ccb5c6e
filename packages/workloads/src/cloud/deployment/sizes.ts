/** How many pods each ReplicaSet of a Deployment should have next. Pure. */
import type { Deployment, ReplicaSet } from '@skerry/api/types';
import { createdAt } from '../timestamps.ts';
import { availableReplicas, isRollingUpdate, maxSurge, maxUnavailable, replicasOf, totalReplicas } from './bounds.ts';
import { byAge, desiredReplicasOf, maxReplicasOf } from './revisions.ts';

export interface Members {
  readonly deployment: Deployment;
  /** The ReplicaSet of today's template, if it exists. */
  readonly current: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
}

export interface Resize {
  readonly replicaSet: ReplicaSet;
  readonly to: number;
}

export function all({ current, old }: Members): readonly ReplicaSet[] {
  return current === undefined ? old : [...old, current];
}

export function withPods(replicaSets: readonly ReplicaSet[]): readonly ReplicaSet[] {
  return replicaSets.filter((replicaSet) => replicasOf(replicaSet) > 0);
}

/** The number of pods that today's ReplicaSet may have now, in view of the others. */
export function nextSizeOfCurrent(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): number {
  const wanted = replicasOf(deployment);
  if (!isRollingUpdate(deployment)) return wanted;
  const room = wanted + maxSurge(deployment) - totalReplicas([...old, current]);
  const size = replicasOf(current);
  return room <= 0 ? size : size + Math.min(room, wanted - size);
}

/** One step of a rolling update: the new one up, or, when it cannot, old ones down. */
export function rollingStep(members: Members): Resize[] {
  const { deployment, current, old } = members;
  if (current === undefined) return [];
  const wanted = replicasOf(deployment);
  const size = replicasOf(current);
  const next = size > wanted ? wanted : nextSizeOfCurrent(deployment, current, old);
  if (next !== size) return [{ replicaSet: current, to: next }];
  return shrinkOld(members, current);
}

function shrinkOld({ deployment, old }: Members, current: ReplicaSet): Resize[] {
  const everything = [...old, current];
  if (totalReplicas(old) === 0) return [];
  const minAvailable = replicasOf(deployment) - maxUnavailable(deployment);
  const unavailableNew = replicasOf(current) - availableReplicas([current]);
  const removable = totalReplicas(everything) - minAvailable - unavailableNew;
  if (removable <= 0) return [];
  const sizes = new Map(byAge(old).map((replicaSet) => [replicaSet, replicasOf(replicaSet)]));
  dropUnavailable(sizes, removable);
  dropAvailable(sizes, availableReplicas(everything) - minAvailable);
  return [...sizes].filter(([one, to]) => to !== replicasOf(one)).map(([replicaSet, to]) => ({ replicaSet, to }));
}

/** Pods that serve nobody go first: losing them costs nothing. */
function dropUnavailable(sizes: Map<ReplicaSet, number>, limit: number): void {
  let left = limit;
  for (const [replicaSet, size] of sizes) {
    const dropped = Math.min(left, size - availableReplicas([replicaSet]));
    if (dropped <= 0) continue;
    sizes.set(replicaSet, size - dropped);
    left -= dropped;
  }
}

function dropAvailable(sizes: Map<ReplicaSet, number>, limit: number): void {
  let left = limit;
  for (const [replicaSet, size] of sizes) {
    const dropped = Math.min(left, size);
    if (dropped <= 0) continue;
    sizes.set(replicaSet, size - dropped);
    left -= dropped;
  }
}

/** True when the Deployment was scaled since its ReplicaSets were sized. */
export function isScaling(members: Members): boolean {
  const wanted = replicasOf(members.deployment);
  return withPods(all(members)).some((replicaSet) => {
    const sizedFor = desiredReplicasOf(replicaSet);
    return sizedFor !== undefined && sizedFor !== wanted;
  });
}

/** Sizes after scaling: the one that counts takes it all, or in the middle of a rollout all share in proportion. */
export function scaledSizes(members: Members): Resize[] {
  const { deployment, current, old } = members;
  const wanted = replicasOf(deployment);
  const only = onlyOrLatest(members);
  if (only !== undefined) return replicasOf(only) === wanted ? [] : [{ replicaSet: only, to: wanted }];
  if (current !== undefined && isSaturated(deployment, current)) {
    return withPods(old).map((replicaSet) => ({ replicaSet, to: 0 }));
  }
  return isRollingUpdate(deployment) ? proportionalSizes(members) : [];
}

function onlyOrLatest(members: Members): ReplicaSet | undefined {
  const active = withPods(all(members));
  if (active.length > 1) return undefined;
  return active[0] ?? members.current ?? byAge(members.old).at(-1);
}

function isSaturated(deployment: Deployment, replicaSet: ReplicaSet): boolean {
  const wanted = replicasOf(deployment);
  return (
    desiredReplicasOf(replicaSet) === wanted &&
    replicasOf(replicaSet) === wanted &&
    replicaSet.status?.availableReplicas === wanted
  );
}

/** Every active ReplicaSet is in the result, since each is to remember for which size it was made. */
function proportionalSizes(members: Members): Resize[] {
  const { deployment } = members;
  const active = withPods(all(members));
  const wanted = replicasOf(deployment);
  const allowed = wanted > 0 ? wanted + maxSurge(deployment) : 0;
  const toAdd = allowed - totalReplicas(active);
  const ordered = [...active].sort(toAdd > 0 ? largestThenNewest : largestThenOldest);
  let added = 0;
  const sizes = ordered.map((replicaSet) => {
    const share = toAdd === 0 ? 0 : shareOf(replicaSet, deployment, toAdd, added);
    added += share;
    return { replicaSet, to: replicasOf(replicaSet) + share };
  });
  // What rounding left over goes to the largest.
  return sizes.map(({ replicaSet, to }, index) => ({
    replicaSet,
    to: index === 0 ? Math.max(0, to + toAdd - added) : to,
  }));
}

function shareOf(replicaSet: ReplicaSet, deployment: Deployment, toAdd: number, added: number): number {
  const size = replicasOf(replicaSet);
  if (size === 0 || toAdd === added) return 0;
  const rest = toAdd - added;
  const fraction = fractionOf(replicaSet, deployment);
  return toAdd > 0 ? Math.min(fraction, rest) : Math.max(fraction, rest);
}

/** By how much the ReplicaSet grows when it keeps its part of the whole. */
function fractionOf(replicaSet: ReplicaSet, deployment: Deployment): number {
  const size = replicasOf(replicaSet);
  const wanted = replicasOf(deployment);
  if (wanted === 0) return -size;
  const before = maxReplicasOf(replicaSet) ?? deployment.status?.replicas ?? 0;
  if (before === 0) return 0;
  return Math.round((size * (wanted + maxSurge(deployment))) / before) - size;
}

function largestThenNewest(left: ReplicaSet, right: ReplicaSet): number {
  return replicasOf(right) - replicasOf(left) || createdAt(right) - createdAt(left);
}

function largestThenOldest(left: ReplicaSet, right: ReplicaSet): number {
  return replicasOf(right) - replicasOf(left) || createdAt(left) - createdAt(right);
}
