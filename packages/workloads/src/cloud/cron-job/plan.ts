/** What a CronJob should start now, what it may forget, and when to look again. Pure. */
import type { CronJob, Job, ObjectReference } from '@skerry/api/types';
import { type CronSchedule, isTimeZone, lastCronTime, nextCronTime, parseCron } from '@skerry/api/validation';
import { finishedAt, hasCondition } from '../job/facts.ts';
import { controllerReference } from '../owners.ts';
import { createdAt, formatTime, parseTime } from '../timestamps.ts';

export const CRON_JOB = { group: 'batch', version: 'v1', kind: 'CronJob' } as const;
const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
const INSTANTIATE = 'cronjob.kubernetes.io/instantiate';
const DEFAULT_SUCCESSFUL_HISTORY = 3;
const DEFAULT_FAILED_HISTORY = 1;
/** More missed times than this are worth a warning: a clock may be wrong. */
const MANY_MISSED = 100;

export interface PlanEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface CronPlan {
  readonly create: Job | undefined;
  /** The time that `create` stands for. */
  readonly scheduledAt: number | undefined;
  /** Jobs that must make room. */
  readonly replace: readonly Job[];
  /** Finished jobs beyond the limits of history. */
  readonly forget: readonly Job[];
  readonly active: readonly Job[];
  readonly lastSuccessfulTime: string | undefined;
  readonly events: readonly PlanEvent[];
  readonly recheckAfterMs: number | undefined;
}

export function planCronJob(cronJob: CronJob, jobs: readonly Job[], now: number): CronPlan {
  const active = jobs.filter((job) => finishedAt(job) === undefined && !isManual(job)).sort(byAge);
  const forget = outdated(cronJob, jobs);
  const base: CronPlan = {
    create: undefined,
    scheduledAt: undefined,
    replace: [],
    forget,
    active,
    lastSuccessfulTime: lastSuccess(cronJob, jobs),
    events: completions(cronJob, jobs),
    recheckAfterMs: undefined,
  };
  const { suspend, timeZone, schedule: text } = cronJob.spec;
  if (suspend === true || cronJob.metadata.deletionTimestamp !== undefined) return base;
  const schedule = parseCron(text);
  if (schedule === undefined) return withEvent(base, 'UnparseableSchedule', `unparseable schedule: ${text}`);
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    return withEvent(base, 'UnknownTimeZone', `invalid timeZone: ${timeZone}`);
  }
  const next = nextCronTime(schedule, now, timeZone);
  const recheckAfterMs = next === undefined ? undefined : next - now;
  return { ...startDue(cronJob, { base, schedule, now }), recheckAfterMs };
}

interface Due {
  readonly base: CronPlan;
  readonly schedule: CronSchedule;
  readonly now: number;
}

function startDue(cronJob: CronJob, { base, schedule, now }: Due): CronPlan {
  const { timeZone: zone, startingDeadlineSeconds, concurrencyPolicy = 'Allow' } = cronJob.spec;
  const began = parseTime(cronJob.status?.lastScheduleTime ?? cronJob.metadata.creationTimestamp) ?? now;
  const deadline =
    startingDeadlineSeconds === undefined ? Number.NEGATIVE_INFINITY : now - startingDeadlineSeconds * 1000;
  const missed = lastCronTime(schedule, { since: began, now, zone });
  if (missed === undefined) return base;
  if (missed < deadline) {
    const message = `Missed scheduled time to start a job: ${new Date(missed).toUTCString()}`;
    return withEvent(base, 'MissSchedule', message);
  }
  const warned = isLongPause(schedule, Math.max(began, deadline), missed, zone)
    ? withEvent(base, 'TooManyMissedTimes', MISSED_MESSAGE)
    : base;
  const create = newJob(cronJob, missed);
  if (base.active.some(({ metadata }) => metadata.name === create.metadata.name)) return base;
  if (concurrencyPolicy === 'Forbid' && base.active.length > 0) {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    return withEvent(warned, 'JobAlreadyActive', message, 'Normal');
  }
  return { ...warned, create, scheduledAt: missed, replace: concurrencyPolicy === 'Replace' ? base.active : [] };
}

const MISSED_MESSAGE = `too many missed start times (> ${MANY_MISSED}). Set or decrease .spec.startingDeadlineSeconds or check clock skew`;

function isLongPause(schedule: CronSchedule, from: number, until: number, zone: string | undefined): boolean {
  let time: number | undefined = from;
  for (let count = 0; count <= MANY_MISSED; count++) {
    time = nextCronTime(schedule, time, zone);
    if (time === undefined || time > until) return false;
  }
  return true;
}

/** The name says the minute, so that the same time never starts two jobs. */
function newJob(cronJob: CronJob, scheduledAt: number): Job {
  const { name = '', namespace = '' } = cronJob.metadata;
  const { metadata, spec } = cronJob.spec.jobTemplate;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${name}-${Math.floor(scheduledAt / 60_000)}`,
      namespace,
      labels: { ...metadata?.labels },
      annotations: { ...metadata?.annotations, [SCHEDULED_AT]: formatTime(scheduledAt) },
      ownerReferences: [controllerReference(cronJob, CRON_JOB)],
    },
    spec: spec ?? { template: {} },
  };
}

export function activeReference({ metadata }: Job): ObjectReference {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = metadata;
  return { apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid, resourceVersion };
}

function isManual({ metadata }: Job): boolean {
  return metadata.annotations?.[INSTANTIATE] === 'manual';
}

function outdated({ spec }: CronJob, jobs: readonly Job[]): readonly Job[] {
  const succeeded = jobs.filter((job) => hasCondition(job, 'Complete'));
  const failed = jobs.filter((job) => hasCondition(job, 'Failed'));
  return [
    ...beyond(succeeded, spec.successfulJobsHistoryLimit ?? DEFAULT_SUCCESSFUL_HISTORY),
    ...beyond(failed, spec.failedJobsHistoryLimit ?? DEFAULT_FAILED_HISTORY),
  ].filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

function beyond(jobs: readonly Job[], limit: number): readonly Job[] {
  return [...jobs].sort(byAge).slice(0, Math.max(0, jobs.length - limit));
}

function byAge(left: Job, right: Job): number {
  return createdAt(left) - createdAt(right);
}

function lastSuccess({ status }: CronJob, jobs: readonly Job[]): string | undefined {
  const times = jobs.map((job) => job.status?.completionTime).filter((time) => time !== undefined);
  return [...times, ...(status?.lastSuccessfulTime === undefined ? [] : [status.lastSuccessfulTime])].sort().at(-1);
}

/** Jobs that were running when last looked at, and are not any more. */
function completions({ status }: CronJob, jobs: readonly Job[]): readonly PlanEvent[] {
  const byUid = new Map(jobs.map((job) => [job.metadata.uid, job]));
  return (status?.active ?? []).flatMap(({ uid, name }): PlanEvent[] => {
    const job = byUid.get(uid);
    if (job === undefined) {
      const message = `Active job went missing: ${name}`;
      return [{ type: 'Normal', reason: 'MissingJob', message }];
    }
    if (finishedAt(job) === undefined) return [];
    const condition = hasCondition(job, 'Complete') ? 'Complete' : 'Failed';
    return [
      { type: 'Normal', reason: 'SawCompletedJob', message: `Saw completed job: ${name}, condition: ${condition}` },
    ];
  });
}

function withEvent(plan: CronPlan, reason: string, message: string, type: PlanEvent['type'] = 'Warning'): CronPlan {
  return { ...plan, events: [...plan.events, { type, reason, message }] };
}
