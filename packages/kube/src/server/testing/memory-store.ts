/** A store in memory with the promises of the contract, for tests of the server alone. */
import { StatusError } from '@skerry/api';
import type { Change, ListOptions, ListResult, Store, StoredObject, Subscription } from '../../store/contract.ts';

type Listener = { prefix: string; onChange: (changes: readonly Change[]) => void };

export function memoryStore(): Store {
  const objects = new Map<string, StoredObject>();
  const history: { revision: number; change: Change }[] = [];
  const listeners = new Set<Listener>();
  let revision = 1;
  let compacted = 0;

  const publish = (change: Change, at: number): void => {
    history.push({ revision: at, change });
    for (const { prefix, onChange } of listeners) if (keyOf(change).startsWith(prefix)) onChange([change]);
  };
  const check = (key: string, ifRevision: number | undefined): StoredObject | undefined => {
    const current = objects.get(key);
    if (ifRevision === 0 && current !== undefined) throw new StatusError(409, 'AlreadyExists', key);
    if (ifRevision !== undefined && ifRevision !== 0 && ifRevision !== current?.revision) {
      throw new StatusError(409, 'Conflict', key);
    }
    return current;
  };
  const snapshot = (prefix: string, at: number): StoredObject[] => {
    const view = new Map<string, StoredObject>();
    if (at === revision) for (const [key, object] of objects) view.set(key, object);
    else {
      for (const { revision: then, change } of history) {
        if (then > at) break;
        if (change.type === 'put') view.set(change.object.key, change.object);
        else view.delete(change.key);
      }
    }
    return [...view.values()].filter(({ key }) => key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : 1));
  };

  return {
    get revision() {
      return revision;
    },
    get compactedRevision() {
      return compacted;
    },
    epoch: 'memory',
    get: (key) => objects.get(key),
    list: (prefix: string, options: ListOptions = {}): ListResult => {
      const at = options.revision ?? revision;
      if (at < compacted) throw new StatusError(410, 'Expired', 'compacted');
      const { after } = options;
      const all = snapshot(prefix, at).filter(({ key }) => after === undefined || key > after);
      const items = options.limit === undefined ? all : all.slice(0, options.limit);
      return { items, revision: at, remaining: all.length - items.length };
    },
    count: (prefix) => snapshot(prefix, revision).length,
    put: async (key, json, { ifRevision } = {}) => {
      const previous = check(key, ifRevision);
      const object = { key, revision: ++revision, json };
      objects.set(key, object);
      publish({ type: 'put', object, ...(previous === undefined ? {} : { previous }) }, object.revision);
      return object;
    },
    delete: async (key, { ifRevision } = {}) => {
      const previous = check(key, ifRevision);
      if (previous === undefined) throw new StatusError(404, 'NotFound', key);
      objects.delete(key);
      publish({ type: 'delete', key, revision: ++revision, previous }, revision);
      return { revision, previous };
    },
    subscribe: (prefix, from, onChange): Subscription => {
      if (from < compacted) throw new StatusError(410, 'Expired', 'compacted');
      const missed = history.filter((entry) => entry.revision > from && keyOf(entry.change).startsWith(prefix));
      if (missed.length > 0) onChange(missed.map(({ change }) => change));
      const listener = { prefix, onChange };
      listeners.add(listener);
      const close = () => void listeners.delete(listener);
      return { close, [Symbol.dispose]: close };
    },
    compact: (keep) => {
      compacted = Math.max(compacted, revision - keep);
    },
    backupTo: () => Promise.reject(new Error('a store in memory has no file')),
    close: () => Promise.resolve(),
  };
}

function keyOf(change: Change): string {
  return change.type === 'put' ? change.object.key : change.key;
}
