/** What a namespace that is on its way out says of what still holds it. Pure. */
import type { NamespaceCondition } from '@skerry/api/types';
import { withCondition } from '../conditions.ts';
import { formatTime } from '../timestamps.ts';

/** What is left of one resource. */
export interface Remainder {
  /** `pods.` or `deployments.apps`, as Kubernetes writes it. */
  readonly resource: string;
  readonly count: number;
  readonly finalizers: readonly string[];
  /** Why it could not be deleted. */
  readonly failure?: string;
}

export function deletionConditions(
  current: readonly NamespaceCondition[] | undefined,
  remainders: readonly Remainder[],
  now: number,
): NamespaceCondition[] {
  const failures = remainders.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  const left = remainders.filter(({ count }) => count > 0);
  const finalizers = countFinalizers(left);
  const findings: readonly Finding[] = [
    found('NamespaceDeletionDiscoveryFailure', undefined, [
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ]),
    found('NamespaceDeletionGroupVersionParsingFailure', undefined, [
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ]),
    found(
      'NamespaceDeletionContentFailure',
      failures.length === 0
        ? undefined
        : [
            'ContentDeletionFailed',
            `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(', ')}`,
          ],
      ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
    ),
    found(
      'NamespaceContentRemaining',
      left.length === 0
        ? undefined
        : ['SomeResourcesRemain', `Some resources are remaining: ${left.map(inWords).join(', ')}`],
      ['ContentRemoved', 'All content successfully removed'],
    ),
    found(
      'NamespaceFinalizersRemaining',
      finalizers.length === 0
        ? undefined
        : ['SomeFinalizersRemain', `Some content in the namespace has finalizers remaining: ${finalizers.join(', ')}`],
      ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
    ),
  ];
  return findings.reduce<NamespaceCondition[]>(
    (conditions, finding) => withCondition(conditions, { ...finding, lastTransitionTime: formatTime(now) }),
    [...(current ?? [])],
  );
}

interface Finding {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

type Told = readonly [reason: string, message: string];

function found(type: string, problem: Told | undefined, otherwise: Told): Finding {
  const [reason, message] = problem ?? otherwise;
  return { type, status: problem === undefined ? 'False' : 'True', reason, message };
}

function inWords({ resource, count }: Remainder): string {
  return `${resource} has ${count} resource instances`;
}

function countFinalizers(remainders: readonly Remainder[]): string[] {
  const counts = new Map<string, number>();
  for (const finalizer of remainders.flatMap(({ finalizers }) => finalizers)) {
    counts.set(finalizer, (counts.get(finalizer) ?? 0) + 1);
  }
  return [...counts].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`).sort();
}
