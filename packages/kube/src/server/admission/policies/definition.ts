/** What must be true of policies and bindings themselves; read when they are written, so that a broken one is never stored. */
import type { FieldError } from '@skerry/api';
import { type Cel, compileMutatingPolicy, compileValidatingPolicy } from '@skerry/api/cel';
import type {
  AuditAnnotation,
  MatchResources,
  MutatingAdmissionPolicySpec,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicySpec,
} from '@skerry/api/types';
import { fault } from '../../engine.ts';
import { jsonEqual } from '../../json-equal.ts';
import { invalid } from '../../statuses.ts';
import { unsupported } from '../../write-options.ts';
import type { Review, Reviewer } from '../review/contract.ts';

type Check = (cel: Cel, spec: unknown) => FieldError[];

const CHECKS: Readonly<Record<string, Check>> = {
  validatingadmissionpolicies: (cel, spec) => checkValidating(cel, (spec ?? {}) as ValidatingAdmissionPolicySpec),
  mutatingadmissionpolicies: (cel, spec) => checkMutating(cel, (spec ?? {}) as MutatingAdmissionPolicySpec),
  validatingadmissionpolicybindings: (_cel, spec) => {
    const binding = (spec ?? {}) as BindingSpec;
    return [...checkBinding(binding), ...checkActions(binding.validationActions ?? [])];
  },
  mutatingadmissionpolicybindings: (_cel, spec) => checkBinding((spec ?? {}) as BindingSpec),
};

interface BindingSpec {
  readonly policyName?: string;
  readonly paramRef?: ParamRef;
  readonly matchResources?: MatchResources;
  readonly validationActions?: readonly string[];
}

export function policyDefinitions(cel: Cel): Reviewer {
  return {
    name: 'AdmissionPolicyDefinitions',
    mutate: (_engine, review) => {
      if (checkOf(review) !== undefined && review.call.kind.row.subresources.includes('status')) observe(review);
    },
    validate: (_engine, review) => {
      const check = checkOf(review);
      if (check === undefined || review.object === null) return;
      const spec = review.object['spec'];
      // What was accepted once, by an older version of this server, keeps no one from changing something else.
      if (review.old !== null && jsonEqual(review.old['spec'], spec)) return;
      const faults = check(cel, spec);
      if (faults.length > 0) throw invalid(review.gvk, review.name, faults);
    },
  };
}

function checkOf({ call, object }: Review): Check | undefined {
  const { group, resource } = call.kind.row.gvr;
  if (group !== 'admissionregistration.k8s.io' || object === null || call.route.subresource !== undefined)
    return undefined;
  return Object.hasOwn(CHECKS, resource) ? CHECKS[resource] : undefined;
}

/** Types are looked at when a policy is written, and its status says so in the same write. */
function observe({ object, old }: Review): void {
  if (object === null) return;
  const generation = old?.metadata.generation ?? 0;
  const isChanged = old === null || !jsonEqual(old['spec'], object['spec']);
  const status = (object['status'] ?? {}) as object;
  object['status'] = { ...status, observedGeneration: isChanged ? generation + 1 : generation, typeChecking: {} };
}

function checkValidating(cel: Cel, spec: ValidatingAdmissionPolicySpec): FieldError[] {
  return [
    ...checkParamKind(spec.paramKind),
    ...checkConstraints(spec.matchConstraints),
    ...compileValidatingPolicy(cel, spec).faults,
    ...(spec.auditAnnotations ?? []).flatMap(checkAnnotation),
    ...(spec.validations ?? []).flatMap(({ reason, message = '' }, index) => [
      ...(reason === undefined || REASONS.includes(reason)
        ? []
        : [unsupported(`spec.validations[${index}].reason`, reason, REASONS)]),
      ...(/[\r\n]/.test(message.trim())
        ? [wrong(`spec.validations[${index}].message`, message, 'message must not contain line breaks')]
        : []),
    ]),
  ];
}

const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];

function checkMutating(cel: Cel, spec: MutatingAdmissionPolicySpec): FieldError[] {
  const { reinvocationPolicy } = spec;
  return [
    ...checkParamKind(spec.paramKind),
    ...checkConstraints(spec.matchConstraints),
    ...compileMutatingPolicy(cel, spec).faults,
    ...(reinvocationPolicy === undefined ? [missing('spec.reinvocationPolicy')] : []),
  ];
}

function checkBinding({ policyName = '', paramRef, matchResources }: BindingSpec): FieldError[] {
  return [
    ...(policyName === '' ? [missing('spec.policyName')] : []),
    ...(paramRef === undefined ? [] : checkParamRef(paramRef)),
    ...(matchResources === undefined ? [] : checkMatching(matchResources, 'spec.matchResources')),
  ];
}

const ACTIONS = ['Audit', 'Deny', 'Warn'];

function checkActions(actions: readonly string[]): FieldError[] {
  const path = 'spec.validationActions';
  if (actions.length === 0) return [missing(path)];
  const both =
    'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
  return [
    ...actions.flatMap((action, index) =>
      ACTIONS.includes(action) ? [] : [unsupported(`${path}[${index}]`, action, ACTIONS)],
    ),
    ...actions.flatMap((action, index) =>
      actions.indexOf(action) === index
        ? []
        : [fault('FieldValueDuplicate', `${path}[${index}]`, `Duplicate value: ${JSON.stringify(action)}`)],
    ),
    ...(actions.includes('Deny') && actions.includes('Warn') ? [wrong(path, actions, both)] : []),
  ];
}

const NOT_FOUND_ACTIONS = ['Deny', 'Allow'];

function checkParamRef({ name = '', selector, parameterNotFoundAction = '' }: ParamRef): FieldError[] {
  const path = 'spec.paramRef';
  const given = name !== '' && selector !== undefined;
  const neither = name === '' && selector === undefined;
  return [
    ...(given
      ? [fault('FieldValueForbidden', `${path}.name`, 'Forbidden: name and selector are mutually exclusive')]
      : []),
    ...(neither ? [missing(path, 'one of name or selector must be specified')] : []),
    ...(parameterNotFoundAction === '' ? [missing(`${path}.parameterNotFoundAction`)] : []),
    ...(parameterNotFoundAction === '' || NOT_FOUND_ACTIONS.includes(parameterNotFoundAction)
      ? []
      : [unsupported(`${path}.parameterNotFoundAction`, parameterNotFoundAction, NOT_FOUND_ACTIONS)]),
  ];
}

function checkParamKind(paramKind: ParamKind | undefined): FieldError[] {
  if (paramKind === undefined) return [];
  const { apiVersion = '', kind = '' } = paramKind;
  return [
    ...(apiVersion === '' ? [missing('spec.paramKind.apiVersion')] : []),
    ...(kind === '' ? [missing('spec.paramKind.kind')] : []),
  ];
}

function checkConstraints(matching: MatchResources | undefined): FieldError[] {
  const path = 'spec.matchConstraints';
  if (matching === undefined) return [missing(path)];
  const { resourceRules = [] } = matching;
  return [...(resourceRules.length === 0 ? [missing(`${path}.resourceRules`)] : []), ...checkMatching(matching, path)];
}

function checkMatching({ resourceRules = [], excludeResourceRules = [] }: MatchResources, path: string): FieldError[] {
  return [
    ...resourceRules.flatMap((rule, index) => checkRule(rule, `${path}.resourceRules[${index}]`)),
    ...excludeResourceRules.flatMap((rule, index) => checkRule(rule, `${path}.excludeResourceRules[${index}]`)),
  ];
}

const EVERY = "if '*' is present, must not specify other";

function checkRule(rule: NamedRuleWithOperations, path: string): FieldError[] {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [] } = rule;
  const alone = (field: string, values: readonly string[], what: string): FieldError[] => [
    ...(values.length === 0 ? [missing(`${path}.${field}`)] : []),
    ...(values.length > 1 && values.includes('*') ? [wrong(`${path}.${field}`, values, `${EVERY} ${what}`)] : []),
  ];
  return [
    ...alone('operations', operations, 'operations'),
    ...alone('apiGroups', apiGroups, 'API groups'),
    ...alone('apiVersions', apiVersions, 'API versions'),
    ...alone('resources', resources, 'resources'),
    ...apiVersions.flatMap((version, index) => (version === '' ? [missing(`${path}.apiVersions[${index}]`)] : [])),
    ...resources.flatMap((resource, index) => (resource === '' ? [missing(`${path}.resources[${index}]`)] : [])),
  ];
}

function checkAnnotation({ key }: AuditAnnotation, index: number, all: readonly AuditAnnotation[]): FieldError[] {
  const path = `spec.auditAnnotations[${index}].key`;
  if (key === '') return [missing(path)];
  if (all.findIndex((one) => one.key === key) < index)
    return [fault('FieldValueDuplicate', path, `Duplicate value: ${JSON.stringify(key)}`)];
  return [];
}

function missing(path: string, detail = ''): FieldError {
  return fault('FieldValueRequired', path, detail === '' ? 'Required value' : `Required value: ${detail}`);
}

function wrong(path: string, value: unknown, detail: string): FieldError {
  return fault('FieldValueInvalid', path, `Invalid value: ${JSON.stringify(value)}: ${detail}`);
}
