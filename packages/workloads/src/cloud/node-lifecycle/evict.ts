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
  // A taint that does not say since when it is there counts from when it was first seen.
  const due = new Map<string, number>();
  return {
    name: 'taint-eviction',
    watches: [
      watching(pods, ({ object }) => [keyOf(object)]),
      watching(nodes, ({ object }) => podsOn(pods, object.metadata.name ?? '').map(keyOf)),
    ],
    reconcile: async (key): Promise<Requeue | undefined> => {
      const pod = pods.cache.get(key);
      const node = nodes.cache.get(pod?.spec?.nodeName ?? '');
      const time =
        pod === undefined || node === undefined || isTerminating(pod)
          ? undefined
          : evictionTime(pod, node, clock.now());
      if (pod === undefined || time === undefined) {
        due.delete(key);
        return undefined;
      }
      const at = Math.min(time, due.get(key) ?? time);
      due.set(key, at);
      if (at > clock.now()) return { afterMs: at - clock.now() };
      events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
      await evict(context, pod);
      due.delete(key);
      return undefined;
    },
  };
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
