/** PodDisruptionBudget: keeps the count of how many pods may be evicted now; the eviction itself takes from it. */
import type { KubeObject } from '@skerry/api';
import type { Node, Pod, PodDisruptionBudget } from '@skerry/api/types';
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
import { isSameStatus } from '../canonical.ts';
import type { CloudContext } from '../context.ts';
import { isReachable } from '../node-facts.ts';
import { ownSelector } from '../owner-keys.ts';
import { controllerOf } from '../owners.ts';
import { indexByNode, isOnReachableNode, podsOn } from '../pods-by-node.ts';
import {
  DEPLOYMENTS,
  DISRUPTION_BUDGETS,
  NODES,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  STATEFUL_SETS,
} from '../resources.ts';
import { planBudget, type Scale } from './plan.ts';

/** What keeps a number of pods, or of those who do. */
interface Scaled extends KubeObject {
  spec?: { readonly replicas?: number };
}

interface World extends CloudContext {
  readonly budgets: Informer<PodDisruptionBudget>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  /** By the kind that owner references name. */
  readonly scaled: ReadonlyMap<string, Informer<Scaled>>;
  readonly events: Recorder;
}

export function disruptionController(context: CloudContext): ControllerSpec {
  const world = openWorld(context);
  const { budgets, pods, nodes, scaled } = world;
  return {
    name: 'disruption',
    watches: [
      watching(budgets, ({ object }) => [keyOf(object)]),
      watching(pods, ({ object, previous }) =>
        [object, ...(previous ? [previous] : [])].flatMap((pod) => budgetsOf(world, pod)),
      ),
      watching(nodes, (change) => budgetsOnNode(world, change)),
      ...[...scaled.values()].map((informer) => watching(informer, (change) => budgetsNear(world, change))),
    ],
    reads: [...scaled.values()].map((informer) => reading(informer)),
    reconcile: (key) => reconcile(world, key),
  };
}

function openWorld(context: CloudContext): World {
  const { informers } = context;
  const pods = informers.informer<Pod>({ gvr: PODS });
  indexByNode(pods);
  return {
    ...context,
    budgets: informers.informer<PodDisruptionBudget>({ gvr: DISRUPTION_BUDGETS }),
    pods,
    nodes: informers.informer<Node>({ gvr: NODES }),
    scaled: new Map([
      ['ReplicaSet', informers.informer<Scaled>({ gvr: REPLICA_SETS })],
      ['Deployment', informers.informer<Scaled>({ gvr: DEPLOYMENTS })],
      ['StatefulSet', informers.informer<Scaled>({ gvr: STATEFUL_SETS })],
      ['ReplicationController', informers.informer<Scaled>({ gvr: REPLICATION_CONTROLLERS })],
    ]),
    events: context.recorder('controllermanager'),
  };
}

function budgetsOf({ budgets }: World, { metadata }: Pod): string[] {
  const matching = budgets.cache
    .inNamespace(metadata.namespace ?? '')
    .filter((budget) => ownSelector(budget).matches(metadata.labels));
  return matching.map(keyOf);
}

function budgetsOnNode(world: World, { type, object, previous }: Change<Node>): string[] {
  if (type === 'update' && isReachable(object) === isReachable(previous)) return [];
  return podsOn(world.pods, object.metadata.name ?? '').flatMap((pod) => budgetsOf(world, pod));
}

function budgetsNear({ budgets }: World, { type, object, previous }: Change<Scaled>): string[] {
  if (type === 'update' && object.spec?.replicas === previous?.spec?.replicas) return [];
  return budgets.cache.inNamespace(object.metadata.namespace ?? '').map(keyOf);
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { budgets, pods, nodes, clock, client, events } = world;
  const budget = budgets.cache.get(key);
  if (budget === undefined || budget.metadata.deletionTimestamp !== undefined) return undefined;
  const selector = ownSelector(budget);
  const { status, unmanaged, recheckAfterMs } = planBudget({
    budget,
    pods: pods.cache
      .inNamespace(budget.metadata.namespace ?? '')
      .filter(({ metadata }) => selector.matches(metadata.labels)),
    scaleOf: (pod) => scaleOf(world, pod),
    isReachable: (pod) => isOnReachableNode(nodes, pod),
    now: clock.now(),
  });
  if (!isSameStatus(status, budget.status)) {
    if (unmanaged > 0)
      events.event(
        budget,
        'Warning',
        'UnmanagedPods',
        `Pods selected by this PodDisruptionBudget (selector: ${JSON.stringify(budget.spec?.selector)}) were found to be unmanaged: ${unmanaged}`,
      );
    // The version it was read at guards the count: an eviction that took from it in between is not undone.
    await client.update<PodDisruptionBudget>(DISRUPTION_BUDGETS, { ...budget, status }, { subresource: 'status' });
  }
  return recheckAfterMs === undefined ? undefined : { afterMs: recheckAfterMs };
}

/** The pod's owner, or the owner of its owner where that is a Deployment. */
function scaleOf(world: World, pod: Pod): Scale | undefined {
  const owner = ownerOf(world, pod);
  if (owner === undefined) return undefined;
  const { metadata, spec } = ownerOf(world, owner) ?? owner;
  return { uid: metadata.uid ?? '', replicas: spec?.replicas ?? 1 };
}

function ownerOf({ scaled }: World, object: KubeObject): Scaled | undefined {
  const reference = controllerOf(object);
  if (reference === undefined) return undefined;
  const owner = scaled.get(reference.kind)?.cache.get(`${object.metadata.namespace}/${reference.name}`);
  return owner?.metadata.uid === reference.uid ? owner : undefined;
}
