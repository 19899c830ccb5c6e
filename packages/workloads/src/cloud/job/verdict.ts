/** Whether a Job is over, and why. Pure. */
import type { Job, JobCondition, Pod } from '@skerry/api/types';
import { findCondition } from '../conditions.ts';
import { parseTime } from '../timestamps.ts';
import { isIndexed, restartsOf, specOf } from './facts.ts';
import { parseIndexes } from './indexes.ts';
import type { Tally } from './tally.ts';

export interface Verdict {
  /** The interim condition: the outcome is certain, pods may still be on their way out. */
  readonly type: 'FailureTarget' | 'SuccessCriteriaMet';
  readonly reason: string;
  readonly message: string;
}

/** Undefined while the job goes on. An outcome that was written once stands. */
export function verdictOf(job: Job, counts: Tally, active: readonly Pod[], now: number): Verdict | undefined {
  return writtenVerdict(job) ?? failureVerdict(job, counts, active, now) ?? successVerdict(job, counts, active.length);
}

/** When the deadline will fail the job, in milliseconds from now. */
export function untilDeadline(job: Job, now: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = specOf(job);
  const start = parseTime(job.status?.startTime);
  if (activeDeadlineSeconds === undefined || start === undefined || suspend === true) return undefined;
  return start + activeDeadlineSeconds * 1000 - now;
}

function writtenVerdict({ status }: Job): Verdict | undefined {
  for (const type of ['FailureTarget', 'SuccessCriteriaMet'] as const) {
    const condition: JobCondition | undefined = findCondition(status?.conditions, type);
    if (condition?.status === 'True') return { type, reason: condition.reason ?? '', message: condition.message ?? '' };
  }
  return undefined;
}

function failureVerdict(job: Job, counts: Tally, active: readonly Pod[], now: number): Verdict | undefined {
  const { backoffLimit = 6, maxFailedIndexes, completions = 0 } = specOf(job);
  const { fatal, failedIndexes, completedIndexes } = counts;
  if (fatal !== undefined) return failure('PodFailurePolicy', fatal.message);
  if (counts.failed + counts.uncounted.failed.length > backoffLimit || restartsAreSpent(job, active)) {
    return failure('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  }
  if ((untilDeadline(job, now) ?? 1) <= 0) {
    return failure('DeadlineExceeded', 'Job was active longer than specified deadline');
  }
  if (failedIndexes.length === 0) return undefined;
  if (maxFailedIndexes !== undefined && failedIndexes.length > maxFailedIndexes) {
    return failure('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  }
  const isThrough = failedIndexes.length + completedIndexes.length >= completions;
  return isThrough ? failure('FailedIndexes', 'Job has failed indexes') : undefined;
}

/** Containers that restart in place are failures too, though no pod fails. */
function restartsAreSpent(job: Job, active: readonly Pod[]): boolean {
  const { backoffLimit = 6, template } = specOf(job);
  if (template.spec?.restartPolicy !== 'OnFailure') return false;
  const running = active.filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending');
  const restarts = running.reduce((sum, pod) => sum + restartsOf(pod), 0);
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit;
}

function successVerdict(job: Job, counts: Tally, active: number): Verdict | undefined {
  const { completions, successPolicy } = specOf(job);
  for (const [index, rule] of (isIndexed(job) ? (successPolicy?.rules ?? []) : []).entries()) {
    const { succeededIndexes, succeededCount } = rule;
    const wanted = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, completions ?? 0);
    const done = counts.completedIndexes.filter((each) => wanted === undefined || wanted.includes(each));
    if (done.length >= (succeededCount ?? wanted?.length ?? Number.POSITIVE_INFINITY)) {
      return success('SuccessPolicy', `Matched rules at index ${index}`);
    }
  }
  const succeeded = counts.succeeded + counts.uncounted.succeeded.length;
  // Without a number of completions, the first pod that succeeds says that there is no more work for new ones.
  const isDone = completions === undefined ? succeeded > 0 && active === 0 : succeeded >= completions;
  return isDone ? success('CompletionsReached', 'Reached expected number of succeeded pods') : undefined;
}

function failure(reason: string, message: string): Verdict {
  return { type: 'FailureTarget', reason, message };
}

function success(reason: string, message: string): Verdict {
  return { type: 'SuccessCriteriaMet', reason, message };
}
