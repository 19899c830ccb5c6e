/** ValidatingAdmissionPolicies: what they say against a request, and what their bindings make of that. */
import {
  type Cel,
  compileValidatingPolicy,
  evaluatePolicy,
  type Objection,
  type ValidatingPolicy,
} from '@skerry/api/cel';
import type { Engine } from '../../engine.ts';
import type { Review, Reviewer } from '../review/contract.ts';
import { type Concern, concernsOf, inputOf, isExempt } from './concerned.ts';
import { type Bound, PolicyIndex } from './policy-index.ts';
import { refusal } from './refusal.ts';

const RESOURCES = { policies: 'validatingadmissionpolicies', bindings: 'validatingadmissionpolicybindings' };

/** Of the audit log, where Kubernetes puts them. */
const FAILURE_ANNOTATION = 'validation.policy.admission.k8s.io/validation_failure';

export function validatingPolicies(cel: Cel): Reviewer {
  const index = new PolicyIndex<ValidatingPolicy>();
  return {
    name: 'ValidatingAdmissionPolicy',
    follow: (engine) => index.follow(engine, RESOURCES, (spec) => compileValidatingPolicy(cel, spec)),
    validate: (engine, review) => {
      if (index.bound.length === 0 || isExempt(review)) return;
      const verdict: Verdict = { denials: [], failures: [] };
      for (const bound of index.bound) {
        for (const concern of concernsOf(engine, review, bound)) judge(engine, review, { bound, concern, verdict });
      }
      settle(review, verdict);
    },
  };
}

interface Verdict {
  readonly denials: { readonly message: string; readonly reason: string }[];
  /** For the audit log. */
  readonly failures: object[];
}

interface Case {
  readonly bound: Bound<ValidatingPolicy>;
  readonly concern: Concern;
  readonly verdict: Verdict;
}

function judge(engine: Engine, review: Review, { bound, concern, verdict }: Case): void {
  const { name, compiled } = bound.policy;
  if (concern.failure !== undefined) {
    if (!compiled.failsClosed) return;
    object(review, { bound, concern, verdict }, { message: concern.failure, reason: 'Invalid', isFailure: true });
    return;
  }
  for (const params of concern.params) {
    const outcome = evaluatePolicy(compiled, inputOf(engine, review, concern.match, params));
    for (const [key, text] of Object.entries(outcome.annotations)) annotate(review, `${name}/${key}`, text);
    for (const objection of outcome.objections) object(review, { bound, concern, verdict }, objection);
  }
}

function object(review: Review, { bound, concern, verdict }: Case, { message, reason, isFailure }: Objection): void {
  const { name: policy } = bound.policy;
  const { name: binding, actions } = concern.binding;
  const of = `ValidatingAdmissionPolicy '${policy}' with binding '${binding}'`;
  // A policy that could not be evaluated refuses, whatever its binding does about what it says.
  if (isFailure || actions.includes('Deny'))
    verdict.denials.push({ message: `${of} denied request: ${message}`, reason });
  if (isFailure) return;
  if (actions.includes('Warn')) review.call.warnings.push(`Validation failed for ${of}: ${message}`);
  if (actions.includes('Audit')) verdict.failures.push({ message, policy, binding, validationActions: actions });
}

/** Several values of one key are one text. */
function annotate({ call }: Review, key: string, text: string): void {
  const before = call.annotations.get(key);
  call.annotations.set(key, before === undefined ? text : `${before}, ${text}`);
}

function settle(review: Review, { denials, failures }: Verdict): void {
  if (failures.length > 0) review.call.annotations.set(FAILURE_ANNOTATION, JSON.stringify(failures));
  const [first] = denials;
  if (first !== undefined) throw refusal(review, first.message, first.reason);
}
