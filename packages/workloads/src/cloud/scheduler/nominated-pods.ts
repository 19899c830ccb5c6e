/** Pods that were promised a node whose room is being made: nobody less important may take it in the meantime. */
import type { Pod } from '@skerry/api/types';
import { keyOf } from '@skerry/kube/controller';
import type { Cluster } from './cluster.ts';
import { priorityOf } from './preempt.ts';

export class NominatedPods {
  readonly #cluster: Cluster;
  readonly #pods = new Map<string, Pod>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** What is known of a pod; undefined when it is gone. */
  note(key: string, pod: Pod | undefined): void {
    if (pod?.status?.nominatedNodeName && !pod.spec?.nodeName) this.#pods.set(key, pod);
    else this.#pods.delete(key);
  }

  /** Decides for a pod as if those promised ones that are not less important were there already. */
  whileRoomIsKept<T>(pod: Pod, decide: () => T): T {
    const own = keyOf(pod);
    const kept = [...this.#pods].filter(
      ([key, each]) => key !== own && priorityOf(each) >= priorityOf(pod) && this.#cluster.nodeOf(key) === undefined,
    );
    for (const [, each] of kept) this.#cluster.place(each, each.status?.nominatedNodeName ?? '');
    try {
      return decide();
    } finally {
      for (const [key] of kept) this.#cluster.remove(key);
    }
  }
}
