/** Which policies and bindings are for a request, and what their expressions see of it. */
import type { KubeObject } from '@skerry/api';
import type { AdmissionInput } from '@skerry/api/cel';
import type { Engine } from '../../engine.ts';
import { lookUp } from '../lookup.ts';
import type { Review } from '../review/contract.ts';
import { admissionRequestOf } from '../review/request.ts';
import { type Match, matchesRules } from '../review/rules.ts';
import { paramsFor } from './params.ts';
import type { Binding, Bound } from './policy-index.ts';

/** Objects of admission are not subject to policies: one that refuses everything could not be taken away. */
export function isExempt({ call }: Review): boolean {
  const { group, resource } = call.kind.row.gvr;
  return group === 'admissionregistration.k8s.io' && resource.includes('admissionpolic');
}

/** One binding of a policy that is for the request. */
export interface Concern {
  readonly binding: Binding;
  readonly match: Match;
  /** Evaluated with each of these. */
  readonly params: readonly (KubeObject | null)[];
  /** Why its parameters cannot be had. */
  readonly failure?: string;
}

export function concernsOf(engine: Engine, review: Review, { policy, bindings }: Bound<unknown>): readonly Concern[] {
  const match = matchesRules(engine, review, policy.matching);
  if (match === undefined) return [];
  return bindings.flatMap((binding) => {
    if (binding.matching !== undefined && matchesRules(engine, review, binding.matching) === undefined) return [];
    const found = paramsFor(engine, review.namespace, {
      ...(policy.paramKind === undefined ? {} : { paramKind: policy.paramKind }),
      ...(binding.paramRef === undefined ? {} : { paramRef: binding.paramRef }),
    });
    if (found.type === 'failure')
      return [{ binding, match, params: [], failure: `failed to configure binding: ${found.message}` }];
    return [{ binding, match, params: found.params }];
  });
}

export function inputOf(engine: Engine, review: Review, match: Match, params: KubeObject | null): AdmissionInput {
  const { object, oldObject, ...request } = admissionRequestOf(engine, review, match, '');
  return {
    object,
    oldObject,
    request,
    params,
    namespaceObject: namespaceOf(engine, review),
    authorizer: engine.authorizer,
    user: review.call.user,
  };
}

/** A Namespace is in none, although it names itself. */
function namespaceOf(engine: Engine, { call, namespace }: Review): KubeObject | null {
  if (!call.kind.row.namespaced) return null;
  return lookUp(engine, '', 'namespaces', { name: namespace }) ?? null;
}
