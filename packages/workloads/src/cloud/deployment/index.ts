/** Deployment: moves pods from one template to the next through ReplicaSets, and keeps the way back. */
import { isStatus } from '@skerry/api';
import type { Deployment, Node, Pod, ReplicaSet } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import type { Recorder } from '@skerry/kube/client';
import {
  type Change,
  type ControllerSpec,
  type Informer,
  keyOf,
  type Requeue,
  watching,
} from '@skerry/kube/controller';
import { isSameStatus } from '../canonical.ts';
import { applyClaims, diffClaims } from '../claim.ts';
import { withCondition } from '../conditions.ts';
import type { CloudContext } from '../context.ts';
import { cutOffNodes, WAITING_FOR_NODES, waitingNews } from '../cut-off.ts';
import { ownerKeys, ownSelector } from '../owner-keys.ts';
import { controlledBy, controllerOf, indexByController, isControlledBy, orphansIn } from '../owners.ts';
import { isSameTemplate } from '../pod-template.ts';
import { indexByNode, ownersOfPodsOn } from '../pods-by-node.ts';
import { DEPLOYMENTS, NODES, PODS, REPLICA_SETS } from '../resources.ts';
import { formatTime } from '../timestamps.ts';
import { deleteIfThere, refOf } from '../writes.ts';
import { replicasOf } from './bounds.ts';
import { DEPLOYMENT, type DeploymentPlan, planDeployment } from './plan.ts';
import { REVISION } from './revisions.ts';

export function deploymentController(context: CloudContext): ControllerSpec {
  const world = openWorld(context);
  const { deployments, replicaSets, pods, nodes } = world;
  const owners = { kind: DEPLOYMENT.kind, informer: deployments };
  return {
    name: 'deployment',
    watches: [
      watching(deployments, ({ object }) => [keyOf(object)]),
      watching(replicaSets, (change) => ownerKeys(owners, change)),
      // Recreate waits until the last old pod is gone.
      watching(pods, ({ type, object }) => (type === 'delete' ? deploymentOf(world, object) : [])),
      watching(nodes, (change) => deploymentsOn(world, change)),
    ],
    reconcile: (key) => reconcile(world, key),
  };
}

interface World extends CloudContext {
  readonly deployments: Informer<Deployment>;
  readonly replicaSets: Informer<ReplicaSet>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly events: Recorder;
}

function openWorld(context: CloudContext): World {
  const replicaSets = context.informers.informer<ReplicaSet>({ gvr: REPLICA_SETS });
  const pods = context.informers.informer<Pod>({ gvr: PODS });
  indexByController(replicaSets);
  indexByController(pods);
  indexByNode(pods);
  return {
    ...context,
    deployments: context.informers.informer<Deployment>({ gvr: DEPLOYMENTS }),
    replicaSets,
    pods,
    nodes: context.informers.informer<Node>({ gvr: NODES }),
    events: context.recorder('deployment-controller'),
  };
}

function deploymentOf(world: World, pod: Pod): readonly string[] {
  return deploymentOfSet(world, `${pod.metadata.namespace ?? ''}/${controllerOf(pod)?.name}`);
}

function deploymentOfSet({ replicaSets }: World, key: string): readonly string[] {
  const replicaSet = replicaSets.cache.get(key);
  const owner = replicaSet && controllerOf(replicaSet);
  return owner?.kind === DEPLOYMENT.kind ? [`${replicaSet?.metadata.namespace}/${owner.name}`] : [];
}

/** Whose rollout has to wait, or need not wait any longer. */
function deploymentsOn(world: World, change: Change<Node>): readonly string[] {
  return ownersOfPodsOn(world.pods, 'ReplicaSet', change).flatMap((key) => deploymentOfSet(world, key));
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { deployments, clock, pods, nodes, events } = world;
  const deployment = deployments.cache.get(key);
  if (deployment === undefined) return undefined;
  if (ownSelector(deployment).isEmpty) {
    events.event(
      deployment,
      'Warning',
      'SelectingAll',
      'This deployment is selecting all pods. A non-empty selector is required.',
    );
    await writeObserved(world, deployment);
    return undefined;
  }
  const replicaSets = await claimReplicaSets(world, deployment);
  const plan = planDeployment({
    deployment,
    replicaSets,
    podsOf: (replicaSet) => controlledBy(pods, replicaSet),
    cutOffNode: cutOffNodes(nodes),
    now: clock.now(),
  });
  await carryOut(world, deployment, plan);
  return plan.recheckAfterMs === undefined ? undefined : { afterMs: plan.recheckAfterMs };
}

function claimReplicaSets({ client, replicaSets }: World, deployment: Deployment): Promise<readonly ReplicaSet[]> {
  const claims = diffClaims({
    owner: deployment,
    selector: ownSelector(deployment),
    controlled: controlledBy(replicaSets, deployment),
    orphans: orphansIn(replicaSets, deployment.metadata.namespace ?? ''),
  });
  const target = { client, ownerGvr: DEPLOYMENTS, ownerGvk: DEPLOYMENT, gvr: REPLICA_SETS };
  return applyClaims(target, deployment, claims);
}

async function carryOut(world: World, deployment: Deployment, plan: DeploymentPlan): Promise<void> {
  if (plan.create !== undefined && !(await create(world, deployment, plan.create))) return;
  for (const { replicaSet, from } of plan.update) await update(world, deployment, replicaSet, from);
  for (const replicaSet of plan.remove) await remove(world, replicaSet);
  await writeStatus(world, deployment, plan);
}

/** False when the round ends here because the name is taken. */
async function create(world: World, deployment: Deployment, replicaSet: ReplicaSet): Promise<boolean> {
  const { client } = world;
  try {
    await client.create(REPLICA_SETS, replicaSet);
  } catch (error) {
    if (isStatus(error, 'AlreadyExists')) return settleCollision(world, deployment, replicaSet);
    await reportFailedCreate(world, deployment, replicaSet, error);
    throw error;
  }
  reportScale(world, deployment, replicaSet, 0);
  return true;
}

// Either a write of ours that the cache does not show yet, or another template with the same hash.
async function settleCollision(world: World, deployment: Deployment, replicaSet: ReplicaSet): Promise<boolean> {
  const { client } = world;
  const { namespace = '', name = '' } = replicaSet.metadata;
  const live = await client.get<ReplicaSet>({ gvr: REPLICA_SETS, namespace, name });
  const isOurs =
    isControlledBy(live, deployment) && isSameTemplate(live.spec?.template ?? {}, deployment.spec?.template ?? {});
  if (isOurs) return false;
  const status = { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
  await client.update<Deployment>(DEPLOYMENTS, { ...deployment, status }, { subresource: 'status' });
  return false;
}

async function reportFailedCreate(
  { client, clock, events }: World,
  deployment: Deployment,
  { metadata }: ReplicaSet,
  cause: unknown,
): Promise<void> {
  const message = `Failed to create new replica set "${metadata.name}": ${messageOf(cause)}`;
  const at = formatTime(clock.now());
  const conditions = withCondition(deployment.status?.conditions, {
    type: 'Progressing',
    status: 'False',
    reason: 'ReplicaSetCreateError',
    message,
    lastUpdateTime: at,
    lastTransitionTime: at,
  });
  events.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
  const status = { ...deployment.status, conditions };
  if (isSameStatus(status, deployment.status)) return;
  await client.update<Deployment>(DEPLOYMENTS, { ...deployment, status }, { subresource: 'status' });
}

async function update(world: World, deployment: Deployment, replicaSet: ReplicaSet, from: number): Promise<void> {
  await world.client.update(REPLICA_SETS, replicaSet);
  reportScale(world, deployment, replicaSet, from);
}

function reportScale({ events }: World, deployment: Deployment, replicaSet: ReplicaSet, from: number): void {
  const to = replicasOf(replicaSet);
  if (to === from) return;
  const way = to > from ? 'up' : 'down';
  const message = `Scaled ${way} replica set ${replicaSet.metadata.name} from ${from} to ${to}`;
  events.event(deployment, 'Normal', 'ScalingReplicaSet', message);
}

async function remove({ client }: World, replicaSet: ReplicaSet): Promise<void> {
  const { uid } = replicaSet.metadata;
  await deleteIfThere(client, refOf(REPLICA_SETS, replicaSet), uid === undefined ? {} : { uid });
}

async function writeStatus({ client, events }: World, deployment: Deployment, plan: DeploymentPlan): Promise<void> {
  const { status, revision } = plan;
  const news = waitingNews(deployment.status?.conditions, status.conditions);
  if (news !== undefined) events.event(deployment, 'Normal', WAITING_FOR_NODES, news);
  if (revision === undefined && isSameStatus(status, deployment.status)) return;
  const annotations =
    revision === undefined ? {} : { annotations: { ...deployment.metadata.annotations, [REVISION]: revision } };
  const metadata = { ...deployment.metadata, ...annotations };
  await client.update<Deployment>(DEPLOYMENTS, { ...deployment, metadata, status }, { subresource: 'status' });
}

async function writeObserved({ client }: World, deployment: Deployment): Promise<void> {
  const { generation = 0 } = deployment.metadata;
  if (deployment.status?.observedGeneration === generation) return;
  const status = { ...deployment.status, observedGeneration: generation };
  await client.update<Deployment>(DEPLOYMENTS, { ...deployment, status }, { subresource: 'status' });
}
