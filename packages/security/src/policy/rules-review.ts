/** What SelfSubjectRulesReview answers: the rules that hold for a user in a namespace. */
import type { UserInfo } from '@skerry/api';
import type { RbacAuthorizer } from './rbac.ts';

export interface RulesReviewStatus {
  readonly resourceRules: readonly object[];
  readonly nonResourceRules: readonly object[];
  readonly incomplete: boolean;
}

export function reviewRules(rbac: RbacAuthorizer, user: UserInfo, namespace: string): RulesReviewStatus {
  const rules = rbac.rulesFor(user, namespace);
  return {
    resourceRules: rules
      .filter(({ resources }) => resources?.length)
      .map(({ verbs, apiGroups, resources, resourceNames }) => ({
        verbs,
        apiGroups: apiGroups ?? [],
        resources,
        ...(resourceNames?.length ? { resourceNames } : {}),
      })),
    nonResourceRules: rules
      .filter(({ nonResourceURLs }) => nonResourceURLs?.length)
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
  };
}
