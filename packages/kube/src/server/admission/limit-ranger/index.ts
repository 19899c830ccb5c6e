/** LimitRanger: containers that name no requests or limits get those of their namespace, and nothing goes beyond its bounds. */
import type { LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '@skerry/api/types';
import { keyPrefix } from '../../../store/key.ts';
import { type AdmissionStep, type Admitted, type Engine, groupResource } from '../../engine.ts';
import { toServedObject } from '../../object-text.ts';
import { forbidden } from '../../statuses.ts';
import { isFor } from '../lookup.ts';
import { claimFaults, podFaults } from './bounds.ts';
import { fillResources } from './defaults.ts';

export const limitRanger: AdmissionStep = {
  name: 'LimitRanger',
  admit: (engine, admitted) => {
    if (!isLimited(admitted)) return;
    const ranges = rangesOf(engine, admitted.namespace);
    if (ranges.length === 0) return;
    const items = ranges.flatMap(({ spec }) => spec?.limits ?? []);
    const isPod = isFor(admitted, '', 'pods');
    if (isPod && admitted.operation === 'CREATE') fillResources(admitted.object as Pod, items);
    for (const range of ranges) checkRange(admitted, range.spec?.limits ?? [], isPod);
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

function checkRange(admitted: Admitted, items: readonly LimitRangeItem[], isPod: boolean): void {
  const { object, kind, name } = admitted;
  const faults = isPod ? podFaults(object as Pod, items) : claimFaults(object as PersistentVolumeClaim, items);
  const [first, ...rest] = [...new Set(faults)];
  if (first === undefined) return;
  throw forbidden(groupResource(kind), name, rest.length === 0 ? first : `[${[first, ...rest].join(', ')}]`);
}
