/** What a Job needs next: pods to make, to let go and to end, and what its status should say. Pure. */
import type { Job, JobStatus, Pod } from '@skerry/api/types';
import { isActive, isReady } from '../pod-facts.ts';
import { rankForDeletion } from '../replica-set/rank.ts';
import { progressOf } from './conditions.ts';
import {
  endedAt,
  finishedAt,
  hasFailed,
  hasSucceeded,
  indexOf,
  isIndexed,
  isLeaving,
  isTracked,
  replacesOnlyFailed,
  specOf,
} from './facts.ts';
import { formatIndexes } from './indexes.ts';
import { type Tally, tally } from './tally.ts';
import { untilDeadline, type Verdict, verdictOf } from './verdict.ts';

/** At most so many pods are made in one go. */
const MAX_BURST = 500;
/** The pause after the first failure; it doubles with each further one. */
const BACKOFF_MS = 10_000;
const MAX_BACKOFF_MS = 10 * 60_000;

/** A pod to be made. */
export interface NewPod {
  readonly index?: number;
  /** How often pods of its index failed before, where failures are counted by index. */
  readonly failures?: number;
}

export interface JobPlan {
  readonly status: JobStatus;
  readonly create: readonly NewPod[];
  /** Pods to let go and to end that count neither way. */
  readonly dismiss: readonly Pod[];
  /** Pods to end, whose end counts. */
  readonly end: readonly Pod[];
  /** Pods whose finalizer has done its work. */
  readonly release: readonly Pod[];
  readonly recheckAfterMs: number | undefined;
}

export function planJob(job: Job, pods: readonly Pod[], now: number): JobPlan {
  const counts = tally(job, pods);
  const active = pods.filter((pod) => isActive(pod));
  const leaving = pods.filter(isLeaving);
  if (finishedAt(job) !== undefined || job.metadata.deletionTimestamp !== undefined) return afterwards(job, pods);
  const verdict = verdictOf(job, counts, active, now);
  const { uncounted } = counts;
  const isQuiet =
    active.length + leaving.length + uncounted.succeeded.length + uncounted.failed.length === 0 &&
    counts.release.length === 0;
  const progress = progressOf({ job, verdict, isQuiet, now });
  const steps = stepsOf({ job, pods, active, leaving, counts, verdict, now });
  return {
    ...steps,
    status: { ...progress, ...countsOf(job, counts, active, leaving) },
    release: counts.release,
    recheckAfterMs: earliest(steps.recheckAfterMs, verdict === undefined ? untilDeadline(job, now) : undefined),
  };
}

/** A job that is over, or goes, wants nothing more of its pods. */
function afterwards(job: Job, pods: readonly Pod[]): JobPlan {
  const isOver = finishedAt(job) !== undefined;
  return {
    status: job.status ?? {},
    create: [],
    dismiss: isOver ? pods.filter(isActive) : [],
    end: [],
    release: pods.filter((pod) => isTracked(pod) && !(isOver && isActive(pod))),
    recheckAfterMs: undefined,
  };
}

function countsOf(job: Job, counts: Tally, active: readonly Pod[], leaving: readonly Pod[]): JobStatus {
  const { succeeded, failed, uncounted, completedIndexes, failedIndexes } = counts;
  return {
    active: active.length,
    ready: active.filter(isReady).length,
    terminating: leaving.length,
    succeeded,
    failed,
    uncountedTerminatedPods: {
      ...(uncounted.succeeded.length === 0 ? {} : { succeeded: [...uncounted.succeeded] }),
      ...(uncounted.failed.length === 0 ? {} : { failed: [...uncounted.failed] }),
    },
    ...(completedIndexes.length === 0 ? {} : { completedIndexes: formatIndexes(completedIndexes) }),
    ...(isIndexed(job) && specOf(job).backoffLimitPerIndex !== undefined
      ? { failedIndexes: formatIndexes(failedIndexes) }
      : {}),
  };
}

interface StepInput {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly active: readonly Pod[];
  readonly leaving: readonly Pod[];
  readonly counts: Tally;
  readonly verdict: Verdict | undefined;
  readonly now: number;
}

type Steps = Pick<JobPlan, 'create' | 'dismiss' | 'end' | 'recheckAfterMs'>;

const NOTHING: Steps = { create: [], dismiss: [], end: [], recheckAfterMs: undefined };

function stepsOf(input: StepInput): Steps {
  const { job, active, verdict } = input;
  if (verdict?.type === 'FailureTarget') return { ...NOTHING, end: active };
  if (verdict !== undefined || specOf(job).suspend === true) return { ...NOTHING, dismiss: active };
  const excess = excessOf(input);
  if (excess.length > 0) return { ...NOTHING, dismiss: excess };
  const places = missingPlaces(input);
  if (places.length === 0) return NOTHING;
  const perIndex = specOf(job).backoffLimitPerIndex !== undefined;
  const waits = places.map(({ index }) => backoffLeft(input, perIndex ? index : undefined));
  const later = waits.filter((wait) => wait > 0);
  return {
    ...NOTHING,
    create: places.filter((_, at) => (waits[at] ?? 0) <= 0),
    recheckAfterMs: later.length === 0 ? undefined : Math.min(...later),
  };
}

function excessOf(input: StepInput): readonly Pod[] {
  const { job, active } = input;
  if (!isIndexed(job)) return rankForDeletion(active).slice(0, Math.max(0, active.length - wantedActive(input)));
  const { completions = 0 } = specOf(job);
  const done = new Set([...input.counts.completedIndexes, ...input.counts.failedIndexes]);
  const seen = new Set<number>();
  const spare = active.filter((pod) => {
    const index = indexOf(pod);
    if (index === undefined || index >= completions || done.has(index) || seen.has(index)) return true;
    seen.add(index);
    return false;
  });
  const kept = active.filter((pod) => !spare.includes(pod));
  return [...spare, ...rankForDeletion(kept).slice(0, Math.max(0, kept.length - wantedActive(input)))];
}

function wantedActive({ job, active, counts }: StepInput): number {
  const { completions, parallelism = 1 } = specOf(job);
  const succeeded = counts.succeeded + counts.uncounted.succeeded.length;
  if (completions === undefined) return succeeded > 0 ? Math.min(active.length, parallelism) : parallelism;
  return Math.min(completions - succeeded - counts.failedIndexes.length, parallelism);
}

function missingPlaces(input: StepInput): readonly NewPod[] {
  const { job, active, leaving, counts } = input;
  const held = replacesOnlyFailed(job) ? leaving : [];
  const missing = Math.min(MAX_BURST, wantedActive(input) - active.length - held.length);
  if (missing <= 0) return [];
  if (!isIndexed(job)) return Array.from({ length: missing }, () => ({}));
  const { completions = 0, backoffLimitPerIndex } = specOf(job);
  const taken = new Set([...counts.completedIndexes, ...counts.failedIndexes, ...[...active, ...held].map(indexOf)]);
  const places: NewPod[] = [];
  for (let index = 0; index < completions && places.length < missing; index++) {
    if (taken.has(index)) continue;
    const failures = counts.failuresOfIndex.get(index) ?? 0;
    places.push(backoffLimitPerIndex === undefined ? { index } : { index, failures });
  }
  return places;
}

/** Milliseconds until a pod may follow those that failed since the last success. */
function backoffLeft({ job, pods, now }: StepInput, index: number | undefined): number {
  const concerned = index === undefined ? pods : pods.filter((pod) => indexOf(pod) === index);
  const lastSuccess = Math.max(0, ...concerned.filter(hasSucceeded).map(endedAt));
  const failures = concerned
    .filter((pod) => hasFailed(pod, job))
    .map(endedAt)
    .filter((at) => at > lastSuccess);
  if (failures.length === 0) return 0;
  const pause = Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** (failures.length - 1));
  return Math.max(...failures) + pause - now;
}

function earliest(...delays: readonly (number | undefined)[]): number | undefined {
  const known = delays.filter((delay) => delay !== undefined);
  return known.length === 0 ? undefined : Math.max(0, Math.min(...known));
}
