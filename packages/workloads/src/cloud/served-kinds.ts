/** Which kinds there are at the moment: the built-in rows, and those that definitions add and take away. */
import { formatApiVersion, type Gvk, type Gvr, parseApiVersion, type ResourceRow } from '@skerry/api';
import type { CustomResourceDefinition } from '@skerry/api/types';
import type { InformerFactory } from '@skerry/kube/controller';
import { findCondition } from './conditions.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from './resources.ts';

/** A resource in one of its versions; another version of it is the same objects in another shape. */
export interface Kind {
  readonly gvr: Gvr;
  readonly gvk: Gvk;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

export interface ServedKinds {
  readonly synced: Promise<void>;
  /** One entry a resource, whatever the number of its versions. */
  list(): readonly Kind[];
  /** The kind that an owner reference names, in that version or another that is served. */
  find(apiVersion: string, kind: string): Kind | undefined;
  /** Calls back whenever a kind comes or goes. */
  onChange(callback: () => void): () => void;
}

const CUSTOM_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

export function servedKinds(rows: readonly ResourceRow[], informers: InformerFactory): ServedKinds {
  const definitions = informers.informer<CustomResourceDefinition>({ gvr: CUSTOM_RESOURCE_DEFINITIONS });
  const kinds = new Map<string, Kind>();
  for (const { gvr, gvk, namespaced, verbs } of rows) {
    // The first version is the preferred one.
    if (!kinds.has(resourceId(gvr))) kinds.set(resourceId(gvr), { gvr, gvk, namespaced, verbs });
  }
  const callbacks = new Set<() => void>();
  definitions.onChange(({ type, object }) => {
    const kind = type === 'delete' ? undefined : customKind(object);
    const id = resourceId({ group: object.spec.group, resource: object.spec.names.plural });
    const known = kinds.get(id);
    if (kind?.gvr.version === known?.gvr.version && kind?.namespaced === known?.namespaced) return;
    if (kind === undefined) kinds.delete(id);
    else kinds.set(id, kind);
    for (const callback of callbacks) callback();
  });
  return {
    synced: definitions.synced,
    list: () => [...kinds.values()],
    find: (apiVersion, kind) => findKind([...kinds.values()], apiVersion, kind),
    onChange: (callback) => {
      callbacks.add(callback);
      return () => {
        callbacks.delete(callback);
      };
    },
  };
}

export function resourceId({ group, resource }: { readonly group: string; readonly resource: string }): string {
  return `${group}/${resource}`;
}

function findKind(kinds: readonly Kind[], apiVersion: string, kind: string): Kind | undefined {
  const { group } = parseApiVersion(apiVersion);
  const candidates = kinds.filter(({ gvk }) => gvk.kind === kind && gvk.group === group);
  return candidates.find(({ gvk }) => formatApiVersion(gvk) === apiVersion) ?? candidates[0];
}

/** A definition's kind in the version it is stored in; undefined while it is not served, or not any more. */
function customKind({ spec, status, metadata }: CustomResourceDefinition): Kind | undefined {
  if (findCondition(status?.conditions, 'Established')?.status !== 'True') return undefined;
  if (metadata.deletionTimestamp !== undefined) return undefined;
  const { group, names, scope, versions } = spec;
  const served = versions.filter((version) => version.served);
  const version = (served.find(({ storage }) => storage) ?? served[0])?.name;
  if (version === undefined) return undefined;
  return {
    gvr: { group, version, resource: names.plural },
    gvk: { group, version, kind: names.kind },
    namespaced: scope === 'Namespaced',
    verbs: CUSTOM_VERBS,
  };
}
