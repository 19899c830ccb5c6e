/** Which nodes a pod may be on, by its selector and its required affinity. Pure. */
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '@skerry/api/types';

export function mayBeOn({ spec }: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!Object.entries(spec?.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** A term without requirements matches nothing (core/v1 NodeSelectorTerm). */
export function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  const onFields = matchFields.every((each) =>
    matchesRequirement(each, each.key === 'metadata.name' ? node.metadata.name : undefined),
  );
  return onFields && matchExpressions.every((each) => matchesRequirement(each, labels[each.key]));
}

function matchesRequirement({ operator, values = [] }: NodeSelectorRequirement, actual: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return actual === undefined || !values.includes(actual);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    case 'Gt':
      return actual !== undefined && Number(actual) > Number(values[0]);
    case 'Lt':
      return actual !== undefined && Number(actual) < Number(values[0]);
    default:
      return operator satisfies never;
  }
}
