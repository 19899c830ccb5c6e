export { ANONYMOUS, type AuthenticatorOptions, certificateUser, createAuthenticator } from './authenticator.ts';
export { MASTERS_GROUP, mastersAuthorizer, unionAuthorizer } from './authorizers.ts';
export { AUTO_UPDATE_ANNOTATION, BOOTSTRAP_LABEL, bootstrapPolicy } from './bootstrap.ts';
export { checkBindingEscalation, checkRoleEscalation, type EscalationContext, type RoleWrite } from './escalation.ts';
export { type ImpersonationHeaders, impersonate } from './impersonation.ts';
export { createNodeAuthorizer, type NodeAuthorizerOptions, type ObjectKey } from './node-authorizer.ts';
export { NODES_GROUP, nodeOf, nodeUserName } from './node-name.ts';
export { type NodeRestrictionOptions, type NodeWrite, nodeRestriction } from './node-restriction.ts';
export {
  aggregatedRules,
  type Binding,
  createPolicyCache,
  type PolicyCache,
  type PolicyReader,
  type Role,
} from './policy-cache.ts';
export { createRbacAuthorizer, type RbacAuthorizer } from './rbac.ts';
export { type PolicyRule, type RbacSubject, type RoleRef, uncoveredRules } from './rules.ts';
export { type RulesReviewStatus, reviewRules } from './rules-review.ts';
