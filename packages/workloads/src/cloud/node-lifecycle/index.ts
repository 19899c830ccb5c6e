/** Node lifecycle: silence makes a node Unknown, conditions make taints, and only a node without autonomy is given up. */
import type { Lease, Node, NodeCondition, Pod, Taint } from '@skerry/api/types';
import type { Recorder } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, type Requeue, watching } from '@skerry/kube/controller';
import { findCondition } from '../conditions.ts';
import type { CloudContext } from '../context.ts';
import { inBatches } from '../in-batches.ts';
import { hasEnded, isReady } from '../pod-facts.ts';
import { indexByNode, podsOn } from '../pods-by-node.ts';
import { LEASES, NODES, PODS } from '../resources.ts';
import { formatTime } from '../timestamps.ts';
import { refOf } from '../writes.ts';
import { autonomyOfNode } from './autonomy.ts';
import { DEFAULT_GRACE_MS, type Heard, isSilent, listen, silentConditions } from './health.ts';
import { planTaints } from './taints.ts';

const LEASE_NAMESPACE = 'kube-node-lease';

/** How many pods of one node are written to at a time. */
const PARALLEL = 8;

export function nodeLifecycleController(context: CloudContext, graceMs: number = DEFAULT_GRACE_MS): ControllerSpec {
  const { informers } = context;
  const nodes = informers.informer<Node>({ gvr: NODES });
  const leases = informers.informer<Lease>({ gvr: LEASES, namespace: LEASE_NAMESPACE });
  const pods = informers.informer<Pod>({ gvr: PODS });
  indexByNode(pods);
  const events = context.recorder('node-controller');
  const world: World = { ...context, nodes, leases, pods, events, graceMs, heard: new Map() };
  return {
    name: 'node-lifecycle',
    watches: [
      watching(nodes, ({ object }) => [keyOf(object)]),
      watching(leases, ({ object }) => [object.metadata.name ?? '']),
    ],
    reconcile: (key) => reconcile(world, key),
  };
}

interface World extends CloudContext {
  readonly nodes: Informer<Node>;
  readonly leases: Informer<Lease>;
  readonly pods: Informer<Pod>;
  readonly events: Recorder;
  /** How long a node may be silent. */
  readonly graceMs: number;
  readonly heard: Map<string, Heard>;
}

async function reconcile(world: World, name: string): Promise<Requeue | undefined> {
  const { nodes, leases, heard, graceMs, clock } = world;
  const node = nodes.cache.get(name);
  if (node === undefined) {
    heard.delete(name);
    return undefined;
  }
  const now = clock.monotonic();
  const latest = listen(heard.get(name), node, leases.cache.get(`${LEASE_NAMESPACE}/${name}`), now);
  heard.set(name, latest);
  const hasFallenSilent = isSilent(latest, graceMs, now);
  const silent = hasFallenSilent ? silentConditions(node, clock.now()) : undefined;
  if (silent !== undefined) await writeSilence(world, node, silent);
  const conditions = silent ?? node.status?.conditions ?? [];
  const { taints, recheckAfterMs } = planTaints(node, conditions, clock.now());
  if (taints !== undefined) await writeTaints(world, node, taints);
  if (autonomyOfNode(node) === 0 && isLost(conditions)) await markPodsNotReady(world, name);
  // One more millisecond, since silence has to exceed the grace.
  const untilSilent = hasFallenSilent ? undefined : latest.at + graceMs - now + 1;
  return soonest(untilSilent, recheckAfterMs);
}

function soonest(...delays: readonly (number | undefined)[]): Requeue | undefined {
  const known = delays.filter((delay) => delay !== undefined);
  return known.length === 0 ? undefined : { afterMs: Math.min(...known) };
}

function isLost(conditions: readonly NodeCondition[]): boolean {
  const ready = findCondition(conditions, 'Ready');
  return ready !== undefined && ready.status !== 'True';
}

async function writeSilence({ client, events, log }: World, node: Node, conditions: NodeCondition[]): Promise<void> {
  const { name, uid, resourceVersion } = node.metadata;
  await client.patch<Node>(
    refOf(NODES, node),
    // The version makes sure that the node did not speak up in this very moment.
    { metadata: { uid, resourceVersion }, status: { conditions } },
    { type: 'merge', subresource: 'status' },
  );
  log.info({ node: name }, 'node is not heard of');
  events.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
}

async function writeTaints({ client }: World, node: Node, taints: readonly Taint[]): Promise<void> {
  // Read anew, since the version moved if the silence was just written down.
  const live = await client.get<Node>(refOf(NODES, node));
  const { uid, resourceVersion } = live.metadata;
  if (uid !== node.metadata.uid) return;
  const others = live.spec?.taints ?? [];
  if (JSON.stringify(others) !== JSON.stringify(node.spec?.taints ?? [])) return;
  await client.patch(refOf(NODES, node), { metadata: { uid, resourceVersion }, spec: { taints } }, { type: 'merge' });
}

/** On a node without autonomy a pod that cannot be seen counts as not ready, for everybody who reads it. */
async function markPodsNotReady({ client, clock, pods }: World, node: string): Promise<void> {
  const ready = podsOn(pods, node).filter((pod) => isReady(pod) && !hasEnded(pod));
  await inBatches(ready, PARALLEL, (pod) => {
    const conditions = (pod.status?.conditions ?? []).map((condition) =>
      condition.type === 'Ready'
        ? { ...condition, status: 'False', lastTransitionTime: formatTime(clock.now()) }
        : condition,
    );
    const { uid, resourceVersion } = pod.metadata;
    return client.patch(
      refOf(PODS, pod),
      { metadata: { uid, resourceVersion }, status: { conditions } },
      { type: 'merge', subresource: 'status' },
    );
  });
}
