/**
 * ResourceQuota: a write that would take more than a quota of its namespace allows is refused.
 * Invariant: what is taken is counted from the store in the turn that writes, so no two writes share the last of a quota; what
 * `status.used` shows is never relied on.
 */
import type { KubeObject } from '@skerry/api';
import {
  type Amounts,
  type CountedKind,
  countedNames,
  exceeds,
  isInScope,
  minus,
  NONE,
  only,
  quotaUsage,
  uncountable,
} from '@skerry/api/quota';
import type { ResourceQuota } from '@skerry/api/types';
import { type AdmissionStep, type Admitted, type Engine, groupResource } from '../../engine.ts';
import { forbidden } from '../../statuses.ts';
import { isFor } from '../lookup.ts';
import { quotasOf, usedOf } from './counting.ts';

export const resourceQuota: AdmissionStep = {
  name: 'ResourceQuota',
  onlyLooks: true,
  admit: (engine, admitted) => {
    if (!isCounted(admitted)) return;
    for (const quota of quotasOf(engine.store, admitted.namespace)) checkQuota(engine, admitted, quota);
  },
};

function isCounted(admitted: Admitted): boolean {
  const { operation, kind, subresource } = admitted;
  if (operation === 'DELETE' || !kind.row.namespaced) return false;
  if (isFor(admitted, '', 'pods')) return operation === 'CREATE' ? subresource === undefined : subresource === 'resize';
  if (subresource !== undefined) return false;
  // An update of other kinds takes nothing more.
  return operation === 'CREATE' || isFor(admitted, '', 'services') || isFor(admitted, '', 'persistentvolumeclaims');
}

function checkQuota(engine: Engine, admitted: Admitted, quota: ResourceQuota): void {
  const of: CountedKind = admitted.kind.row.gvr;
  const names = countedNames(of, Object.keys(quota.spec?.hard ?? {}));
  if (names.length === 0 || !isInScope(quota, of, admitted.object)) return;
  const why = uncountable(quota, of, admitted.object) ?? tooMuch(engine, admitted, quota, names);
  if (why !== undefined) throw forbidden(groupResource(admitted.kind), admitted.name, why);
}

function tooMuch(
  { store, clock }: Engine,
  { kind, namespace, object, old }: Admitted,
  quota: ResourceQuota,
  names: readonly string[],
): string | undefined {
  const of: CountedKind = kind.row.gvr;
  const now = clock.now();
  const usage = (one: KubeObject | undefined): Amounts =>
    one === undefined || !isInScope(quota, of, one) ? NONE : only(quotaUsage(of, one, now), names);
  const requested = minus(usage(object), usage(old));
  if (![...requested.values()].some(({ nano }) => nano > 0n)) return undefined;
  return exceeds({ quota, used: usedOf(store, { of, namespace, quota, names, now }), requested });
}
