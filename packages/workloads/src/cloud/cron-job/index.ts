/** CronJob: starts a Job whenever its schedule says so. */
import { isStatus } from '@skerry/api';
import type { CronJob, CronJobStatus, Job } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import type { Recorder } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, type Requeue, reading, watching } from '@skerry/kube/controller';
import { isSameStatus } from '../canonical.ts';
import type { CloudContext } from '../context.ts';
import { Expectations, STALE_CACHE_RECHECK_MS } from '../expectations.ts';
import { controlledBy, controllerOf, indexByController, isControlledBy } from '../owners.ts';
import { CRON_JOBS, JOBS } from '../resources.ts';
import { formatTime } from '../timestamps.ts';
import { deleteIfThere, isNamespaceGoing, refOf } from '../writes.ts';
import { activeReference, CRON_JOB, type CronPlan, planCronJob } from './plan.ts';

export function cronJobController(context: CloudContext): ControllerSpec {
  const world = openWorld(context);
  const { cronJobs, jobs } = world;
  return {
    name: 'cronjob',
    watches: [
      watching(cronJobs, ({ object }) => [keyOf(object)]),
      watching(jobs, ({ object }) => {
        const owner = controllerOf(object);
        return owner?.kind === CRON_JOB.kind ? [`${object.metadata.namespace}/${owner.name}`] : [];
      }),
    ],
    reconcile: (key) => reconcile(world, key),
  };
}

interface World extends CloudContext {
  readonly cronJobs: Informer<CronJob>;
  readonly jobs: Informer<Job>;
  readonly expectations: Expectations;
  readonly events: Recorder;
}

function openWorld(context: CloudContext): World {
  const jobs = context.informers.informer<Job>({ gvr: JOBS });
  indexByController(jobs);
  return {
    ...context,
    cronJobs: context.informers.informer<CronJob>({ gvr: CRON_JOBS }),
    jobs,
    expectations: new Expectations(reading(jobs), context.clock),
    events: context.recorder('cronjob-controller'),
  };
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { cronJobs, jobs, expectations, clock, events } = world;
  const cronJob = cronJobs.cache.get(key);
  if (cronJob === undefined) {
    expectations.forget(key);
    return undefined;
  }
  if (!expectations.areMet(key)) return { afterMs: STALE_CACHE_RECHECK_MS };
  const plan = planCronJob(cronJob, controlledBy(jobs, cronJob), clock.now());
  for (const { type, reason, message } of plan.events) events.event(cronJob, type, reason, message);
  for (const job of plan.forget) await remove(world, cronJob, job);
  for (const job of plan.replace) await remove(world, cronJob, job);
  const started = plan.create === undefined ? undefined : await start(world, cronJob, plan.create);
  await writeStatus(world, cronJob, plan, started);
  return plan.recheckAfterMs === undefined ? undefined : { afterMs: plan.recheckAfterMs };
}

async function remove({ client, events }: World, cronJob: CronJob, job: Job): Promise<void> {
  const { uid, name } = job.metadata;
  const options = { propagationPolicy: 'Background', ...(uid === undefined ? {} : { uid }) } as const;
  if (await deleteIfThere(client, refOf(JOBS, job), options)) {
    events.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  }
}

/** Undefined when the job could not be started and will not be for this time. */
async function start({ client, expectations, events }: World, cronJob: CronJob, job: Job): Promise<Job | undefined> {
  try {
    const made = await client.create<Job>(JOBS, job);
    expectations.created(keyOf(cronJob), made);
    events.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${made.metadata.name}`);
    return made;
  } catch (error) {
    if (isNamespaceGoing(error)) return undefined;
    if (isStatus(error, 'AlreadyExists')) return adoptStarted(client, cronJob, job, events);
    events.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
    throw error;
  }
}

// Started before, and the status was not written any more; or somebody else's job has the name.
async function adoptStarted(
  client: World['client'],
  cronJob: CronJob,
  job: Job,
  events: Recorder,
): Promise<Job | undefined> {
  const live = await client.get<Job>(refOf(JOBS, job));
  if (isControlledBy(live, cronJob)) return live;
  events.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${live.metadata.name} exists already`);
  return undefined;
}

async function writeStatus(world: World, cronJob: CronJob, plan: CronPlan, started: Job | undefined): Promise<void> {
  const { scheduledAt, replace, lastSuccessfulTime } = plan;
  const kept = plan.active.filter((job) => !replace.includes(job));
  const known = new Map(cronJob.status?.active?.map((reference) => [reference.uid, reference]));
  const active = (started === undefined ? kept : [...kept, started]).map(
    (job) => known.get(job.metadata.uid ?? '') ?? activeReference(job),
  );
  const lastScheduleTime = scheduledAt === undefined ? cronJob.status?.lastScheduleTime : formatTime(scheduledAt);
  const status: CronJobStatus = {
    ...(active.length === 0 ? {} : { active }),
    ...(lastScheduleTime === undefined ? {} : { lastScheduleTime }),
    ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }),
  };
  if (isSameStatus(status, cronJob.status)) return;
  await world.client.update<CronJob>(CRON_JOBS, { ...cronJob, status }, { subresource: 'status' });
}
