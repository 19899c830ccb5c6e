/** Rules between a pod and the pods that are there: affinity, anti-affinity and topology spread. */
import { type LabelSelector, selectorFromObject } from '@skerry/api/selectors';
import type { Namespace, Pod, PodAffinityTerm, TopologySpreadConstraint } from '@skerry/api/types';
import type { NodeView } from './cluster.ts';
import { checkNodeAffinity, checkTaints, type Verdict } from './node-rules.ts';

/** Namespaces by name, for terms with a namespaceSelector. */
export type NamespaceLabels = (namespace: string) => Namespace['metadata']['labels'];

export interface PodRule {
  check(view: NodeView): Verdict;
}

interface Term {
  readonly topologyKey: string;
  readonly matches: (pod: Pod) => boolean;
}

function compileTerm(owner: Pod, term: PodAffinityTerm, labelsOf: NamespaceLabels): Term {
  const selector = withMatchLabelKeys(selectorFromObject(term.labelSelector), owner, term);
  const namespaces = new Set(term.namespaces ?? []);
  const own = owner.metadata.namespace ?? '';
  if (namespaces.size === 0 && term.namespaceSelector === undefined) namespaces.add(own);
  const byLabels = term.namespaceSelector === undefined ? undefined : selectorFromObject(term.namespaceSelector);
  return {
    topologyKey: term.topologyKey,
    matches: ({ metadata }) => {
      const namespace = metadata.namespace ?? '';
      const isInScope = namespaces.has(namespace) || byLabels?.matches(labelsOf(namespace)) === true;
      return isInScope && selector(metadata.labels);
    },
  };
}

type LabelPredicate = LabelSelector['matches'];

function withMatchLabelKeys(
  selector: LabelSelector,
  owner: Pod,
  { matchLabelKeys = [], mismatchLabelKeys = [] }: { matchLabelKeys?: string[]; mismatchLabelKeys?: string[] },
): LabelPredicate {
  const own = owner.metadata.labels ?? {};
  const same = matchLabelKeys.filter((key) => key in own);
  const different = mismatchLabelKeys.filter((key) => key in own);
  if (same.length + different.length === 0) return (labels) => selector.matches(labels);
  return (labels = {}) =>
    selector.matches(labels) &&
    same.every((key) => labels[key] === own[key]) &&
    different.every((key) => labels[key] !== own[key]);
}

const terminal = ({ status }: Pod) => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** How many matching pods each value of a topology label holds. */
function countByDomain(
  views: readonly NodeView[],
  topologyKey: string,
  matches: (pod: Pod) => boolean,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const view of views) {
    const domain = view.labels[topologyKey];
    if (domain === undefined) continue;
    let count = counts.get(domain) ?? 0;
    for (const pod of view.pods.values()) if (!terminal(pod) && matches(pod)) count++;
    counts.set(domain, count);
  }
  return counts;
}

/** `podAffinity.required…`: at least one matching pod in the node's domain, or nobody anywhere and the pod matches itself. */
export function affinityRule(pod: Pod, views: readonly NodeView[], labelsOf: NamespaceLabels): PodRule | undefined {
  const terms = pod.spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (terms.length === 0) return undefined;
  const compiled = terms.map((term) => compileTerm(pod, term, labelsOf));
  // A pod must match every term to count for any (as upstream), so that the terms speak of one group of pods.
  const matchesAll = (other: Pod) => compiled.every(({ matches }) => matches(other));
  const counts = compiled.map(({ topologyKey }) => countByDomain(views, topologyKey, matchesAll));
  const isFirst = matchesAll(pod) && counts.every((byDomain) => [...byDomain.values()].every((count) => count === 0));
  return {
    check: ({ labels }) => {
      const fits = compiled.every(({ topologyKey }, index) => {
        const domain = labels[topologyKey];
        return domain !== undefined && (isFirst || (counts[index]?.get(domain) ?? 0) > 0);
      });
      return fits ? undefined : "node(s) didn't match pod affinity rules";
    },
  };
}

/** `podAntiAffinity.required…` of the pod itself. */
export function antiAffinityRule(pod: Pod, views: readonly NodeView[], labelsOf: NamespaceLabels): PodRule | undefined {
  const terms = pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (terms.length === 0) return undefined;
  const compiled = terms.map((term) => compileTerm(pod, term, labelsOf));
  const counts = compiled.map(({ topologyKey, matches }) => countByDomain(views, topologyKey, matches));
  return {
    check: ({ labels }) => {
      const meets = compiled.some(({ topologyKey }, index) => (counts[index]?.get(labels[topologyKey] ?? '') ?? 0) > 0);
      return meets ? "node(s) didn't match pod anti-affinity rules" : undefined;
    },
  };
}

/** The anti-affinity of pods that are there already: domains that they keep the pod out of. */
export function existingAntiAffinityRule(pod: Pod, views: readonly NodeView[], labelsOf: NamespaceLabels): PodRule {
  const closed = new Set<string>();
  for (const view of views) {
    for (const other of view.pods.values()) {
      for (const term of other.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
        const { topologyKey, matches } = compileTerm(other, term, labelsOf);
        const domain = view.labels[topologyKey];
        if (domain !== undefined && matches(pod)) closed.add(`${topologyKey}\0${domain}`);
      }
    }
  }
  return {
    check: ({ labels }) => {
      const isClosed = Object.entries(labels).some(([key, value]) => closed.has(`${key}\0${value}`));
      return isClosed ? "node(s) didn't satisfy existing pods anti-affinity rules" : undefined;
    },
  };
}

export interface Spread {
  readonly constraint: TopologySpreadConstraint;
  readonly counts: ReadonlyMap<string, number>;
  readonly matchesSelf: boolean;
}

/** The spread constraints of one kind, with how the matching pods are spread now. */
export function spreadsOf(
  pod: Pod,
  views: readonly NodeView[],
  when: TopologySpreadConstraint['whenUnsatisfiable'],
): readonly Spread[] {
  const constraints = (pod.spec?.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === when,
  );
  return constraints.map((constraint) => {
    const selector = withMatchLabelKeys(selectorFromObject(constraint.labelSelector), pod, constraint);
    const isEligible = (view: NodeView) =>
      (constraint.nodeAffinityPolicy === 'Ignore' || checkNodeAffinity(pod, view) === undefined) &&
      (constraint.nodeTaintsPolicy !== 'Honor' || checkTaints(pod, view) === undefined);
    const counts = countByDomain(
      views.filter(isEligible),
      constraint.topologyKey,
      ({ metadata }) =>
        metadata.namespace === pod.metadata.namespace &&
        metadata.deletionTimestamp === undefined &&
        selector(metadata.labels),
    );
    return { constraint, counts, matchesSelf: selector(pod.metadata.labels) };
  });
}

/** `whenUnsatisfiable: DoNotSchedule`: the skew after placing stays within maxSkew. */
export function spreadRule(pod: Pod, views: readonly NodeView[]): PodRule | undefined {
  const spreads = spreadsOf(pod, views, 'DoNotSchedule');
  if (spreads.length === 0) return undefined;
  return {
    check: ({ labels }) => {
      for (const spread of spreads) {
        const domain = labels[spread.constraint.topologyKey];
        if (domain === undefined)
          return "node(s) didn't match pod topology spread constraints (missing required label)";
        if (skewAfter(spread, domain) > spread.constraint.maxSkew)
          return "node(s) didn't match pod topology spread constraints";
      }
      return undefined;
    },
  };
}

function skewAfter({ constraint, counts, matchesSelf }: Spread, domain: string): number {
  const values = [...counts.values()];
  // With fewer domains than minDomains, the missing ones count as empty.
  const lowest = counts.size < (constraint.minDomains ?? 1) ? 0 : Math.min(...values);
  return (counts.get(domain) ?? 0) + Number(matchesSelf) - lowest;
}

/** Preferred terms of the pod, positive for affinity and negative for anti-affinity, as a score a domain. */
export function preferenceScorer(
  pod: Pod,
  views: readonly NodeView[],
  labelsOf: NamespaceLabels,
): ((view: NodeView) => number) | undefined {
  const affinity = pod.spec?.affinity;
  const signed = [
    ...(affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((each) => ({
      ...each,
      sign: 1,
    })),
    ...(affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((each) => ({
      ...each,
      sign: -1,
    })),
  ];
  if (signed.length === 0) return undefined;
  const scored = signed.map(({ weight, podAffinityTerm, sign }) => {
    const { topologyKey, matches } = compileTerm(pod, podAffinityTerm, labelsOf);
    return { topologyKey, weight: weight * sign, counts: countByDomain(views, topologyKey, matches) };
  });
  return ({ labels }) =>
    scored.reduce(
      (sum, { topologyKey, weight, counts }) => sum + weight * (counts.get(labels[topologyKey] ?? '') ?? 0),
      0,
    );
}
