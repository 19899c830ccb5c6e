/** Objects of one kind in the store, each made into something when it comes, by name. */
import type { KubeObject } from '@skerry/api';
import type { StoredObject } from '../../../store/contract.ts';
import { keyPrefix } from '../../../store/key.ts';
import type { Engine } from '../../engine.ts';
import { toServedObject } from '../../object-text.ts';

const GROUP = 'admissionregistration.k8s.io';

/** Calls `changed` with the name and what was made of the object; with undefined when it is gone. Runs until disposed. */
export function followObjects<T>(
  { store, log }: Engine,
  resource: string,
  make: (object: KubeObject) => T,
  changed: (name: string, made: T | undefined) => void,
): Disposable {
  const prefix = keyPrefix(GROUP, resource);
  const take = (stored: StoredObject): void => {
    const object = toServedObject(stored);
    const name = object.metadata.name ?? '';
    try {
      changed(name, make(object));
    } catch (error) {
      // What an older or a damaged file holds must not keep the server from starting.
      log.error({ error, resource, name }, 'object of admission not understood');
      changed(name, undefined);
    }
  };
  const { items, revision } = store.list(prefix);
  for (const item of items) take(item);
  const subscription = store.subscribe(prefix, revision, (changes) => {
    for (const change of changes) {
      if (change.type === 'put') take(change.object);
      else changed(toServedObject(change.previous).metadata.name ?? '', undefined);
    }
  });
  return { [Symbol.dispose]: () => subscription.close() };
}
