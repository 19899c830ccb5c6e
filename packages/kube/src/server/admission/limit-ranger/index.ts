/** LimitRanger: containers that name no requests or limits get those of their namespace, and nothing goes beyond its bounds. */
import type { LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '@skerry/api/types';
import { keyPrefix } from '../../../store/key.ts';
import { type AdmissionStep, type Admitted, type Engine, groupResource } from '../../engine.ts';
import { toServedObject } from '../../object-text.ts';
import { forbidden } from '../../statuses.ts';
import { isFor, isNewPod } from '../lookup.ts';
import { claimFaults, podFaults } from './bounds.ts';
import { fillResources } from './defaults.ts';

/** Fills in what containers do not say. */
export const limitDefaults: AdmissionStep = {
  name: 'LimitDefaults',
  admit: (engine, admitted) => {
    if (!isNewPod(admitted)) return;
    const items = rangesOf(engine, admitted.namespace).flatMap(({ spec }) => spec?.limits ?? []);
    if (items.length > 0) fillResources(admitted.object as Pod, items);
  },
};

export const limitRanger: AdmissionStep = {
  name: 'LimitRanger',
  onlyLooks: true,
  admit: (engine, admitted) => {
    if (!isLimited(admitted)) return;
    for (const { spec } of rangesOf(engine, admitted.namespace)) checkRange(admitted, spec?.limits ?? []);
  },
};

function isLimited(admitted: Admitted): boolean {
  const { operation, subresource, old } = admitted;
  if (operation === 'DELETE' || old?.metadata.deletionTimestamp !== undefined) return false;
  if (isFor(admitted, '', 'pods')) return operation === 'CREATE' ? subresource === undefined : subresource === 'resize';
  return subresource === undefined && isFor(admitted, '', 'persistentvolumeclaims');
}

function rangesOf({ store }: Engine, namespace: string): readonly LimitRange[] {
  const prefix = keyPrefix('', 'limitranges', namespace);
  // Most namespaces have none, which costs one look into the index.
  if (store.count(prefix) === 0) return [];
  return store.list(prefix).items.map((stored) => toServedObject(stored) as LimitRange);
}

function checkRange(admitted: Admitted, items: readonly LimitRangeItem[]): void {
  const { object, kind, name } = admitted;
  const faults = isFor(admitted, '', 'pods')
    ? podFaults(object as Pod, items)
    : claimFaults(object as PersistentVolumeClaim, items);
  const [first, ...rest] = [...new Set(faults)];
  if (first === undefined) return;
  throw forbidden(groupResource(kind), name, rest.length === 0 ? first : `[${[first, ...rest].join(', ')}]`);
}
