import type { StoreKey } from './contract.ts';

/** The four parts of a store key. Cluster-scoped objects have an empty namespace, the core group is empty. */
export interface KeyParts {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

export function formatKey({ group, resource, namespace, name }: KeyParts): StoreKey {
  return `${group}/${resource}/${namespace}/${name}`;
}

/** The prefix of a whole resource, or of one namespace of it. */
export function keyPrefix(group: string, resource: string, namespace?: string): string {
  return namespace === undefined || namespace === '' ? `${group}/${resource}/` : `${group}/${resource}/${namespace}/`;
}

export function parseKey(key: StoreKey): KeyParts {
  const [group = '', resource = '', namespace = '', name = ''] = key.split('/');
  return { group, resource, namespace, name };
}
