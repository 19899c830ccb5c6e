/** RBAC's words (rbac.authorization.k8s.io/v1) and their pure meaning: what a rule grants, and whether rules cover rules. */

export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

export interface RbacSubject {
  readonly kind: 'User' | 'Group' | 'ServiceAccount';
  readonly name: string;
  readonly namespace?: string;
  readonly apiGroup?: string;
}

export interface RoleRef {
  readonly apiGroup?: string;
  readonly kind: 'Role' | 'ClusterRole';
  readonly name: string;
}

export const RBAC_GROUP = 'rbac.authorization.k8s.io';

/** The rules in `wanted` that `held` does not cover, each broken down to what is missing. */
export function uncoveredRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(breakDown).filter((part) => !held.some((rule) => coversOne(rule, part)));
}

/** True when a non-resource rule's URL grants the path; a `*` stands at the end only. */
export function urlMatches(pattern: string, path: string): boolean {
  if (pattern === '*') return true;
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

/** Rules with one verb, one group, one resource and at most one name, or one verb and one URL. */
function breakDown(rule: PolicyRule): PolicyRule[] {
  const urls = rule.verbs.flatMap((verb) =>
    (rule.nonResourceURLs ?? []).map((url) => ({ verbs: [verb], nonResourceURLs: [url] })),
  );
  const names = rule.resourceNames?.length ? rule.resourceNames.map((name) => [name]) : [undefined];
  const resources = rule.verbs.flatMap((verb) =>
    (rule.apiGroups ?? []).flatMap((group) =>
      (rule.resources ?? []).flatMap((resource) =>
        names.map((name) => ({
          verbs: [verb],
          apiGroups: [group],
          resources: [resource],
          ...(name && { resourceNames: name }),
        })),
      ),
    ),
  );
  return [...urls, ...resources];
}

function coversOne(held: PolicyRule, part: PolicyRule): boolean {
  if (!includes(held.verbs, part.verbs[0])) return false;
  const url = part.nonResourceURLs?.[0];
  if (url !== undefined) return (held.nonResourceURLs ?? []).some((pattern) => coversUrl(pattern, url));
  return (
    includes(held.apiGroups, part.apiGroups?.[0]) &&
    coversResource(held.resources ?? [], part.resources?.[0] ?? '') &&
    coversName(held.resourceNames ?? [], part.resourceNames?.[0])
  );
}

function includes(held: readonly string[] | undefined, wanted: string | undefined): boolean {
  return held !== undefined && wanted !== undefined && (held.includes('*') || held.includes(wanted));
}

function coversUrl(pattern: string, wanted: string): boolean {
  return pattern === wanted || urlMatches(pattern, wanted);
}

function coversResource(held: readonly string[], wanted: string): boolean {
  if (held.includes('*') || held.includes(wanted)) return true;
  const slash = wanted.indexOf('/');
  return slash >= 0 && held.includes(`*${wanted.slice(slash)}`);
}

function coversName(held: readonly string[], wanted: string | undefined): boolean {
  return held.length === 0 || (wanted !== undefined && held.includes(wanted));
}
