/** Taint eviction: pods leave nodes that they do not tolerate, when their patience ends. */
import type { Node, Pod } from '@skerry/api/types';
import { type ControllerSpec, keyOf, type Requeue, watching } from '@skerry/kube/controller';
import type { CloudContext } from '../context.ts';
import { isTerminating } from '../pod-facts.ts';
import { indexByNode, podsOn } from '../pods-by-node.ts';
import { NODES, PODS } from '../resources.ts';
import { formatTime } from '../timestamps.ts';
import { deleteIfThere, refOf } from '../writes.ts';
import { evictionTime } from './eviction.ts';

export function taintEvictionController(context: CloudContext): ControllerSpec {
  const { informers, clock } = context;
  const nodes = informers.informer<Node>({ gvr: NODES });
  const pods = informers.informer<Pod>({ gvr: PODS });
  indexByNode(pods);
  const events = context.recorder('taint-eviction-controller');
  const seen = new Map<string, SeenTaints>();
  return {
    name: 'taint-eviction',
    watches: [
      watching(pods, ({ object }) => [keyOf(object)]),
      watching(nodes, ({ object }) => podsOn(pods, object.metadata.name ?? '').map(keyOf)),
    ],
    reconcile: async (key): Promise<Requeue | undefined> => {
      const pod = pods.cache.get(key);
      const node = nodes.cache.get(pod?.spec?.nodeName ?? '');
      if (pod === undefined || node === undefined || isTerminating(pod)) {
        seen.delete(key);
        return undefined;
      }
      const { dated, undated } = withTimes(node, seen.get(key), clock.now());
      if (undated.size > 0) seen.set(key, undated);
      else seen.delete(key);
      // Anew each time: taints, tolerations and autonomy may change while a pod waits, in both directions.
      const time = evictionTime(pod, dated, clock.now());
      if (time === undefined) return undefined;
      if (time > clock.now()) return { afterMs: time - clock.now() };
      events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
      await evict(context, pod);
      return undefined;
    },
  };
}

/** When a taint was first seen, for those that do not say themselves since when they are there. */
type SeenTaints = ReadonlyMap<string, string>;

function withTimes(node: Node, seen: SeenTaints | undefined, now: number): { dated: Node; undated: SeenTaints } {
  const undated = new Map<string, string>();
  const taints = (node.spec?.taints ?? []).map((taint) => {
    if (taint.effect !== 'NoExecute' || taint.timeAdded !== undefined) return taint;
    const id = JSON.stringify([node.metadata.uid, taint.key, taint.value]);
    const timeAdded = seen?.get(id) ?? new Date(now).toISOString();
    undated.set(id, timeAdded);
    return { ...taint, timeAdded };
  });
  return { dated: undated.size === 0 ? node : { ...node, spec: { ...node.spec, taints } }, undated };
}

async function evict({ client, clock }: CloudContext, pod: Pod): Promise<void> {
  const { uid } = pod.metadata;
  const disruption = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
    lastTransitionTime: formatTime(clock.now()),
  };
  const change = { metadata: { uid }, status: { conditions: [disruption] } };
  await client.patch<Pod>(refOf(PODS, pod), change, { type: 'strategic', subresource: 'status' });
  await deleteIfThere(client, refOf(PODS, pod), uid === undefined ? {} : { uid });
}
