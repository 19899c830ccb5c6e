/** DaemonSet: one pod on every node that it is meant for. */
import type { ControllerRevision, DaemonSet, Node, Pod } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import type { Recorder } from '@skerry/kube/client';
import {
  type Change,
  type ControllerSpec,
  type Informer,
  keyOf,
  type Requeue,
  reading,
  watching,
} from '@skerry/kube/controller';
import { isSame, isSameStatus } from '../canonical.ts';
import { applyClaims, diffClaims } from '../claim.ts';
import type { CloudContext } from '../context.ts';
import { cutOffNodes, WAITING_FOR_NODES, waitingNews } from '../cut-off.ts';
import { Expectations, STALE_CACHE_RECHECK_MS } from '../expectations.ts';
import { isReachable } from '../node-facts.ts';
import { ownerKeys, ownSelector } from '../owner-keys.ts';
import { controlledBy, indexByController, orphansIn } from '../owners.ts';
import { isActive } from '../pod-facts.ts';
import { podFromTemplate } from '../pod-template.ts';
import { indexByNode, isOnReachableNode } from '../pods-by-node.ts';
import { CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS } from '../resources.ts';
import { claimRevisions, type HistoryTarget, writeHistory } from '../revision-writes.ts';
import { diffHistory, hashOf, REVISION_HASH } from '../revisions.ts';
import { slowStart } from '../slow-start.ts';
import { deleteIfThere, isNamespaceGoing, refOf } from '../writes.ts';
import { pinnedSpec } from './node-fit.ts';
import { DAEMON_SET, type DaemonPlan, planDaemons } from './plan.ts';

/** At most so many pods are made in one go. */
const MAX_BURST = 250;

const TEMPLATE_GENERATION_ANNOTATION = 'deprecated.daemonset.template.generation';
const TEMPLATE_GENERATION_LABEL = 'pod-template-generation';
export function daemonSetController(context: CloudContext): ControllerSpec {
  const world = openWorld(context);
  const { daemonSets, pods, nodes, revisions } = world;
  const owners = { kind: DAEMON_SET.kind, informer: daemonSets };
  return {
    name: 'daemonset',
    watches: [
      watching(daemonSets, ({ object }) => [keyOf(object)]),
      watching(pods, (change) => ownerKeys(owners, change)),
      watching(revisions, (change) => ownerKeys(owners, change)),
      watching(nodes, (change) => (concernsDaemons(change) ? daemonSets.cache.list().map(keyOf) : [])),
    ],
    reconcile: (key) => reconcile(world, key),
  };
}

interface World extends CloudContext {
  readonly daemonSets: Informer<DaemonSet>;
  readonly revisions: Informer<ControllerRevision>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly expectations: Expectations;
  readonly events: Recorder;
}

function openWorld(context: CloudContext): World {
  const { informers, clock } = context;
  const pods = informers.informer<Pod>({ gvr: PODS });
  const revisions = informers.informer<ControllerRevision>({ gvr: CONTROLLER_REVISIONS });
  indexByController(pods);
  indexByController(revisions);
  indexByNode(pods);
  return {
    ...context,
    daemonSets: informers.informer<DaemonSet>({ gvr: DAEMON_SETS }),
    revisions,
    pods,
    nodes: informers.informer<Node>({ gvr: NODES }),
    expectations: new Expectations(reading(pods), clock),
    events: context.recorder('daemonset-controller'),
  };
}

/** Heartbeats are many; only what decides where daemons run, or whether they count, concerns them. */
function concernsDaemons({ type, object, previous }: Change<Node>): boolean {
  if (type !== 'update') return true;
  const shown = (node: Node) => [node.metadata.labels, node.spec?.taints, isReachable(node)];
  return !isSame(shown(object), shown(previous));
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { daemonSets, events, expectations, nodes, clock } = world;
  const daemonSet = daemonSets.cache.get(key);
  if (daemonSet === undefined) expectations.forget(key);
  if (daemonSet === undefined || daemonSet.metadata.deletionTimestamp !== undefined) return undefined;
  if (ownSelector(daemonSet).isEmpty) {
    events.event(
      daemonSet,
      'Warning',
      'SelectingAll',
      'This daemon set is selecting all pods. A non-empty selector is required.',
    );
    return undefined;
  }
  const mayAct = expectations.areMet(key);
  const pods = await claimPods(world, daemonSet);
  const target = historyTarget(world, daemonSet);
  const inUse = new Set(pods.map(hashOf));
  const history = diffHistory({
    owner: daemonSet,
    gvk: DAEMON_SET,
    revisions: await claimRevisions(target, daemonSet),
    isInUse: (revision) => inUse.has(hashOf(revision)),
  });
  if (!(await writeHistory(target, daemonSet, history))) return undefined;
  const plan = planDaemons({
    daemonSet,
    nodes: nodes.cache.list(),
    pods,
    hash: hashOf(history.current),
    now: clock.now(),
    isReachable: (pod) => isOnReachableNode(nodes, pod),
    cutOffNode: cutOffNodes(nodes),
  });
  const error = mayAct ? await carryOut(world, daemonSet, { plan, hash: hashOf(history.current) }) : undefined;
  await writeStatus(world, daemonSet, plan);
  if (error !== undefined) throw error;
  const afterMs = plan.recheckAfterMs ?? (mayAct ? undefined : STALE_CACHE_RECHECK_MS);
  return afterMs === undefined ? undefined : { afterMs };
}

function claimPods({ client, pods }: World, daemonSet: DaemonSet): Promise<readonly Pod[]> {
  const claims = diffClaims({
    owner: daemonSet,
    selector: ownSelector(daemonSet),
    controlled: controlledBy(pods, daemonSet),
    orphans: orphansIn(pods, daemonSet.metadata.namespace ?? '').filter(isActive),
  });
  return applyClaims({ client, ownerGvr: DAEMON_SETS, ownerGvk: DAEMON_SET, gvr: PODS }, daemonSet, claims);
}

function historyTarget({ client, revisions }: World, daemonSet: DaemonSet): HistoryTarget {
  return {
    client,
    revisions,
    ownerGvr: DAEMON_SETS,
    ownerGvk: DAEMON_SET,
    countCollision: async () => {
      const status = { ...emptyStatus(daemonSet), collisionCount: (daemonSet.status?.collisionCount ?? 0) + 1 };
      await client.update<DaemonSet>(DAEMON_SETS, { ...daemonSet, status }, { subresource: 'status' });
    },
  };
}

function emptyStatus({ status }: DaemonSet): NonNullable<DaemonSet['status']> {
  return {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
    ...status,
  };
}

interface Work {
  readonly plan: DaemonPlan;
  readonly hash: string;
}

async function carryOut(world: World, daemonSet: DaemonSet, { plan, hash }: Work): Promise<unknown> {
  const { client, expectations, events } = world;
  const owner = keyOf(daemonSet);
  for (const pod of plan.ended) {
    const how = pod.status?.phase === 'Failed' ? 'failed' : 'succeeded';
    const message = `Found ${how} daemon pod ${keyOf(pod)} on node ${pod.spec?.nodeName}, will try to kill it`;
    events.event(daemonSet, 'Warning', how === 'failed' ? 'FailedDaemonPod' : 'SucceededDaemonPod', message);
  }
  for (const pod of plan.remove) {
    const { name, uid } = pod.metadata;
    await deleteIfThere(client, refOf(PODS, pod), uid === undefined ? {} : { uid });
    expectations.deleted(owner, pod);
    events.event(daemonSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  }
  const nodes = plan.create.slice(0, MAX_BURST);
  const { error } = await slowStart(nodes.length, async (index) => {
    const made = await client.create(PODS, daemonPod(daemonSet, nodes[index] ?? '', hash));
    expectations.created(owner, made);
    events.event(daemonSet, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name}`);
  });
  if (error === undefined || isNamespaceGoing(error)) return undefined;
  events.event(daemonSet, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
  return error;
}

function daemonPod(daemonSet: DaemonSet, node: string, hash: string): Pod {
  const { template } = daemonSet.spec ?? { template: {} };
  const generation = daemonSet.metadata.annotations?.[TEMPLATE_GENERATION_ANNOTATION];
  const pod = podFromTemplate(template, daemonSet, DAEMON_SET);
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: {
        ...pod.metadata.labels,
        [REVISION_HASH]: hash,
        ...(generation === undefined ? {} : { [TEMPLATE_GENERATION_LABEL]: generation }),
      },
    },
    spec: pinnedSpec(template.spec ?? { containers: [] }, node),
  };
}

async function writeStatus({ client, events }: World, daemonSet: DaemonSet, { status }: DaemonPlan): Promise<void> {
  const news = waitingNews(daemonSet.status?.conditions, status.conditions);
  if (news !== undefined) events.event(daemonSet, 'Normal', WAITING_FOR_NODES, news);
  if (isSameStatus(status, daemonSet.status)) return;
  await client.update<DaemonSet>(DAEMON_SETS, { ...daemonSet, status }, { subresource: 'status' });
}
