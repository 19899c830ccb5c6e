/** Clears pods away that nobody will: their node is gone for good, or they were deleted before they had one. */
import type { Node, Pod } from '@skerry/api/types';
import { type ControllerSpec, type Informer, keyOf, type Requeue, watching } from '@skerry/kube/controller';
import type { CloudContext } from '../context.ts';
import { hasEnded, isTerminating } from '../pod-facts.ts';
import { indexByNode, podsOn } from '../pods-by-node.ts';
import { NODES, PODS } from '../resources.ts';
import { formatTime } from '../timestamps.ts';
import { deleteIfThere, refOf } from '../writes.ts';

/** A node must be gone for so long before its pods are: it may be about to register again. */
const QUARANTINE_MS = 40_000;

export function podGcController(context: CloudContext): ControllerSpec {
  const { informers } = context;
  const pods = informers.informer<Pod>({ gvr: PODS });
  const nodes = informers.informer<Node>({ gvr: NODES });
  indexByNode(pods);
  const world: World = { ...context, pods, nodes, missingSince: new Map() };
  return {
    name: 'pod-gc',
    watches: [
      watching(pods, ({ type, object }) => (type === 'delete' ? [] : [keyOf(object)])),
      watching(nodes, ({ type, object }) =>
        type === 'update' ? [] : podsOn(pods, object.metadata.name ?? '').map(keyOf),
      ),
    ],
    reconcile: (key) => reconcile(world, key),
  };
}

interface World extends CloudContext {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  /** Since when a node that pods are bound to has not been there, on the monotonic clock. */
  readonly missingSince: Map<string, number>;
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { pods, nodes, missingSince, clock } = world;
  const pod = pods.cache.get(key);
  if (pod === undefined) return undefined;
  const node = pod.spec?.nodeName ?? '';
  if (node === '') {
    if (isTerminating(pod)) await remove(world, pod);
    return undefined;
  }
  if (nodes.cache.get(node) !== undefined) {
    missingSince.delete(node);
    return undefined;
  }
  const now = clock.monotonic();
  const since = missingSince.get(node) ?? now;
  missingSince.set(node, since);
  const left = since + QUARANTINE_MS - now;
  if (left > 0) return { afterMs: left };
  await fail(world, pod);
  await remove(world, pod);
  if (podsOn(pods, node).length <= 1) missingSince.delete(node);
  return undefined;
}

/** Says why before it goes, for whoever watches it. */
async function fail({ client, clock }: World, pod: Pod): Promise<void> {
  if (hasEnded(pod)) return;
  const disruption = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByPodGC',
    message: 'PodGC: node no longer exists',
    lastTransitionTime: formatTime(clock.now()),
  };
  await client.patch<Pod>(
    refOf(PODS, pod),
    { metadata: { uid: pod.metadata.uid }, status: { phase: 'Failed', conditions: [disruption] } },
    { type: 'strategic', subresource: 'status' },
  );
}

async function remove({ client, log }: World, pod: Pod): Promise<void> {
  const { uid } = pod.metadata;
  const deleted = await deleteIfThere(client, refOf(PODS, pod), {
    gracePeriodSeconds: 0,
    ...(uid === undefined ? {} : { uid }),
  });
  if (deleted) log.info({ pod: keyOf(pod), node: pod.spec?.nodeName }, 'orphaned pod deleted');
}
