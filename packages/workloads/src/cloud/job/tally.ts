/**
 * Counting ended pods exactly once. A pod keeps its finalizer until its uid stands in the stored status; it leaves the
 * list there for the counters only after the finalizer is seen gone. Whatever write is lost in between is done again.
 *
 * Invariant: the end of a pod is counted once, however often the controller stops or its caches lag.
 */
import type { Job, Pod } from '@skerry/api/types';
import { hasFailed, hasSucceeded, INDEX_FAILURES, indexOf, isIndexed, isTracked, specOf } from './facts.ts';
import { type FailureVerdict, judgeFailure } from './failure-policy.ts';
import { parseIndexes } from './indexes.ts';

export interface Tally {
  /** Settled counts, for the status. */
  readonly succeeded: number;
  readonly failed: number;
  /** Ends that are noted and not settled. */
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  readonly completedIndexes: readonly number[];
  readonly failedIndexes: readonly number[];
  /** Failures by index so far, for the annotation of the next pod. */
  readonly failuresOfIndex: ReadonlyMap<number, number>;
  /** Pods whose end the stored status knows, or that need not be counted. */
  readonly release: readonly Pod[];
  /** The first failure that fails the whole. */
  readonly fatal: FailureVerdict | undefined;
}

export function tally(job: Job, pods: readonly Pod[]): Tally {
  const { status = {} } = job;
  const tracked = pods.filter(isTracked);
  const uidOf = ({ metadata }: Pod) => metadata.uid ?? '';
  const held = new Set(tracked.map(uidOf));
  const { succeeded: oldSucceeded = [], failed: oldFailed = [] } = status.uncountedTerminatedPods ?? {};
  const noted = new Set([...oldSucceeded, ...oldFailed]);
  const news = tracked.filter((pod) => !noted.has(uidOf(pod)));
  const failures = news.filter((pod) => hasFailed(pod, job)).map((pod) => ({ pod, verdict: judgeFailure(pod, job) }));
  const succeeded = news.filter(hasSucceeded);
  const counted = failures.filter(({ verdict }) => verdict.action !== 'Ignore').map(({ pod }) => uidOf(pod));
  const limit = specOf(job).completions ?? 0;
  const stored = isIndexed(job) ? parseIndexes(status.completedIndexes, limit) : [];
  const indexes = indexTally(job, pods, { stored, succeeded, limit });
  const isHeld = (uid: string) => held.has(uid);
  return {
    succeeded: isIndexed(job)
      ? indexes.completedIndexes.length
      : (status.succeeded ?? 0) + oldSucceeded.filter((uid) => !isHeld(uid)).length,
    failed: (status.failed ?? 0) + oldFailed.filter((uid) => !isHeld(uid)).length,
    uncounted: {
      succeeded: isIndexed(job) ? [] : [...oldSucceeded.filter(isHeld), ...succeeded.map(uidOf)],
      failed: [...oldFailed.filter(isHeld), ...counted],
    },
    ...indexes,
    release: [
      ...tracked.filter((pod) => noted.has(uidOf(pod))),
      ...succeeded.filter((pod) => isIndexed(job) && isIn(stored, limit)(indexOf(pod))),
      ...failures.filter(({ verdict }) => verdict.action === 'Ignore').map(({ pod }) => pod),
    ],
    fatal: failures.find(({ verdict }) => verdict.action === 'FailJob')?.verdict,
  };
}

interface IndexInput {
  readonly stored: readonly number[];
  readonly succeeded: readonly Pod[];
  readonly limit: number;
}

function indexTally(
  job: Job,
  pods: readonly Pod[],
  { stored, succeeded, limit }: IndexInput,
): Pick<Tally, 'completedIndexes' | 'failedIndexes' | 'failuresOfIndex'> {
  if (!isIndexed(job)) return { completedIndexes: [], failedIndexes: [], failuresOfIndex: new Map() };
  const fresh = succeeded.map(indexOf).filter((index) => index !== undefined && index < limit);
  const completed = new Set([...stored, ...fresh.filter((index) => index !== undefined)]);
  const perIndex = specOf(job).backoffLimitPerIndex;
  const failuresOfIndex = new Map<number, number>();
  const failed = new Set(parseIndexes(job.status?.failedIndexes, limit));
  for (const pod of pods.filter((each) => hasFailed(each, job))) {
    const index = indexOf(pod);
    if (index === undefined || perIndex === undefined) continue;
    const { action } = judgeFailure(pod, job);
    const count = Number(pod.metadata.annotations?.[INDEX_FAILURES] ?? 0) + (action === 'Ignore' ? 0 : 1);
    failuresOfIndex.set(index, Math.max(count, failuresOfIndex.get(index) ?? 0));
    const isOver = action === 'FailIndex' || count > perIndex;
    if (isOver && index < limit && !completed.has(index)) failed.add(index);
  }
  return { completedIndexes: ascending(completed), failedIndexes: ascending(failed), failuresOfIndex };
}

function ascending(indexes: Iterable<number>): number[] {
  return [...indexes].sort((left, right) => left - right);
}

/** A pod of an index beyond the completions counts for nothing, so nothing need be stored before it is let go. */
function isIn(indexes: readonly number[], limit: number): (index: number | undefined) => boolean {
  const known = new Set(indexes);
  return (index) => index === undefined || index >= limit || known.has(index);
}
