/** Nobody grants what they do not hold: checked when roles and bindings are written, unless `escalate` or `bind` allows it. */
import { type Authorizer, StatusError, type UserInfo } from '@skerry/api';
import { MASTERS_GROUP } from './authorizers.ts';
import type { PolicyReader } from './policy-cache.ts';
import type { RbacAuthorizer } from './rbac.ts';
import { type PolicyRule, RBAC_GROUP, type RoleRef, uncoveredRules } from './rules.ts';

export interface EscalationContext {
  readonly rbac: RbacAuthorizer;
  readonly reader: PolicyReader;
  /** The whole authorizer: it answers `escalate` and `bind`. */
  readonly authorizer: Authorizer;
}

export interface RoleWrite {
  readonly user: UserInfo;
  /** Absent for a ClusterRole or ClusterRoleBinding. */
  readonly namespace?: string;
  readonly name: string;
}

/** Throws Forbidden when the user writes a role with rules beyond their own. Call only when rules were added or changed. */
export function checkRoleEscalation(context: EscalationContext, write: RoleWrite, rules: readonly PolicyRule[]): void {
  const kind = write.namespace ? 'Role' : 'ClusterRole';
  if (isMaster(write.user) || isAllowed(context, write, 'escalate', { kind, name: write.name })) return;
  refuseUncovered(context, write, kind, rules);
}

/** Throws Forbidden when the user binds a role with rules beyond their own. Call when a binding is made or its subjects change. */
export function checkBindingEscalation(context: EscalationContext, write: RoleWrite, roleRef: RoleRef): void {
  if (isMaster(write.user) || isAllowed(context, write, 'bind', roleRef)) return;
  const { reader } = context;
  const isLocal = roleRef.kind === 'Role';
  const role = isLocal ? reader.getRole(write.namespace ?? '', roleRef.name) : reader.getClusterRole(roleRef.name);
  const kind = write.namespace ? 'RoleBinding' : 'ClusterRoleBinding';
  if (!role)
    throw forbidden(kind, write.name, `${roleRef.kind.toLowerCase()}.${RBAC_GROUP} "${roleRef.name}" not found`);
  refuseUncovered(context, write, kind, role.rules);
}

function isMaster(user: UserInfo): boolean {
  return user.groups.includes(MASTERS_GROUP);
}

function isAllowed(
  { authorizer }: EscalationContext,
  write: RoleWrite,
  verb: string,
  role: { kind: string; name: string },
): boolean {
  const resource = role.kind === 'Role' ? 'roles' : 'clusterroles';
  const namespace = write.namespace ? { namespace: write.namespace } : {};
  const target = { group: RBAC_GROUP, version: 'v1', resource, name: role.name, ...namespace };
  return authorizer.authorize({ user: write.user, verb, path: '', resource: target }).allowed;
}

function refuseUncovered(
  { rbac }: EscalationContext,
  write: RoleWrite,
  kind: string,
  rules: readonly PolicyRule[],
): void {
  const missing = uncoveredRules(rbac.rulesFor(write.user, write.namespace), rules);
  if (missing.length === 0) return;
  const { username, groups } = write.user;
  const who = `user "${username}" (groups=[${groups.map((group) => `"${group}"`).join(' ')}])`;
  const list = missing.slice(0, MAX_NAMED_RULES).map(describe).join('\n');
  throw forbidden(kind, write.name, `${who} is attempting to grant RBAC permissions not currently held:\n${list}`);
}

const MAX_NAMED_RULES = 20;

function describe(rule: PolicyRule): string {
  const part = (label: string, values: readonly string[] | undefined) =>
    values ? [`${label}:[${values.map((value) => `"${value}"`).join(' ')}]`] : [];
  const parts = [
    ...part('APIGroups', rule.apiGroups),
    ...part('NonResourceURLs', rule.nonResourceURLs),
    ...part('Resources', rule.resources),
    ...part('ResourceNames', rule.resourceNames),
    ...part('Verbs', rule.verbs),
  ];
  return `{${parts.join(', ')}}`;
}

function forbidden(kind: string, name: string, why: string): StatusError {
  const resource = `${kind.toLowerCase()}s`;
  const message = `${resource}.${RBAC_GROUP} "${name}" is forbidden: ${why}`;
  return new StatusError(403, 'Forbidden', message, { name, group: RBAC_GROUP, kind: resource });
}
