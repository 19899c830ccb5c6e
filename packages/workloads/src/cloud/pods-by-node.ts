/** Pods by the node they are bound to, and whom a node's comings and goings concern. */
import type { Node, Pod } from '@skerry/api/types';
import { type Change, formatObjectKey, type Informer } from '@skerry/kube/controller';
import { isReachable } from './node-facts.ts';
import { controllerOf } from './owners.ts';

const BY_NODE = 'node';

export function indexByNode(pods: Informer<Pod>): void {
  pods.addIndex(BY_NODE, ({ spec }) => (spec?.nodeName === undefined || spec.nodeName === '' ? [] : [spec.nodeName]));
}

export function podsOn(pods: Informer<Pod>, node: string): readonly Pod[] {
  return pods.cache.byIndex(BY_NODE, node);
}

/** A pod counts as able to serve only while its node is heard of. */
export function isOnReachableNode(nodes: Informer<Node>, { spec }: Pod): boolean {
  return spec?.nodeName === undefined || isReachable(nodes.cache.get(spec.nodeName));
}

/** Wakes the owners of one kind of the pods on a node that was lost or found. */
export function ownersOfPodsOn(pods: Informer<Pod>, kind: string, { type, object, previous }: Change<Node>): string[] {
  if (type === 'update' && isReachable(object) === isReachable(previous)) return [];
  const keys = new Set<string>();
  for (const pod of podsOn(pods, object.metadata.name ?? '')) {
    const owner = controllerOf(pod);
    if (owner?.kind === kind) keys.add(formatObjectKey({ namespace: pod.metadata.namespace ?? '', name: owner.name }));
  }
  return [...keys];
}
