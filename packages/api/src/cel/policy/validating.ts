/** ValidatingAdmissionPolicy as a pure function: a request and a policy in, verdicts out. Who binds it where is not decided here. */
import type { ValidatingAdmissionPolicySpec } from '../../generated/types.ts';
import type { FieldError } from '../../schema.ts';
import { required } from '../../walker/field-errors.ts';
import type { Cel, Program } from '../cel.ts';
import { type Conditions, compileConditions, evaluateConditions } from './conditions.ts';
import { type AdmissionInput, compileAt, Evaluation, requestScope } from './request-scope.ts';
import { compileVariables, offerVariables, type Variables } from './variables.ts';

const MAX_MESSAGE_LENGTH = 5 * 1024;
const MAX_ANNOTATION_LENGTH = 10 * 1024;

export interface ValidatingPolicy {
  readonly conditions: Conditions;
  readonly variables: Variables;
  readonly checks: readonly Check[];
  readonly annotations: readonly Annotation[];
  /** Whether a failure of the policy itself is a refusal. */
  readonly failsClosed: boolean;
  readonly faults: readonly FieldError[];
}

interface Check {
  readonly program: Program;
  readonly message: string;
  readonly messageProgram?: Program;
  readonly reason: string;
}

interface Annotation {
  readonly key: string;
  readonly program: Program;
}

/** One thing that speaks against a request. */
export interface Objection {
  readonly message: string;
  /** A reason of Status, such as `Invalid` or `Forbidden`. */
  readonly reason: string;
  /** The policy could not be evaluated, and refuses for that. */
  readonly isFailure: boolean;
}

export interface PolicyOutcome {
  /** False when its conditions leave the request alone. */
  readonly isConcerned: boolean;
  readonly objections: readonly Objection[];
  readonly annotations: Readonly<Record<string, string>>;
}

export function compileValidatingPolicy(cel: Cel, spec: ValidatingAdmissionPolicySpec): ValidatingPolicy {
  const params = spec.paramKind !== undefined;
  const faults: FieldError[] = [];
  const conditions = compileConditions(cel, spec.matchConditions ?? [], { path: 'spec.matchConditions', params });
  const variables = compileVariables(cel, spec.variables ?? [], { params, faults });
  const { validations = [], auditAnnotations = [] } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0)
    faults.push(required('spec.validations', 'validations or auditAnnotations must contain at least one item'));
  const scope = requestScope(cel, { params, variables: variables.names });
  const compile = (expression: string, returns: readonly string[], path: string) =>
    compileAt(scope, { expression, returns, path }, faults);
  const checks = validations.flatMap(
    ({ expression, message = '', messageExpression = '', reason = 'Invalid' }, index) => {
      const path = `spec.validations[${index}]`;
      const program = compile(expression, ['bool'], `${path}.expression`);
      const messageProgram =
        messageExpression === '' ? undefined : compile(messageExpression, ['string'], `${path}.messageExpression`);
      const words = message.trim() || `failed expression: ${expression.trim()}`;
      return program === undefined
        ? []
        : [{ program, message: words, reason, ...(messageProgram === undefined ? {} : { messageProgram }) }];
    },
  );
  const annotations = auditAnnotations.flatMap(({ key, valueExpression }, index) => {
    const path = `spec.auditAnnotations[${index}].valueExpression`;
    const program = compile(valueExpression, ['string', 'null'], path);
    return program === undefined ? [] : [{ key, program }];
  });
  const failsClosed = spec.failurePolicy !== 'Ignore';
  return { conditions, variables, checks, annotations, failsClosed, faults: [...conditions.faults, ...faults] };
}

export function evaluatePolicy(policy: ValidatingPolicy, input: AdmissionInput): PolicyOutcome {
  const evaluation = new Evaluation(input);
  const match = evaluateConditions(policy.conditions, evaluation);
  if (match.type === 'no') return { isConcerned: false, objections: [], annotations: {} };
  if (match.type === 'error') return { isConcerned: true, objections: failure(policy, match.message), annotations: {} };
  offerVariables(policy.variables, evaluation);
  return {
    isConcerned: true,
    objections: policy.checks.flatMap((check) => judge(policy, check, evaluation)),
    annotations: annotate(policy, evaluation),
  };
}

function failure({ failsClosed }: ValidatingPolicy, message: string): Objection[] {
  return failsClosed ? [{ message, reason: 'Invalid', isFailure: true }] : [];
}

function judge(policy: ValidatingPolicy, check: Check, evaluation: Evaluation): Objection[] {
  const { program, reason } = check;
  const outcome = evaluation.run(program);
  if (outcome.type === 'error')
    return failure(policy, `expression '${program.expression}' resulted in error: ${outcome.message}`);
  return outcome.value === true ? [] : [{ message: messageOf(check, evaluation), reason, isFailure: false }];
}

function messageOf({ message, messageProgram }: Check, evaluation: Evaluation): string {
  const outcome = messageProgram === undefined ? undefined : evaluation.run(messageProgram);
  const text = outcome?.type === 'value' && typeof outcome.value === 'string' ? outcome.value.trim() : '';
  return text === '' || text.length > MAX_MESSAGE_LENGTH || /[\n\r]/.test(text) ? message : text;
}

/** One that comes to null, or to nothing, is left out. */
function annotate({ annotations }: ValidatingPolicy, evaluation: Evaluation): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { key, program } of annotations) {
    const outcome = evaluation.run(program);
    const text = outcome.type === 'value' && typeof outcome.value === 'string' ? outcome.value.trim() : '';
    if (text !== '') found[key] = text.slice(0, MAX_ANNOTATION_LENGTH);
  }
  return found;
}
