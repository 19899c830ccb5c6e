/** Which objects of a collection a request is about: a place in the store, and a predicate on what stands there. */
import type { KubeObject } from '@skerry/api';
import { checkFieldSelector, parseFieldSelector, parseLabelSelector } from '@skerry/api/selectors';
import { keyPrefix } from '../store/key.ts';
import { type Call, keyOf, storageGroup } from './engine.ts';

export interface Selection {
  /** Undefined: all namespaces, or a kind that has none. */
  readonly namespace?: string;
  readonly name?: string;
  /** Keys under this prefix. */
  readonly prefix: string;
  /** The one key under the prefix that can match, when the request names the object. */
  readonly key?: string;
  /** Undefined: every object matches, so none needs to be parsed. */
  readonly matches?: (object: KubeObject) => boolean;
}

/** Reads `labelSelector` and `fieldSelector`; throws 400 when they make no sense for the kind. */
export function selectionOf({ kind, route, request }: Pick<Call, 'kind' | 'route' | 'request'>): Selection {
  const { row } = kind;
  const labelText = request.query.get('labelSelector') ?? '';
  const fieldText = request.query.get('fieldSelector') ?? '';
  const labels = labelText === '' ? undefined : parseLabelSelector(labelText);
  const fields = fieldText === '' ? undefined : parseFieldSelector(fieldText);
  if (fields !== undefined) checkFieldSelector(row, fields, { label: labelText, field: fieldText });
  const namespace = row.namespaced ? route.namespace || fields?.exact('metadata.namespace') : undefined;
  const name = route.name ?? fields?.exact('metadata.name');
  const isPlaced = name !== undefined && (!row.namespaced || namespace !== undefined);
  const key = isPlaced && !name.includes('/') ? keyOf(row, namespace, name) : undefined;
  const needsFields = fields?.requirements.some(({ path }) => path !== 'metadata.name' || !isPlaced) ?? false;
  const predicates: ((object: KubeObject) => boolean)[] = [];
  if (fields !== undefined && needsFields) {
    const served = kind.conversion?.toServed ?? ((object: KubeObject) => object);
    predicates.push((object) => fields.matches(served(object)));
  }
  if (labels !== undefined && !labels.isEmpty) predicates.push((object) => labels.matches(object.metadata.labels));
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    prefix: key ?? keyPrefix(storageGroup(row), row.gvr.resource, namespace),
    ...(key === undefined ? {} : { key }),
    ...(predicates.length === 0 ? {} : { matches: (object) => predicates.every((predicate) => predicate(object)) }),
  };
}
