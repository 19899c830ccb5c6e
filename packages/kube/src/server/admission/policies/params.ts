/** The objects that a binding gives to its policy. */
import type { KubeObject } from '@skerry/api';
import { selectorFromObject } from '@skerry/api/selectors';
import type { ParamKind, ParamRef } from '@skerry/api/types';
import { formatKey, keyPrefix } from '../../../store/key.ts';
import { type Engine, viewOf } from '../../engine.ts';
import { toServedObject } from '../../object-text.ts';
import type { ServedKind } from '../../resource-table.ts';

/** Null stands for no parameters at all; an empty list for none that are there, so that nothing is evaluated. */
export type Params =
  | { readonly type: 'params'; readonly params: readonly (KubeObject | null)[] }
  | { readonly type: 'failure'; readonly message: string };

export function paramsFor(
  engine: Engine,
  namespace: string,
  { paramKind, paramRef }: { readonly paramKind?: ParamKind; readonly paramRef?: ParamRef },
): Params {
  if (paramKind === undefined || paramRef === undefined) return { type: 'params', params: [null] };
  const { apiVersion = '', kind = '' } = paramKind;
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/', 2) : ['', apiVersion];
  const served = engine.table.findKind(group ?? '', version ?? '', kind);
  if (served === undefined) return failure(`paramKind kind \`${apiVersion}, Kind=${kind}\` not known`);
  const place = placeOf(served, namespace, paramRef);
  if (place.fault !== undefined) return failure(place.fault);
  const params = find(engine, served, place.namespace, paramRef);
  if (params.length === 0 && paramRef.parameterNotFoundAction !== 'Allow')
    return failure('no params found for policy binding with `Deny` parameterNotFoundAction');
  return { type: 'params', params };
}

function placeOf(
  { row }: ServedKind,
  requested: string,
  { namespace = '' }: ParamRef,
): { readonly namespace: string; readonly fault?: string } {
  if (!row.namespaced) {
    const fault = 'paramRef.namespace must not be provided for a cluster-scoped `paramKind`';
    return namespace === '' ? { namespace } : { namespace, fault };
  }
  if (namespace !== '' || requested !== '') return { namespace: namespace || requested };
  return { namespace, fault: 'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources' };
}

function find({ store }: Engine, served: ServedKind, namespace: string, ref: ParamRef): KubeObject[] {
  const { group, resource } = served.row.gvr;
  const view = viewOf(served);
  const { name = '', selector } = ref;
  if (selector === undefined) {
    if (name === '' || name.includes('/')) return [];
    const stored = store.get(formatKey({ group, resource, namespace, name }));
    return stored === undefined ? [] : [toServedObject(stored, view)];
  }
  const wanted = selectorFromObject(selector);
  const prefix = served.row.namespaced ? keyPrefix(group, resource, namespace) : keyPrefix(group, resource);
  return store
    .list(prefix)
    .items.map((stored) => toServedObject(stored, view))
    .filter(({ metadata }) => wanted.matches(metadata.labels));
}

function failure(message: string): Params {
  return { type: 'failure', message };
}
