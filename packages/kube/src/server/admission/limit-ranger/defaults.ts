/** What containers ask for when they do not say. */
import type { Container, LimitRangeItem, Pod } from '@skerry/api/types';

const ANNOTATION = 'kubernetes.io/limit-ranger';

/** Fills in what is missing, and notes in an annotation what was. */
export function fillResources(pod: Pod, items: readonly LimitRangeItem[]): void {
  const defaults = items.filter(({ type }) => type === 'Container');
  const limits = Object.assign({}, ...defaults.map((item) => item.default)) as Record<string, string>;
  const requests = Object.assign({}, ...defaults.map((item) => item.defaultRequest)) as Record<string, string>;
  const fill = (container: Container, of: string): string[] => {
    const filled = [
      [fillList(container, 'requests', requests), 'request'],
      [fillList(container, 'limits', limits), 'limit'],
    ] as const;
    return filled
      .filter(([names]) => names.length > 0)
      .map(([names, list]) => `${names.join(', ')} ${list} for ${of} ${container.name}`);
  };
  const notes = [
    ...(pod.spec?.containers ?? []).flatMap((container) => fill(container, 'container')),
    ...(pod.spec?.initContainers ?? []).flatMap((container) => fill(container, 'init container')),
  ];
  if (notes.length === 0) return;
  const annotations = { ...pod.metadata.annotations, [ANNOTATION]: `LimitRanger plugin set: ${notes.join('; ')}` };
  pod.metadata.annotations = annotations;
}

/** The names that were missing. */
function fillList(container: Container, list: 'requests' | 'limits', from: Record<string, string>): string[] {
  const given = container.resources?.[list] ?? {};
  const missing = Object.keys(from)
    .filter((name) => !Object.hasOwn(given, name))
    .sort();
  if (missing.length === 0) return missing;
  const added = Object.fromEntries(missing.map((name) => [name, from[name] ?? '']));
  container.resources = { ...container.resources, [list]: { ...given, ...added } };
  return missing;
}
