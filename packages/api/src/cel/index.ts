export { Cel } from './cel.ts';
export { type Conditions, compileConditions, evaluateConditions, type Match } from './policy/conditions.ts';
export {
  type Change,
  compileMutatingPolicy,
  evaluateMutations,
  type MakeChange,
  type MutatingPolicy,
  type MutationOutcome,
} from './policy/mutating.ts';
export { type AdmissionInput, Evaluation, type NamedExpression } from './policy/request-scope.ts';
export {
  compileValidatingPolicy,
  evaluatePolicy,
  type Objection,
  type PolicyOutcome,
  type ValidatingPolicy,
} from './policy/validating.ts';
export { celRules } from './rules/cel-rules.ts';
