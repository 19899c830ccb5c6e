/** Quotas and what is taken of them, read from the store. What was read of an object is kept as long as that version is stored. */
import type { KubeObject } from '@skerry/api';
import {
  type Amounts,
  type CountedKind,
  isInScope,
  isOnlyCounted,
  isScoped,
  things,
  total,
  Usages,
} from '@skerry/api/quota';
import type { ResourceQuota } from '@skerry/api/types';
import type { Store, StoredObject } from '../../../store/contract.ts';
import { keyPrefix } from '../../../store/key.ts';

/** The quotas of a namespace; most have none, which costs one look into the index. */
export function quotasOf(store: Store, namespace: string): readonly ResourceQuota[] {
  const prefix = keyPrefix('', 'resourcequotas', namespace);
  if (store.count(prefix) === 0) return [];
  return store.list(prefix).items.map((stored) => read(stored) as ResourceQuota);
}

export interface Counting {
  readonly of: CountedKind;
  readonly namespace: string;
  readonly quota: ResourceQuota;
  /** Of the resources that count. */
  readonly names: readonly string[];
  readonly now: number;
}

/** What the objects of one kind that are stored now take of the quota. */
export function usedOf(store: Store, { of, namespace, quota, names, now }: Counting): Amounts {
  const prefix = keyPrefix(of.group, of.resource, namespace);
  if (isOnlyCounted(of) && !isScoped(quota)) {
    const count = things(store.count(prefix));
    return new Map(names.map((name) => [name, count]));
  }
  const all = store.list(prefix).items.map((stored) => read(stored));
  const within = all.filter((object) => isInScope(quota, of, object));
  return total(
    within.map((object) => usages.of(of, object, now)),
    names,
  );
}

const objects = new WeakMap<StoredObject, KubeObject>();
const usages = new Usages();

/** Read only. */
function read(stored: StoredObject): KubeObject {
  const known = objects.get(stored);
  if (known !== undefined) return known;
  const object = JSON.parse(stored.json) as KubeObject;
  objects.set(stored, object);
  return object;
}
