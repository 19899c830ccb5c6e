/** MutatingAdmissionPolicy as a pure function: what its mutations would change, as configurations to apply and as JSON patches. */
import type { MutatingAdmissionPolicySpec, Mutation } from '../../generated/types.ts';
import { isObject } from '../../json.ts';
import type { FieldError } from '../../schema.ts';
import { notSupported, required } from '../../walker/field-errors.ts';
import type { Cel, Program, Scope } from '../cel.ts';
import { rewriteObjects } from '../object-literals.ts';
import { fromCel } from '../values.ts';
import { type Conditions, compileConditions, evaluateConditions } from './conditions.ts';
import { type AdmissionInput, compileAt, Evaluation, requestScope } from './request-scope.ts';
import { compileVariables, offerVariables, type Variables } from './variables.ts';

const PATCH_TYPES = ['ApplyConfiguration', 'JSONPatch'] as const;
type PatchType = (typeof PATCH_TYPES)[number];

export interface MutatingPolicy {
  readonly conditions: Conditions;
  readonly variables: Variables;
  readonly mutations: readonly { readonly type: PatchType; readonly program: Program }[];
  readonly failsClosed: boolean;
  readonly faults: readonly FieldError[];
}

export type Change =
  /** To be merged as server-side apply merges. */
  | { readonly type: 'ApplyConfiguration'; readonly configuration: object }
  /** The operations of RFC 6902. */
  | { readonly type: 'JSONPatch'; readonly operations: readonly object[] }
  | { readonly type: 'failure'; readonly message: string };

/** Writes the object with a change made; a later mutation sees what an earlier one did. */
export type MakeChange = (object: object, change: Exclude<Change, { readonly type: 'failure' }>) => object;

export interface MutationOutcome {
  readonly object: object;
  /** Why the request is refused. */
  readonly refusal?: string;
}

export function compileMutatingPolicy(cel: Cel, spec: MutatingAdmissionPolicySpec): MutatingPolicy {
  const params = spec.paramKind !== undefined;
  const faults: FieldError[] = [];
  const conditions = compileConditions(cel, spec.matchConditions ?? [], { path: 'spec.matchConditions', params });
  const variables = compileVariables(cel, spec.variables ?? [], { params, faults });
  const scope = requestScope(cel, { params, variables: variables.names });
  if ((spec.mutations ?? []).length === 0)
    faults.push(required('spec.mutations', 'mutations must contain at least one item'));
  const mutations = (spec.mutations ?? []).flatMap((mutation, index) => {
    const path = `spec.mutations[${index}]`;
    return compileMutation(scope, mutation, { path, faults });
  });
  const failsClosed = spec.failurePolicy !== 'Ignore';
  return { conditions, variables, mutations, failsClosed, faults: [...conditions.faults, ...faults] };
}

function compileMutation(
  scope: Scope,
  { patchType, applyConfiguration, jsonPatch }: Mutation,
  { path, faults }: { readonly path: string; readonly faults: FieldError[] },
): MutatingPolicy['mutations'] {
  const type = PATCH_TYPES.find((each) => each === patchType);
  if (type === undefined) {
    faults.push(notSupported(`${path}.patchType`, patchType, PATCH_TYPES));
    return [];
  }
  const isApply = type === 'ApplyConfiguration';
  const text = (isApply ? applyConfiguration : jsonPatch)?.expression ?? '';
  const at = `${path}.${isApply ? 'applyConfiguration' : 'jsonPatch'}.expression`;
  const program = compileAt(
    rewriting(scope),
    { expression: text, returns: [isApply ? 'map' : 'list'], path: at },
    faults,
  );
  return program === undefined ? [] : [{ type, program }];
}

function rewriting(scope: Scope): Scope {
  return {
    compile: (expression, returns) => {
      const rewritten = rewriteObjects(expression);
      if (rewritten.fault !== undefined) return { type: 'error', message: rewritten.fault };
      return scope.compile(rewritten.expression, returns);
    },
  };
}

export function evaluateMutations(policy: MutatingPolicy, input: AdmissionInput, make: MakeChange): MutationOutcome {
  let object = input.object ?? {};
  const fail = (message: string): MutationOutcome => (policy.failsClosed ? { object, refusal: message } : { object });
  const match = evaluateConditions(policy.conditions, new Evaluation(input));
  if (match.type === 'no') return { object };
  if (match.type === 'error') return fail(match.message);
  for (const mutation of policy.mutations) {
    const change = changeOf(policy, mutation, { ...input, object });
    if (change.type === 'failure') return fail(change.message);
    object = make(object, change);
  }
  return { object };
}

function changeOf(
  { variables }: MutatingPolicy,
  { type, program }: MutatingPolicy['mutations'][number],
  input: AdmissionInput,
): Change {
  const evaluation = new Evaluation(input);
  offerVariables(variables, evaluation);
  const outcome = evaluation.run(program);
  if (outcome.type === 'error') return { type: 'failure', message: outcome.message };
  const value = fromCel(outcome.value);
  if (type === 'ApplyConfiguration')
    return isObject(value)
      ? { type, configuration: value }
      : { type: 'failure', message: 'must evaluate to an object' };
  const isPatch = Array.isArray(value) && value.every(isObject);
  return isPatch ? { type, operations: value } : { type: 'failure', message: 'must evaluate to a list of operations' };
}
