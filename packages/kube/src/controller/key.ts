/** Keys of objects in caches and queues: `namespace/name`, or `name` for cluster-scoped kinds. */
import type { KubeObject } from '@skerry/api';

export interface ObjectName {
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
}

export function keyOf(object: KubeObject): string {
  const { namespace = '', name = '' } = object.metadata;
  return formatObjectKey({ namespace, name });
}

export function formatObjectKey({ namespace, name }: ObjectName): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

export function parseObjectKey(key: string): ObjectName {
  const slash = key.indexOf('/');
  if (slash < 0) return { namespace: '', name: key };
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
