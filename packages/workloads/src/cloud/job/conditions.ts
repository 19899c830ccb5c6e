/** A Job's conditions and times, as its verdict and its suspension make them. Pure. */
import type { Job, JobCondition, JobStatus } from '@skerry/api/types';
import { findCondition, withCondition } from '../conditions.ts';
import { formatTime, parseTime } from '../timestamps.ts';
import { finishedAt, specOf } from './facts.ts';
import type { Verdict } from './verdict.ts';

export type JobProgress = Pick<JobStatus, 'conditions' | 'startTime' | 'completionTime'>;

export interface ProgressInput {
  readonly job: Job;
  readonly verdict: Verdict | undefined;
  /** No pod is left that runs, leaves, or is not counted. */
  readonly isQuiet: boolean;
  readonly now: number;
}

export function progressOf({ job, verdict, isQuiet, now }: ProgressInput): JobProgress {
  const { status = {} } = job;
  const before = pick(status);
  if (finishedAt(job) !== undefined) return before;
  const at = formatTime(now);
  const started = startOf(job, at);
  if (verdict === undefined) return { ...started, ...listed(suspension(job, at)) };
  let conditions = withCondition(status.conditions, condition(verdict.type, verdict, at));
  if (!isQuiet) return { ...started, conditions };
  const isSuccess = verdict.type === 'SuccessCriteriaMet';
  conditions = withCondition(conditions, condition(isSuccess ? 'Complete' : 'Failed', verdict, at));
  return { ...started, conditions, ...(isSuccess ? { completionTime: at } : {}) };
}

/** When it started; a job that was suspended starts anew. */
function startOf({ status, spec }: Job, at: string): Pick<JobStatus, 'startTime'> {
  const isSuspended = findCondition(status?.conditions, 'Suspended')?.status === 'True';
  if (spec?.suspend === true) return status?.startTime === undefined ? {} : { startTime: status.startTime };
  const isKnown = status?.startTime !== undefined && !isSuspended;
  return { startTime: isKnown && parseTime(status.startTime) !== undefined ? (status.startTime ?? at) : at };
}

function suspension(job: Job, at: string): JobCondition[] {
  const conditions = job.status?.conditions;
  if (specOf(job).suspend === true) {
    return withCondition(conditions, condition('Suspended', { reason: 'JobSuspended', message: 'Job suspended' }, at));
  }
  if (findCondition(conditions, 'Suspended')?.status !== 'True') return [...(conditions ?? [])];
  const resumed = condition('Suspended', { reason: 'JobResumed', message: 'Job resumed' }, at);
  return withCondition(conditions, { ...resumed, status: 'False' });
}

function condition(type: string, { reason, message }: Pick<Verdict, 'reason' | 'message'>, at: string): JobCondition {
  return { type, status: 'True', reason, message, lastProbeTime: at, lastTransitionTime: at };
}

function listed(conditions: JobCondition[]): Pick<JobStatus, 'conditions'> {
  return conditions.length === 0 ? {} : { conditions };
}

function pick({ conditions, startTime, completionTime }: JobStatus): JobProgress {
  return {
    ...(conditions === undefined ? {} : { conditions }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(completionTime === undefined ? {} : { completionTime }),
  };
}
