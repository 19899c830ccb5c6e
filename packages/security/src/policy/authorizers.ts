/** Joins authorizers: the first that allows or finally denies decides. */
import type { Authorizer, Decision } from '@skerry/api';

export const MASTERS_GROUP = 'system:masters';

export function unionAuthorizer(...authorizers: readonly Authorizer[]): Authorizer {
  return {
    authorize: (attributes) => {
      const reasons: string[] = [];
      for (const authorizer of authorizers) {
        const decision = authorizer.authorize(attributes);
        if (decision.allowed || decision.denied) return decision;
        if (decision.reason) reasons.push(decision.reason);
      }
      return reasons.length === 0 ? NO_OPINION : { allowed: false, reason: reasons.join(', ') };
    },
  };
}

const NO_OPINION: Decision = { allowed: false };

/** Lets system:masters do everything whatever the roles say, so that a mistake in a role locks nobody out for good. */
export const mastersAuthorizer: Authorizer = {
  authorize: ({ user }) =>
    user.groups.includes(MASTERS_GROUP) ? { allowed: true, reason: MASTERS_GROUP } : NO_OPINION,
};
