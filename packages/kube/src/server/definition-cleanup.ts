/** When a definition goes, its objects go first. */
import { isStatus, type UserInfo } from '@skerry/api';
import type { CustomResourceDefinition } from '@skerry/api/types';
import { keyPrefix } from '../store/key.ts';
import { CLEANUP_FINALIZER } from './admission/custom-resource-definition.ts';
import { deleteObject } from './delete.ts';
import type { Call, Engine } from './engine.ts';
import { toServedObject, toStoredJson } from './object-text.ts';
import type { ServedKind } from './resource-table.ts';

const USER: UserInfo = { username: 'system:apiserver', groups: ['system:masters'] };

export async function cleanUpDefinition(
  engine: Engine,
  key: string,
  definition: CustomResourceDefinition,
): Promise<void> {
  if (!definition.metadata.finalizers?.includes(CLEANUP_FINALIZER)) return;
  const { group, names } = definition.spec;
  const prefix = keyPrefix(group, names.plural);
  const kind = engine.table.findResource(group, names.plural);
  if (kind !== undefined) await deleteAll(engine, kind, prefix);
  await untilEmpty(engine, prefix);
  await removeFinalizer(engine, key);
}

async function deleteAll(engine: Engine, kind: ServedKind, prefix: string): Promise<void> {
  const { items } = engine.store.list(prefix);
  await Promise.all(
    items.map(async (stored) => {
      const { name = '', namespace } = toServedObject(stored).metadata;
      const call = deleteCall(engine, kind, { name, ...(namespace === undefined ? {} : { namespace }) });
      await deleteObject(engine, call, stored, { dryRun: false }, true).catch(ignoreLost);
    }),
  );
}

/** Who changed or went meanwhile is looked at again when the prefix is not empty. */
function ignoreLost(error: unknown): void {
  if (!isStatus(error, 'NotFound', 'Conflict')) throw error;
}

function deleteCall({ clock }: Engine, kind: ServedKind, at: { name: string; namespace?: string }): Call {
  const { group, version, resource } = kind.row.gvr;
  return {
    kind,
    user: USER,
    route: { type: 'resource', verb: 'delete', group, version, resource, ...at },
    request: {
      method: 'DELETE',
      path: '',
      query: new URLSearchParams(),
      headers: {},
      user: USER,
      signal: new AbortController().signal,
    },
    wanted: { form: 'object', contentType: 'application/json', pretty: false },
    warnings: [],
    receivedAt: clock.now(),
    answers: new Map(),
    annotations: new Map(),
  };
}

/** Objects with finalizers take their time. */
function untilEmpty({ store }: Engine, prefix: string): Promise<void> {
  if (store.count(prefix) === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const subscription = store.subscribe(prefix, store.revision, () => {
      if (store.count(prefix) > 0) return;
      subscription.close();
      resolve();
    });
  });
}

async function removeFinalizer({ store }: Engine, key: string): Promise<void> {
  const stored = store.get(key);
  if (stored === undefined) return;
  const definition = toServedObject(stored);
  const finalizers = (definition.metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
  if (finalizers.length === 0) {
    await store.delete(key, { ifRevision: stored.revision }).catch(ignoreLost);
    return;
  }
  definition.metadata = { ...definition.metadata, finalizers };
  await store.put(key, toStoredJson(definition), { ifRevision: stored.revision }).catch(ignoreLost);
}
