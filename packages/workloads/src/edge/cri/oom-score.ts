/** Who dies first when the machine runs out of memory, by the pod's quality of service. Pure. */
import type { Container, Pod } from '../pod/types.ts';
import { limitsOf, parseQuantity } from '../quantity.ts';

const GUARANTEED = -997;
const BEST_EFFORT = 1000;
/** Between the two, so that what asked for less than it uses goes first. */
const BURSTABLE = { least: 3, most: 999 } as const;

export function oomScoreOf(pod: Pod, container: Container, memoryTotal: number): number {
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  if (all.every(isGuaranteed)) return GUARANTEED;
  if (all.every(asksForNothing)) return BEST_EFFORT;
  const request = parseQuantity(container.resources?.requests?.['memory'] ?? '0') ?? 0;
  const score = Math.floor(1000 - (1000 * request) / memoryTotal);
  return Math.min(BURSTABLE.most, Math.max(BURSTABLE.least, score));
}

function isGuaranteed({ resources }: Container): boolean {
  const { limits = {}, requests = limits } = resources ?? {};
  return ['cpu', 'memory'].every((name) => {
    const limit = parseQuantity(limits[name] ?? '0') ?? 0;
    return limit > 0 && parseQuantity(requests[name] ?? limits[name] ?? '0') === limit;
  });
}

function asksForNothing({ resources }: Container): boolean {
  const { memoryBytes, cpuMillis, cpuShareMillis } = limitsOf(resources);
  const memory = parseQuantity(resources?.requests?.['memory'] ?? '0') ?? 0;
  return memoryBytes === undefined && cpuMillis === undefined && cpuShareMillis === undefined && memory === 0;
}
