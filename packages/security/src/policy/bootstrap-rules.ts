/** Short forms for the tables of bootstrap roles. */
import type { PolicyRule } from './rules.ts';

/** Words are separated by single spaces; the core group is the empty word, so `' events.k8s.io'` names two groups. */
export function rule(
  verbs: string,
  groups: string,
  resources: string,
  ...resourceNames: readonly string[]
): PolicyRule {
  return {
    verbs: verbs.split(' '),
    apiGroups: groups.split(' '),
    resources: resources.split(' '),
    ...(resourceNames.length === 0 ? {} : { resourceNames }),
  };
}

export function urlRule(verb: string, ...nonResourceURLs: readonly string[]): PolicyRule {
  return { verbs: [verb], nonResourceURLs };
}
