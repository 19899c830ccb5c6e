/** Whether anything of some kinds is placed on this node: what decides which of its workers run. */
import type { KubeObject } from '@skerry/api';
import type { Change, Store } from '@skerry/kube/store';

export interface PlacedOptions {
  readonly store: Store;
  readonly node: string;
  /** Of the keys of the kinds. */
  readonly prefix: string;
}

/** Calls back now and whenever something changes; the returned function ends that. */
export function followPlaced({ store, node, prefix }: PlacedOptions, onChange: (isAny: boolean) => void): () => void {
  const placed = new Set<string>();
  const read = (key: string, json: string) => {
    const { status } = JSON.parse(json) as KubeObject & { readonly status?: { readonly nodes?: readonly string[] } };
    if (status?.nodes?.includes(node) === true) placed.add(key);
    else placed.delete(key);
  };
  const { items, revision } = store.list(prefix);
  for (const { key, json } of items) read(key, json);
  onChange(placed.size > 0);
  const subscription = store.subscribe(prefix, revision, (changes: readonly Change[]) => {
    for (const change of changes) {
      if (change.type === 'put') read(change.object.key, change.object.json);
      else placed.delete(change.key);
    }
    onChange(placed.size > 0);
  });
  return () => subscription[Symbol.dispose]();
}
