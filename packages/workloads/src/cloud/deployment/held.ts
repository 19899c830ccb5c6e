/** The share of cut-off nodes in a rollout: it is set aside, and the rest is rolled out as if it were all. Pure. */
import type { Deployment, Pod, ReplicaSet } from '@skerry/api/types';
import type { CutOffNode } from '../cut-off.ts';
import { hasEnded, isActive } from '../pod-facts.ts';
import { availableReplicas, replicasOf } from './bounds.ts';
import { all, type Members, type Resize } from './sizes.ts';

export interface Held {
  /** The node of each pod of the ReplicaSet that is out of reach. */
  nodesOf(replicaSet: ReplicaSet): readonly string[];
}

export interface HeldFacts {
  readonly podsOf: (replicaSet: ReplicaSet) => readonly Pod[];
  readonly cutOffNode: CutOffNode;
}

export function heldPods({ podsOf, cutOffNode }: HeldFacts, members: Members): Held {
  const nodes = new Map(
    all(members).map((replicaSet) => [
      replicaSet.metadata.name,
      podsOf(replicaSet)
        .filter(isActive)
        .flatMap((pod) => cutOffNode(pod) ?? []),
    ]),
  );
  return { nodesOf: ({ metadata }) => nodes.get(metadata.name) ?? [] };
}

/** The nodes of old pods that have not ended, also of those that were told to: with Recreate nothing new starts beside them. */
export function unendedOnes({ podsOf, cutOffNode }: HeldFacts, old: readonly ReplicaSet[]) {
  const unended = old.flatMap((replicaSet) => podsOf(replicaSet).filter((pod) => !hasEnded(pod)));
  return { unended, nodes: unended.flatMap((pod) => cutOffNode(pod) ?? []) };
}

/** The members without what is held. What runs of today's template is never too much because of it. */
export function reachableShare({ deployment, current, old }: Members, held: Held): Members {
  const heldOld = old.reduce((sum, replicaSet) => sum + held.nodesOf(replicaSet).length, 0);
  const heldNew = current === undefined ? 0 : held.nodesOf(current).length;
  const reached = current === undefined ? undefined : lessened(current, heldNew);
  const wanted = Math.max(0, replicasOf(deployment) - heldNew);
  const running = reached === undefined ? 0 : Math.min(replicasOf(reached), wanted);
  return {
    deployment: withReplicas(deployment, Math.max(running, wanted - heldOld)),
    current: reached,
    old: old.map((replicaSet) => lessened(replicaSet, held.nodesOf(replicaSet).length)),
  };
}

/** Sizes of the share as sizes of the whole. */
export function ofTheWhole(resizes: readonly Resize[], members: Members, held: Held): Resize[] {
  const byName = new Map(all(members).map((replicaSet) => [replicaSet.metadata.name, replicaSet]));
  return resizes.map(({ replicaSet, to }) => {
    const whole = byName.get(replicaSet.metadata.name) ?? replicaSet;
    return { replicaSet: whole, to: to + held.nodesOf(whole).length };
  });
}

/** Nothing but the cut-off nodes keeps the rollout from its end. */
export function isShareThrough({ deployment, current, old }: Members): boolean {
  if (current === undefined || old.some((replicaSet) => replicasOf(replicaSet) > 0)) return false;
  return replicasOf(current) === replicasOf(deployment) && availableReplicas([current]) >= replicasOf(current);
}

function lessened(replicaSet: ReplicaSet, by: number): ReplicaSet {
  return by === 0 ? replicaSet : withReplicas(replicaSet, Math.max(0, replicasOf(replicaSet) - by));
}

function withReplicas<T extends Deployment | ReplicaSet>(object: T, replicas: number): T {
  return { ...object, spec: { ...object.spec, replicas } };
}
