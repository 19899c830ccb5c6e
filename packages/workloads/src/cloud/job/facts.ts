/** What a Job's spec and its pods say, each fact read in one place. Pure. */
import type { Job, JobSpec, Pod } from '@skerry/api/types';
import { findCondition } from '../conditions.ts';
import { hasEnded, isTerminating } from '../pod-facts.ts';
import { parseTime } from '../timestamps.ts';

export const JOB = { group: 'batch', version: 'v1', kind: 'Job' } as const;
/** Holds a pod until its end is counted. */
export const TRACKING = 'batch.kubernetes.io/job-tracking';
export const JOB_NAME = 'batch.kubernetes.io/job-name';
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
export const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count';

export function specOf({ spec }: Job): JobSpec {
  return spec ?? { template: {} };
}

export function isIndexed(job: Job): boolean {
  return specOf(job).completionMode === 'Indexed';
}

/** Replacements wait until a pod has really failed, rather than for its deletion. */
export function replacesOnlyFailed(job: Job): boolean {
  return specOf(job).podReplacementPolicy === 'Failed';
}

export function hasCondition({ status }: Job, type: string): boolean {
  return findCondition(status?.conditions, type)?.status === 'True';
}

/** When it completed or failed; undefined while it goes on. */
export function finishedAt({ status }: Job): number | undefined {
  for (const type of ['Complete', 'Failed']) {
    const condition = findCondition(status?.conditions, type);
    if (condition?.status === 'True') return parseTime(condition.lastTransitionTime) ?? 0;
  }
  return undefined;
}

export function isTracked({ metadata }: Pod): boolean {
  return metadata.finalizers?.includes(TRACKING) === true;
}

export function indexOf({ metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[COMPLETION_INDEX] ?? metadata.labels?.[COMPLETION_INDEX];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

export function hasSucceeded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded';
}

/** Has failed, or is deleted and will not be waited for. */
export function hasFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (!isTerminating(pod) || hasSucceeded(pod)) return false;
  // Nobody is left who could say how it ended.
  if (!pod.spec?.nodeName || pod.metadata.deletionGracePeriodSeconds === 0) return true;
  return !replacesOnlyFailed(job);
}

/** On its way out and not ended yet. */
export function isLeaving(pod: Pod): boolean {
  return isTerminating(pod) && !hasEnded(pod);
}

/** When the last container ended; for a pod that never ran, when it was made or deleted. */
export function endedAt({ metadata, status }: Pod): number {
  const ends = (status?.containerStatuses ?? []).map(({ state }) => parseTime(state?.terminated?.finishedAt) ?? 0);
  const latest = Math.max(0, ...ends);
  return latest || (parseTime(metadata.deletionTimestamp ?? metadata.creationTimestamp) ?? 0);
}

export function restartsOf({ status }: Pod): number {
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return statuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
}
