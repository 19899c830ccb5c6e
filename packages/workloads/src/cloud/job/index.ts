/** Job: pods that run to their end, as often as it takes. */

import { isStatus } from '@skerry/api';
import type { Job, Pod } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import type { Recorder } from '@skerry/kube/client';
import {
  type Change,
  type ControllerSpec,
  formatObjectKey,
  type Informer,
  keyOf,
  parseObjectKey,
  type Requeue,
  reading,
  watching,
} from '@skerry/kube/controller';
import { isSameStatus } from '../canonical.ts';
import { applyClaims, diffClaims } from '../claim.ts';
import { findCondition } from '../conditions.ts';
import type { CloudContext } from '../context.ts';
import { Expectations, STALE_CACHE_RECHECK_MS } from '../expectations.ts';
import { ownerKeys, ownSelector } from '../owner-keys.ts';
import { controlledBy, controllerOf, indexByController, orphansIn } from '../owners.ts';
import { isActive } from '../pod-facts.ts';
import { JOBS, PODS } from '../resources.ts';
import { slowStart } from '../slow-start.ts';
import { deleteIfThere, isNamespaceGoing, refOf } from '../writes.ts';
import { finishedAt, hasCondition, isTracked, JOB, JOB_NAME, specOf, TRACKING } from './facts.ts';
import { type JobPlan, planJob } from './plan.ts';
import { jobPod } from './pod.ts';

export function jobController(context: CloudContext): ControllerSpec {
  const world = openWorld(context);
  const { jobs, pods } = world;
  return {
    name: 'job',
    watches: [
      watching(jobs, ({ object }) => [keyOf(object)]),
      watching(pods, (change) => [...ownerKeys({ kind: JOB.kind, informer: jobs }, change), ...lostJobOf(change)]),
    ],
    reconcile: (key) => reconcile(world, key),
    concurrency: 8,
  };
}

interface World extends CloudContext {
  readonly jobs: Informer<Job>;
  readonly pods: Informer<Pod>;
  readonly expectations: Expectations;
  readonly events: Recorder;
}

function openWorld(context: CloudContext): World {
  const pods = context.informers.informer<Pod>({ gvr: PODS });
  indexByController(pods);
  return {
    ...context,
    jobs: context.informers.informer<Job>({ gvr: JOBS }),
    pods,
    expectations: new Expectations(reading(pods), context.clock),
    events: context.recorder('job-controller'),
  };
}

/** A pod that a job held and that has no owner any more must be let go all the same. */
function lostJobOf({ object }: Change<Pod>): readonly string[] {
  const name = object.metadata.labels?.[JOB_NAME];
  if (name === undefined || !isTracked(object) || controllerOf(object) !== undefined) return [];
  return [formatObjectKey({ namespace: object.metadata.namespace ?? '', name })];
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { jobs, expectations, clock } = world;
  const job = jobs.cache.get(key);
  await releaseLost(world, key);
  if (job === undefined) {
    expectations.forget(key);
    return undefined;
  }
  if (specOf(job).managedBy !== undefined && specOf(job).managedBy !== 'kubernetes.io/job-controller') return undefined;
  const ttlMs = untilExpired(job, clock.now());
  if (ttlMs !== undefined && ttlMs <= 0) return expire(world, job);
  // Asked before the pods are read: what arrives in between is counted rather than missed.
  if (!expectations.areMet(key)) return { afterMs: STALE_CACHE_RECHECK_MS };
  const plan = planJob(job, await claimPods(world, job), clock.now());
  await carryOut(world, job, plan);
  const delays = [plan.recheckAfterMs, ttlMs].filter((delay) => delay !== undefined);
  return delays.length === 0 ? undefined : { afterMs: Math.min(...delays) };
}

/** Pods of a job that is gone, or that it did not take along. */
async function releaseLost({ client, jobs, pods }: World, key: string): Promise<void> {
  const { namespace, name } = parseObjectKey(key);
  const job = jobs.cache.get(key);
  for (const pod of pods.cache.inNamespace(namespace)) {
    if (!isTracked(pod) || pod.metadata.labels?.[JOB_NAME] !== name) continue;
    const owner = controllerOf(pod);
    const isLost = owner === undefined ? job === undefined : owner.kind === JOB.kind && owner.uid !== job?.metadata.uid;
    if (isLost) await release(client, pod);
  }
}

function untilExpired(job: Job, now: number): number | undefined {
  const { ttlSecondsAfterFinished } = specOf(job);
  const finished = finishedAt(job);
  const isGoing = job.metadata.deletionTimestamp !== undefined;
  if (ttlSecondsAfterFinished === undefined || finished === undefined || isGoing) return undefined;
  return finished + ttlSecondsAfterFinished * 1000 - now;
}

async function expire({ client }: World, job: Job): Promise<undefined> {
  const { uid } = job.metadata;
  await deleteIfThere(client, refOf(JOBS, job), {
    propagationPolicy: 'Foreground',
    ...(uid === undefined ? {} : { uid }),
  });
}

function claimPods({ client, pods }: World, job: Job): Promise<readonly Pod[]> {
  const claims = diffClaims({
    owner: job,
    selector: ownSelector(job),
    controlled: controlledBy(pods, job),
    orphans: orphansIn(pods, job.metadata.namespace ?? '').filter(isActive),
  });
  return applyClaims({ client, ownerGvr: JOBS, ownerGvk: JOB, gvr: PODS }, job, claims);
}

/** The status comes first: a pod is let go only once its end is written down. */
async function carryOut(world: World, job: Job, plan: JobPlan): Promise<void> {
  await writeStatus(world, job, plan);
  for (const pod of plan.release) await release(world.client, pod);
  for (const pod of plan.dismiss) {
    if (isTracked(pod)) await release(world.client, pod);
    await end(world, job, pod);
  }
  for (const pod of plan.end) await end(world, job, pod);
  await createPods(world, job, plan);
}

async function writeStatus(world: World, job: Job, { status }: JobPlan): Promise<void> {
  if (isSameStatus(status, job.status)) return;
  await world.client.update<Job>(JOBS, { ...job, status }, { subresource: 'status' });
  report(world, job, { ...job, status });
}

function report({ events }: World, before: Job, after: Job): void {
  const suspended = findCondition(after.status?.conditions, 'Suspended');
  if (suspended !== undefined && suspended.status !== findCondition(before.status?.conditions, 'Suspended')?.status) {
    const word = suspended.status === 'True' ? 'Suspended' : 'Resumed';
    events.event(after, 'Normal', word, `Job ${word.toLowerCase()}`);
  }
  if (hasCondition(after, 'Complete') && !hasCondition(before, 'Complete')) {
    events.event(after, 'Normal', 'Completed', 'Job completed');
  }
  const failed = findCondition(after.status?.conditions, 'Failed');
  if (failed?.status === 'True' && !hasCondition(before, 'Failed')) {
    events.event(after, 'Warning', failed.reason ?? 'Failed', failed.message ?? '');
  }
}

async function release(client: World['client'], { metadata }: Pod): Promise<void> {
  const { namespace = '', name = '', uid } = metadata;
  const change = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [TRACKING] } };
  try {
    await client.patch<Pod>({ gvr: PODS, namespace, name }, change, { type: 'strategic' });
  } catch (error) {
    if (!isStatus(error, 'NotFound', 'Invalid', 'Conflict')) throw error;
  }
}

async function end({ client, expectations, events }: World, job: Job, pod: Pod): Promise<void> {
  const { name, uid } = pod.metadata;
  await deleteIfThere(client, refOf(PODS, pod), uid === undefined ? {} : { uid });
  expectations.deleted(keyOf(job), pod);
  events.event(job, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
}

async function createPods({ client, expectations, events }: World, job: Job, { create }: JobPlan): Promise<void> {
  const { error } = await slowStart(create.length, async (at) => {
    const made = await client.create(PODS, jobPod(job, create[at] ?? {}));
    expectations.created(keyOf(job), made);
    events.event(job, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name}`);
  });
  if (error === undefined || isNamespaceGoing(error)) return;
  events.event(job, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
  throw error;
}
