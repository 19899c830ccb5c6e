/** Objects read straight from the store, for decisions that must not wait: policy, identity, tokens. */
import type { KubeObject } from '@skerry/api';
import { type Change, formatKey, type KeyParts, keyPrefix, type Store, type Subscription } from '@skerry/kube/store';

/** The object as stored; undefined when there is none. Secrets are sealed here. */
export function readObject(store: Store, key: KeyParts): KubeObject | undefined {
  const stored = store.get(formatKey(key));
  return stored === undefined ? undefined : (JSON.parse(stored.json) as KubeObject);
}

export interface Follower {
  put(object: KubeObject): void;
  remove(object: KubeObject): void;
}

/** Shows the follower everything of a resource now, and every change as it is committed. */
export function follow(store: Store, group: string, resource: string, follower: Follower): Subscription {
  const prefix = keyPrefix(group, resource);
  const { items, revision } = store.list(prefix);
  for (const { json } of items) follower.put(JSON.parse(json) as KubeObject);
  return store.subscribe(prefix, revision, (changes) => {
    for (const change of changes) apply(follower, change);
  });
}

function apply(follower: Follower, change: Change): void {
  if (change.type === 'put') follower.put(JSON.parse(change.object.json) as KubeObject);
  else follower.remove(JSON.parse(change.previous.json) as KubeObject);
}
