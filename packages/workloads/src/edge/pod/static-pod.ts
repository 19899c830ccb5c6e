/** Pods that come from a file of the node, and the mirrors of them that the API shows. */
import type { KubeObject } from '@skerry/api';

export const ConfigAnnotation = {
  source: 'kubernetes.io/config.source',
  hash: 'kubernetes.io/config.hash',
  seen: 'kubernetes.io/config.seen',
  mirror: 'kubernetes.io/config.mirror',
} as const;

/** The node has it from a file, and needs no API to run it. */
export function isStaticPod(pod: KubeObject): boolean {
  return pod.metadata.annotations?.[ConfigAnnotation.source] === 'file' && !isMirrorPod(pod);
}

/** Only shown: the pod itself is the node's own. */
export function isMirrorPod({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[ConfigAnnotation.mirror] !== undefined;
}
