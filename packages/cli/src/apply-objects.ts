/** Applies manifests as `kubectl apply --server-side` does: what others need first, and the server decides what changes. */
import { formatApiVersion, type Gvr, type KubeObject, parseApiVersion } from '@skerry/api';
import { builtinRows } from '@skerry/api/facts';
import type { CustomResourceDefinition } from '@skerry/api/types';
import type { HttpClient } from '@skerry/kube/client';
import { cliErrors } from './context.ts';

const DEFINITIONS: Gvr = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const FIRST = ['Namespace', 'CustomResourceDefinition', 'ServiceAccount', 'ConfigMap', 'Secret'];

interface Place {
  readonly gvr: Gvr;
  readonly namespaced: boolean;
}

/** Resolves to the names of what was applied. */
export async function applyObjects(client: HttpClient, objects: readonly KubeObject[]): Promise<readonly string[]> {
  const rank = ({ kind }: KubeObject) => (FIRST.includes(kind) ? FIRST.indexOf(kind) : FIRST.length);
  const applied: string[] = [];
  for (const object of objects.toSorted((one, other) => rank(one) - rank(other))) {
    const { gvr, namespaced } = await placeOf(client, object);
    const { name = '', namespace = 'default' } = object.metadata;
    const ref = { gvr, name, ...(namespaced ? { namespace } : {}) };
    await client.patch(ref, object, { type: 'apply', fieldManager: 'skerry', force: true });
    applied.push(`${gvr.resource}/${name}`);
  }
  return applied;
}

async function placeOf(client: HttpClient, { apiVersion, kind }: KubeObject): Promise<Place> {
  const row = builtinRows().find(({ gvk }) => formatApiVersion(gvk) === apiVersion && gvk.kind === kind);
  if (row !== undefined) return { gvr: row.gvr, namespaced: row.namespaced };
  const { group, version } = parseApiVersion(apiVersion);
  const { items } = await client.list<CustomResourceDefinition>(DEFINITIONS);
  const definition = items.find(({ spec }) => spec.group === group && spec.names.kind === kind);
  if (definition === undefined) {
    throw cliErrors.INVALID_ARGUMENT({ argument: `${apiVersion} ${kind}`, problem: 'is no kind of this cloud' });
  }
  const { names, scope } = definition.spec;
  return { gvr: { group, version, resource: names.plural }, namespaced: scope === 'Namespaced' };
}
