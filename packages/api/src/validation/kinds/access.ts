/** Roles and their bindings. */
import { type JsonObject, jsonEqual, objectAt } from '../../json.ts';
import { forbidden, invalid, notSupported, required } from '../../walker/field-errors.ts';
import { checkPathSegment } from '../names.ts';
import { eachItem, type Faults, isAbsent, present, problems } from './checks.ts';
import type { KindRules } from './rules.ts';
import { checkSelector } from './selectors.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';

export const accessRules: Readonly<Record<string, KindRules>> = {
  'rbac.authorization.k8s.io/Role': { check: (faults, role) => checkRules(faults, role, true) },
  'rbac.authorization.k8s.io/ClusterRole': { check: checkClusterRole },
  'rbac.authorization.k8s.io/RoleBinding': {
    check: (faults, binding) => checkBinding(faults, binding, ['Role', 'ClusterRole']),
    update: checkSameRole,
  },
  'rbac.authorization.k8s.io/ClusterRoleBinding': {
    check: (faults, binding) => checkBinding(faults, binding, ['ClusterRole']),
    update: checkSameRole,
  },
};

function hasAny(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function checkRules(faults: Faults, role: JsonObject, isNamespaced: boolean): void {
  for (const [rule, at] of eachItem(faults, 'rules', role['rules'])) {
    if (!hasAny(rule['verbs'])) faults.push(required(`${at}.verbs`, 'verbs must contain at least one value'));
    if (hasAny(rule['nonResourceURLs'])) {
      checkUrlRule(faults, at, rule, isNamespaced);
      continue;
    }
    if (!hasAny(rule['apiGroups']))
      faults.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'));
    if (!hasAny(rule['resources']))
      faults.push(required(`${at}.resources`, 'resource rules must supply at least one resource'));
  }
}

function checkUrlRule(faults: Faults, path: string, rule: JsonObject, isNamespaced: boolean): void {
  const urls = rule['nonResourceURLs'];
  if (isNamespaced)
    faults.push(invalid(`${path}.nonResourceURLs`, urls, 'namespaced rules cannot apply to non-resource URLs'));
  if (hasAny(rule['apiGroups']) || hasAny(rule['resources']) || hasAny(rule['resourceNames'])) {
    faults.push(
      invalid(`${path}.nonResourceURLs`, urls, 'rules cannot apply to both regular resources and non-resource URLs'),
    );
  }
}

function checkClusterRole(faults: Faults, role: JsonObject): void {
  checkRules(faults, role, false);
  const { clusterRoleSelectors } = objectAt(role, 'aggregationRule');
  if (role['aggregationRule'] === undefined) return;
  const path = 'aggregationRule.clusterRoleSelectors';
  if (!hasAny(clusterRoleSelectors))
    faults.push(required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil'));
  for (const [selector, at] of eachItem(faults, path, clusterRoleSelectors)) checkSelector(faults, at, selector);
}

function checkBinding(faults: Faults, binding: JsonObject, kinds: readonly string[]): void {
  const { apiGroup, kind, name } = objectAt(binding, 'roleRef');
  if (apiGroup !== RBAC_GROUP) faults.push(notSupported('roleRef.apiGroup', apiGroup ?? '', [RBAC_GROUP]));
  if (!kinds.includes(String(kind))) faults.push(notSupported('roleRef.kind', kind ?? '', kinds));
  if (present(faults, 'roleRef.name', name)) problems(faults, 'roleRef.name', name, checkPathSegment(String(name)));
  for (const [subject, at] of eachItem(faults, 'subjects', binding['subjects'])) {
    checkSubject(faults, at, subject);
  }
}

function checkSubject(faults: Faults, path: string, subject: JsonObject): void {
  const { kind, name, namespace, apiGroup = '' } = subject;
  present(faults, `${path}.name`, name);
  switch (kind) {
    case 'ServiceAccount':
      if (apiGroup !== '') faults.push(notSupported(`${path}.apiGroup`, apiGroup, ['']));
      if (isAbsent(namespace)) faults.push(required(`${path}.namespace`));
      break;
    case 'User':
    case 'Group':
      if (apiGroup !== RBAC_GROUP) faults.push(notSupported(`${path}.apiGroup`, apiGroup, [RBAC_GROUP]));
      if (!isAbsent(namespace)) faults.push(forbidden(`${path}.namespace`, 'only a service account has a namespace'));
      break;
    default:
      faults.push(notSupported(`${path}.kind`, kind ?? '', ['ServiceAccount', 'User', 'Group']));
  }
}

function checkSameRole(faults: Faults, binding: JsonObject, old: JsonObject): void {
  if (!jsonEqual(binding['roleRef'], old['roleRef']))
    faults.push(invalid('roleRef', binding['roleRef'], 'cannot change roleRef'));
}
