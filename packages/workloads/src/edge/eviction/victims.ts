/** Who goes when a node runs short: over its request first, then the least important, then the greediest. Pure. */
import { formatQuantity } from '@skerry/api/quantity';
import { containerRequest, isCritical, type PodUsage, RESOURCE_OF, type Resource, requestOf } from './pod-usage.ts';
import type { Observation } from './pressure.ts';
import { type Threshold, unitsOf } from './thresholds.ts';

/** In the order in which they go. Critical pods never do. */
export function rankVictims(pods: readonly PodUsage[], { signal }: Threshold): readonly PodUsage[] {
  const resource = RESOURCE_OF[signal];
  return pods
    .filter(({ pod }) => !isCritical(pod))
    .toSorted(
      (one, other) =>
        exceeds(other, resource) - exceeds(one, resource) ||
        priorityOf(one) - priorityOf(other) ||
        excess(other, resource) - excess(one, resource),
    );
}

/** What a pod is told when it is ended: the shortage, and which of its containers use more than they asked for. */
export function describeEviction(victim: PodUsage, threshold: Threshold, { available, capacity }: Observation): string {
  const resource = RESOURCE_OF[threshold.signal];
  const least = show(unitsOf(threshold.least, capacity), resource);
  const shortage = `The node was low on resource: ${resource}. Threshold quantity: ${least}, available: ${show(available, resource)}. `;
  return `${shortage}${victim.pod.spec.containers
    .flatMap((container) => {
      const used = victim.containers[container.name]?.[resource] ?? 0;
      const request = containerRequest(container, resource);
      if (used <= request) return [];
      return `Container ${container.name} was using ${show(used, resource)}, request is ${show(request, resource)}, has larger consumption of ${resource}. `;
    })
    .join('')}`;
}

/** Only of what can be requested. */
function exceeds(usage: PodUsage, resource: Resource): number {
  return resource !== 'pids' && excess(usage, resource) > 0 ? 1 : 0;
}

function excess({ pod, total }: PodUsage, resource: Resource): number {
  return (total[resource] ?? 0) - requestOf(pod, resource);
}

function priorityOf({ pod }: PodUsage): number {
  return pod.spec.priority ?? 0;
}

function show(units: number, resource: Resource): string {
  const format = resource === 'memory' || resource === 'ephemeral-storage' ? 'BinarySI' : 'DecimalSI';
  return formatQuantity({ nano: BigInt(Math.ceil(units)) * 1_000_000_000n, format });
}
