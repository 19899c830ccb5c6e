/** What a pod's status says of it. */
import type { Pod } from '@skerry/api/types';
import { hasEnded, isReady, isTerminating, readyCondition } from '../endpoints/pod-state.ts';
import { parseTime } from './timestamps.ts';

export { hasEnded, isReady, isTerminating };

/** Counts as one that its controller has. */
export function isActive(pod: Pod): boolean {
  return !hasEnded(pod) && !isTerminating(pod);
}

/** Milliseconds until a ready pod counts as available, 0 or less when it does; undefined when it is not ready. */
export function untilAvailable(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isReady(pod)) return undefined;
  if (minReadySeconds === 0) return 0;
  const since = readySince(pod);
  return since === undefined ? undefined : since + minReadySeconds * 1000 - now;
}

/** When it became ready; undefined when it is not, or does not say. */
export function readySince(pod: Pod): number | undefined {
  const condition = readyCondition(pod.status);
  return condition?.status === 'True' ? parseTime(condition.lastTransitionTime) : undefined;
}
