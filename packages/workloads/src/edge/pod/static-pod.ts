/** Pods that come from a file of the node, and the mirrors of them that the API shows. */
import type { KubeObject } from '@skerry/api';

export const ConfigAnnotation = {
  source: 'kubernetes.io/config.source',
  hash: 'kubernetes.io/config.hash',
  seen: 'kubernetes.io/config.seen',
  mirror: 'kubernetes.io/config.mirror',
} as const;

/** The node has it from a file, and needs no API to run it. Pods of the API have been through `asFromApi`. */
export function isStaticPod(pod: KubeObject): boolean {
  return pod.metadata.annotations?.[ConfigAnnotation.source] === 'file';
}

/** Only shown: the pod itself is the node's own. */
export function isMirrorPod({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[ConfigAnnotation.mirror] !== undefined;
}

/** Where a pod comes from is the node's to say, as with a kubelet: what the API shows is no file's, whatever it claims. */
export function asFromApi<T extends KubeObject>(pod: T): T {
  const { metadata } = pod;
  if (metadata.annotations?.[ConfigAnnotation.source] === undefined) return pod;
  return {
    ...pod,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [ConfigAnnotation.source]: 'api' } },
  };
}
