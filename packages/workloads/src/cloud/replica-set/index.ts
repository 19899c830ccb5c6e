/** ReplicaSet and ReplicationController: keep as many pods as their spec says. */
import type { Node, Pod, ReplicaSet } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import type { Recorder } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, type Requeue, reading, watching } from '@skerry/kube/controller';
import { isSameStatus } from '../canonical.ts';
import { applyClaims, diffClaims } from '../claim.ts';
import type { CloudContext } from '../context.ts';
import { cutOffNodes } from '../cut-off.ts';
import { revisionOf } from '../deployment/revisions.ts';
import { Expectations, STALE_CACHE_RECHECK_MS } from '../expectations.ts';
import { ownerKeys, ownSelector } from '../owner-keys.ts';
import { controlledBy, controllerOf, indexByController, orphansIn } from '../owners.ts';
import { isActive } from '../pod-facts.ts';
import { podFromTemplate } from '../pod-template.ts';
import { indexByNode, isOnReachableNode, ownersOfPodsOn } from '../pods-by-node.ts';
import { NODES, PODS } from '../resources.ts';
import { slowStart } from '../slow-start.ts';
import { deleteIfThere, isNamespaceGoing, refOf } from '../writes.ts';
import { diffReplicaSet, type ReplicaFailure, replicaSetStatus } from './diff.ts';
import { REPLICA_SET_KIND, REPLICATION_CONTROLLER_KIND, type ReplicaKind } from './kinds.ts';
import type { Neighbours } from './rank.ts';

export function replicaSetController(context: CloudContext): ControllerSpec {
  return controllerOfKind(context, REPLICA_SET_KIND);
}

export function replicationControllerController(context: CloudContext): ControllerSpec {
  return controllerOfKind(context, REPLICATION_CONTROLLER_KIND);
}

function controllerOfKind(context: CloudContext, kind: ReplicaKind): ControllerSpec {
  const world = openWorld(context, kind);
  const { replicaSets, pods, nodes } = world;
  const owners = { kind: kind.gvk.kind, informer: replicaSets };
  return {
    name: kind.name,
    watches: [
      watching(replicaSets, ({ object }) => [keyOf(object)]),
      watching(pods, (change) => ownerKeys(owners, change)),
      watching(nodes, (change) => ownersOfPodsOn(pods, kind.gvk.kind, change)),
    ],
    reads: [reading(nodes)],
    reconcile: (key) => reconcile(world, key),
    concurrency: 8,
  };
}

interface World extends CloudContext {
  readonly kind: ReplicaKind;
  readonly replicaSets: Informer<ReplicaSet>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly expectations: Expectations;
  readonly events: Recorder;
}

function openWorld(context: CloudContext, kind: ReplicaKind): World {
  const pods = context.informers.informer<Pod>({ gvr: PODS });
  const replicaSets = kind.open(context.informers);
  indexByController(pods);
  indexByController(replicaSets);
  indexByNode(pods);
  return {
    ...context,
    kind,
    replicaSets,
    pods,
    nodes: context.informers.informer<Node>({ gvr: NODES }),
    expectations: new Expectations(reading(pods), context.clock),
    events: context.recorder(kind.component),
  };
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { expectations, replicaSets } = world;
  const replicaSet = replicaSets.cache.get(key);
  if (replicaSet === undefined) {
    expectations.forget(key);
    return undefined;
  }
  // Asked before the pods are read: what arrives in between is counted rather than missed.
  const mayAct = expectations.areMet(key) && replicaSet.metadata.deletionTimestamp === undefined;
  const pods = await claimPods(world, replicaSet);
  const outcome = mayAct ? await scale(world, replicaSet, pods) : undefined;
  const recheckAfterMs = await writeStatus(world, replicaSet, pods, outcome?.failure);
  if (outcome?.error !== undefined) throw outcome.error;
  const staleAfterMs = mayAct ? undefined : STALE_CACHE_RECHECK_MS;
  const afterMs = recheckAfterMs ?? staleAfterMs;
  return afterMs === undefined ? undefined : { afterMs };
}

function claimPods({ client, pods, kind }: World, replicaSet: ReplicaSet): Promise<readonly Pod[]> {
  const claims = diffClaims({
    owner: replicaSet,
    selector: ownSelector(replicaSet),
    controlled: controlledBy(pods, replicaSet),
    orphans: orphansIn(pods, replicaSet.metadata.namespace ?? '').filter(isActive),
  });
  const target = { client, ownerGvr: kind.gvr, ownerGvk: kind.gvk, gvr: PODS };
  return applyClaims(target, replicaSet, claims);
}

interface ScaleOutcome {
  readonly failure?: ReplicaFailure;
  readonly error?: unknown;
}

async function scale(world: World, replicaSet: ReplicaSet, pods: readonly Pod[]): Promise<ScaleOutcome> {
  const neighbours = neighboursOf(world, replicaSet);
  const { create, remove } = diffReplicaSet(replicaSet, pods, neighbours, heldIn(world, replicaSet));
  if (create > 0) return outcomeOf('FailedCreate', await createPods(world, replicaSet, create));
  if (remove.length > 0) return outcomeOf('FailedDelete', await deletePods(world, replicaSet, remove));
  return {};
}

function outcomeOf(reason: ReplicaFailure['reason'], error: unknown): ScaleOutcome {
  return error === undefined ? {} : { failure: { reason, message: messageOf(error) }, error };
}

async function createPods(world: World, replicaSet: ReplicaSet, count: number): Promise<unknown> {
  const { client, expectations, events, kind } = world;
  const owner = keyOf(replicaSet);
  const pod = podFromTemplate(replicaSet.spec?.template ?? {}, replicaSet, kind.gvk);
  const { error } = await slowStart(count, async () => {
    const made = await client.create(PODS, pod);
    expectations.created(owner, made);
    events.event(replicaSet, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name}`);
  });
  if (error === undefined || isNamespaceGoing(error)) return undefined;
  events.event(replicaSet, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
  return error;
}

async function deletePods(world: World, replicaSet: ReplicaSet, pods: readonly Pod[]): Promise<unknown> {
  const { client, expectations, events } = world;
  const owner = keyOf(replicaSet);
  const remove = async (pod: Pod) => {
    const { name, uid } = pod.metadata;
    await deleteIfThere(client, refOf(PODS, pod), uid === undefined ? {} : { uid });
    expectations.deleted(owner, pod);
    events.event(replicaSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  };
  const outcomes = await Promise.allSettled(pods.map(remove));
  const error = outcomes.find((outcome) => outcome.status === 'rejected')?.reason as unknown;
  if (error !== undefined) {
    events.event(replicaSet, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
  }
  return error;
}

/** Counts, for a pod, the active pods on its node that belong to the same ReplicaSet or to a sibling of it. */
function neighboursOf({ replicaSets, pods }: World, replicaSet: ReplicaSet): Neighbours {
  const family = familyOf(replicaSets, replicaSet);
  const counts = new Map<string, number>();
  for (const member of family) {
    for (const { spec } of controlledBy(pods, member).filter(isActive)) {
      if (spec?.nodeName !== undefined) counts.set(spec.nodeName, (counts.get(spec.nodeName) ?? 0) + 1);
    }
  }
  return ({ spec }) => counts.get(spec?.nodeName ?? '') ?? 0;
}

/** In a rollout the pods of cut-off nodes are left for last: their nodes' share waits. */
function heldIn({ replicaSets, nodes }: World, replicaSet: ReplicaSet): (pod: Pod) => boolean {
  const isReplaced = familyOf(replicaSets, replicaSet).some((one) => revisionOf(one) > revisionOf(replicaSet));
  const cutOffNode = cutOffNodes(nodes);
  return (pod) => isReplaced && cutOffNode(pod) !== undefined;
}

function familyOf(replicaSets: Informer<ReplicaSet>, replicaSet: ReplicaSet): readonly ReplicaSet[] {
  const uid = controllerOf(replicaSet)?.uid;
  if (uid === undefined) return [replicaSet];
  return controlledBy(replicaSets, { ...replicaSet, metadata: { uid } });
}

async function writeStatus(
  { client, clock, nodes, kind }: World,
  replicaSet: ReplicaSet,
  pods: readonly Pod[],
  failure: ReplicaFailure | undefined,
): Promise<number | undefined> {
  const { status, recheckAfterMs } = replicaSetStatus({
    replicaSet,
    pods,
    now: clock.now(),
    isReachable: (pod) => isOnReachableNode(nodes, pod),
    failure,
  });
  if (!isSameStatus(status, replicaSet.status)) {
    await client.update(kind.gvr, kind.written({ ...replicaSet, status }), { subresource: 'status' });
  }
  return recheckAfterMs;
}
