/** StatefulSet: pods with names and claims of their own, in order. */
import { isStatus } from '@skerry/api';
import type { ControllerRevision, Node, PersistentVolumeClaim, Pod, StatefulSet } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import type { Recorder } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, type Requeue, reading, watching } from '@skerry/kube/controller';
import { isSameStatus } from '../canonical.ts';
import { applyClaims, diffClaims } from '../claim.ts';
import type { CloudContext } from '../context.ts';
import { cutOffNodes, WAITING_FOR_NODES, waitingNews } from '../cut-off.ts';
import { Expectations, STALE_CACHE_RECHECK_MS } from '../expectations.ts';
import { ownerKeys, ownSelector } from '../owner-keys.ts';
import { controlledBy, indexByController, orphansIn } from '../owners.ts';
import { isActive } from '../pod-facts.ts';
import { indexByNode, isOnReachableNode, ownersOfPodsOn } from '../pods-by-node.ts';
import { CONTROLLER_REVISIONS, NODES, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from '../resources.ts';
import { claimRevisions, type HistoryTarget, writeHistory } from '../revision-writes.ts';
import { diffHistory, hashOf } from '../revisions.ts';
import { deleteIfThere, isNamespaceGoing, refOf } from '../writes.ts';
import { ClaimKeeper } from './claim-keeper.ts';
import { type Ordinal, ordinalOf, STATEFUL_SET, statefulPod } from './identity.ts';
import { planStatefulSet, type StatefulPlan } from './plan.ts';

export function statefulSetController(context: CloudContext): ControllerSpec {
  const world = openWorld(context);
  const { sets, pods, nodes, revisions, claims } = world;
  const owners = { kind: STATEFUL_SET.kind, informer: sets };
  return {
    name: 'statefulset',
    watches: [
      watching(sets, ({ object }) => [keyOf(object)]),
      watching(pods, (change) => ownerKeys(owners, change)),
      watching(revisions, (change) => ownerKeys(owners, change)),
      watching(nodes, (change) => ownersOfPodsOn(pods, STATEFUL_SET.kind, change)),
    ],
    reads: [reading(claims)],
    reconcile: (key) => reconcile(world, key),
  };
}

interface World extends CloudContext {
  readonly sets: Informer<StatefulSet>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly revisions: Informer<ControllerRevision>;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly expectations: Expectations;
  readonly keeper: ClaimKeeper;
  readonly events: Recorder;
}

function openWorld(context: CloudContext): World {
  const { informers, clock, client } = context;
  const pods = informers.informer<Pod>({ gvr: PODS });
  const revisions = informers.informer<ControllerRevision>({ gvr: CONTROLLER_REVISIONS });
  const claims = informers.informer<PersistentVolumeClaim>({ gvr: PERSISTENT_VOLUME_CLAIMS });
  const events = context.recorder('statefulset-controller');
  indexByController(pods);
  indexByController(revisions);
  indexByNode(pods);
  return {
    ...context,
    sets: informers.informer<StatefulSet>({ gvr: STATEFUL_SETS }),
    pods,
    nodes: informers.informer<Node>({ gvr: NODES }),
    revisions,
    claims,
    expectations: new Expectations(reading(pods), clock),
    keeper: new ClaimKeeper({ client, claims, events }),
    events,
  };
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { sets, expectations, keeper, clock, nodes } = world;
  const set = sets.cache.get(key);
  if (set === undefined) {
    expectations.forget(key);
    return undefined;
  }
  const mayAct = expectations.areMet(key);
  const pods = await claimPods(world, set);
  const history = await historyOf(world, set, pods);
  if (history === undefined) return undefined;
  const plan = planStatefulSet({
    set,
    pods,
    ...history,
    now: clock.now(),
    isReachable: (pod) => isOnReachableNode(nodes, pod),
    cutOffNode: cutOffNodes(nodes),
  });
  await keeper.keep(set, pods, plan.condemned);
  const error = mayAct ? await carryOut(world, set, plan) : undefined;
  await writeStatus(world, set, plan);
  if (error !== undefined) throw error;
  const afterMs = plan.recheckAfterMs ?? (mayAct ? undefined : STALE_CACHE_RECHECK_MS);
  return afterMs === undefined ? undefined : { afterMs };
}

/** A pod whose name is none of the set's is not taken, whatever its labels. */
function claimPods({ client, pods }: World, set: StatefulSet): Promise<readonly Pod[]> {
  const claims = diffClaims({
    owner: set,
    selector: ownSelector(set),
    controlled: controlledBy(pods, set),
    orphans: orphansIn(pods, set.metadata.namespace ?? '').filter(
      (pod) => isActive(pod) && ordinalOf(set, pod) !== undefined,
    ),
  });
  return applyClaims({ client, ownerGvr: STATEFUL_SETS, ownerGvk: STATEFUL_SET, gvr: PODS }, set, claims);
}

interface Revisions {
  readonly update: ControllerRevision;
  readonly current: ControllerRevision;
}

/** Undefined when the round ends here because the revision's name is taken. */
async function historyOf(world: World, set: StatefulSet, pods: readonly Pod[]): Promise<Revisions | undefined> {
  const target = historyTarget(world, set);
  const revisions = await claimRevisions(target, set);
  const { currentRevision } = set.status ?? {};
  const inUse = new Set([...pods.map(hashOf), currentRevision]);
  const isInUse = ({ metadata }: ControllerRevision) => inUse.has(metadata.name);
  const history = diffHistory({ owner: set, gvk: STATEFUL_SET, revisions, isInUse });
  if (!(await writeHistory(target, set, history))) return undefined;
  const current = revisions.find(({ metadata }) => metadata.name === currentRevision);
  return { update: history.current, current: current ?? history.current };
}

function historyTarget({ client, revisions }: World, set: StatefulSet): HistoryTarget {
  return {
    client,
    revisions,
    ownerGvr: STATEFUL_SETS,
    ownerGvk: STATEFUL_SET,
    countCollision: async () => {
      const status = { replicas: 0, ...set.status, collisionCount: (set.status?.collisionCount ?? 0) + 1 };
      await client.update<StatefulSet>(STATEFUL_SETS, { ...set, status }, { subresource: 'status' });
    },
  };
}

/** The first failure; what came before it stands. */
async function carryOut(world: World, set: StatefulSet, { create, remove }: StatefulPlan): Promise<unknown> {
  try {
    for (const pod of remove) await removePod(world, set, pod);
    for (const ordinal of create) await createPod(world, set, ordinal);
    return undefined;
  } catch (error) {
    return error;
  }
}

async function removePod({ client, expectations, events }: World, set: StatefulSet, pod: Pod): Promise<void> {
  const { name, uid } = pod.metadata;
  const subject = `Pod ${name} in StatefulSet ${set.metadata.name}`;
  if (pod.status?.phase === 'Failed') {
    events.event(set, 'Warning', 'RecreatingFailedPod', `StatefulSet ${keyOf(set)} is recreating failed Pod ${name}`);
  }
  await deleteIfThere(client, refOf(PODS, pod), uid === undefined ? {} : { uid });
  expectations.deleted(keyOf(set), pod);
  events.event(set, 'Normal', 'SuccessfulDelete', `delete ${subject} successful`);
}

async function createPod(world: World, set: StatefulSet, ordinal: Ordinal): Promise<void> {
  const { client, expectations, events, keeper } = world;
  const pod = statefulPod(set, ordinal);
  const subject = `Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name}`;
  try {
    await keeper.create(set, ordinal.ordinal);
    const made = await client.create<Pod>(PODS, pod);
    expectations.created(keyOf(set), made);
    events.event(set, 'Normal', 'SuccessfulCreate', `create ${subject} successful`);
  } catch (error) {
    if (isNamespaceGoing(error)) return;
    // The cache does not show it yet, or it is not the set's: then it stands in the way, and the queue tries again.
    const said = isStatus(error, 'AlreadyExists') ? 'object is in the way' : messageOf(error);
    events.event(set, 'Warning', 'FailedCreate', `create ${subject} failed error: ${said}`);
    throw error;
  }
}

async function writeStatus({ client, events }: World, set: StatefulSet, { status }: StatefulPlan): Promise<void> {
  const news = waitingNews(set.status?.conditions, status.conditions);
  if (news !== undefined) events.event(set, 'Normal', WAITING_FOR_NODES, news);
  if (isSameStatus(status, set.status)) return;
  await client.update<StatefulSet>(STATEFUL_SETS, { ...set, status }, { subresource: 'status' });
}
