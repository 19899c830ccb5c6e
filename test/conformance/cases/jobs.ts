/** Jobs and CronJobs, with nodes that run them. */
import assert from 'node:assert/strict';
import type { Job } from '@skerry/api/types';
import type { Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { IDLE, podSpec } from '../workloads.ts';

/** More than a period of the schedule. */
const OVERDUE_MS = 150_000;

export const JOBS: readonly Requirement[] = [
  requirement(
    '[sig-apps] Job should create pods for an Indexed job with completion indexes and specified hostname',
    'the pods of an Indexed Job have their index as annotation, as variable and in their host name',
    runsIndexes,
  ),
  requirement(
    '[sig-apps] Job should run a job to completion when tasks sometimes fail and are locally restarted',
    'a Job whose containers fail at first is complete once they were started again often enough',
    async (lab) => {
      // Without a memory of its own a container finds the file of its last try.
      const script = 'test -e /data/tried && exit 0; touch /data/tried; exit 1';
      const spec = podSpec(lab, script);
      const containers = spec.containers.map((each) => ({
        ...each,
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      }));
      const template = {
        spec: { ...spec, containers, volumes: [{ name: 'data', emptyDir: {} }], restartPolicy: 'OnFailure' },
      };
      await lab
        .of('Job')
        .create({ metadata: { name: 'job' }, spec: { completions: 2, parallelism: 2, backoffLimit: 6, template } });
      const job = await ends(lab, 'Complete');
      assert.equal(job.status?.succeeded, 2);
    },
  ),
  requirement(
    '[sig-apps] Job with successPolicy should succeeded when all indexes succeeded',
    'a Job with a successPolicy of all its indexes succeeds with them',
    async (lab) => {
      const successPolicy = { rules: [{ succeededIndexes: '0-1' }] };
      await lab
        .of('Job')
        .create(job(lab, 'exit 0', { completions: 2, parallelism: 2, completionMode: 'Indexed', successPolicy }));
      const done = await ends(lab, 'Complete');
      const types = done.status?.conditions?.filter(({ status }) => status === 'True').map(({ type }) => type);
      assert.ok(types?.includes('SuccessCriteriaMet'), String(types));
      assert.equal(done.status?.completedIndexes, '0,1');
    },
  ),
  requirement(
    '[sig-apps] Job should manage the lifecycle of a job',
    'a Job that is suspended runs nothing; it is patched, replaced, resumed and deleted as a collection',
    lives,
  ),
  requirement(
    '[sig-apps] CronJob should not schedule jobs when suspended [Slow]',
    'a suspended CronJob whose time has come makes no Job',
    staysSuspended,
  ),
  requirement(
    '[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent [Slow]',
    'with Forbid no second Job is made while the first one runs',
    forbidsTwo,
  ),
];

function job(lab: Lab, script: string, spec: object): object {
  const labels = { suite: lab.id };
  const template = { metadata: { labels }, spec: { ...podSpec(lab, script), restartPolicy: 'Never' } };
  return { metadata: { name: 'job', labels }, spec: { template, ...spec } };
}

function ends(lab: Lab, condition: string): Promise<Job> {
  return lab.eventually(`the job is ${condition}`, async () => {
    const found = await lab.of('Job').get('job');
    return (
      found.status?.conditions?.some(({ type, status }) => type === condition && status === 'True') === true && found
    );
  });
}

async function runsIndexes(lab: Lab): Promise<void> {
  const said = 'echo "$JOB_COMPLETION_INDEX"; test "$JOB_COMPLETION_INDEX" -ge 0';
  await lab.of('Job').create(job(lab, said, { completions: 3, parallelism: 2, completionMode: 'Indexed' }));
  const done = await ends(lab, 'Complete');
  assert.equal(done.status?.completedIndexes, '0-2');
  const { items } = await lab.of('Pod').list({ labelSelector: 'job-name=job' });
  const indexes = items.map(({ metadata }) => metadata.annotations?.['batch.kubernetes.io/job-completion-index'] ?? '');
  assert.deepEqual([...new Set(indexes)].sort(), ['0', '1', '2']);
  for (const { metadata, spec } of items)
    assert.equal(spec?.hostname, `job-${metadata.annotations?.['batch.kubernetes.io/job-completion-index']}`);
}

async function lives(lab: Lab): Promise<void> {
  const jobs = lab.of('Job');
  using watch = await jobs.watch();
  await jobs.create(job(lab, 'exit 0', { suspend: true, completions: 1, parallelism: 1 }));
  await watch.see('ADDED', 'job');
  await ends(lab, 'Suspended');
  const patched = await jobs.patch('job', { metadata: { labels: { patched: 'yes' } } }, 'strategic');
  assert.equal(patched.metadata.labels?.['patched'], 'yes');
  await jobs.patch('job', { metadata: { annotations: { told: 'yes' } } }, 'merge', 'status');
  await jobs.change('job', ({ metadata, spec }) => {
    metadata.annotations = { ...metadata.annotations, replaced: 'yes' };
    if (spec !== undefined) spec.suspend = false;
  });
  await ends(lab, 'Complete');
  assert.equal((await lab.everywhere('Job').list({ labelSelector: `suite=${lab.id}` })).items.length, 1);
  await jobs.deleteAll(`suite=${lab.id}`, { propagationPolicy: 'Background' });
  await watch.see('DELETED', 'job');
}

function cronJob(lab: Lab, spec: object): object {
  const template = { spec: { ...podSpec(lab, IDLE), restartPolicy: 'OnFailure' } };
  return { metadata: { name: 'cron' }, spec: { schedule: '* * * * *', jobTemplate: { spec: { template } }, ...spec } };
}

/** So that a time of its schedule has come already: nobody waits for the next minute. */
async function isDue(lab: Lab, name: string): Promise<void> {
  const lastScheduleTime = new Date(Date.now() - OVERDUE_MS).toISOString().replace(/\.\d+/, '');
  await lab.of('CronJob').patch(name, { status: { lastScheduleTime } }, 'merge', 'status');
}

/** Once another one that is due has made its Job, this one would have, too. */
async function staysSuspended(lab: Lab): Promise<void> {
  const crons = lab.of('CronJob');
  await crons.create(cronJob(lab, { suspend: true }));
  await crons.create({ ...cronJob(lab, {}), metadata: { name: 'witness' } });
  for (const name of ['cron', 'witness']) await isDue(lab, name);
  const owned = async (name: string) =>
    (await lab.of('Job').list()).items.filter(({ metadata }) => metadata.ownerReferences?.[0]?.name === name).length;
  await lab.eventually('the other one has made its job', async () => (await owned('witness')) > 0);
  assert.equal(await owned('cron'), 0);
}

async function forbidsTwo(lab: Lab): Promise<void> {
  const crons = lab.of('CronJob');
  // First for a minute that is over, then for the current one too.
  const minute = new Date(Date.now() - 60_000).getUTCMinutes();
  await crons.create(cronJob(lab, { schedule: `${minute} * * * *`, concurrencyPolicy: 'Forbid', timeZone: 'Etc/UTC' }));
  await isDue(lab, 'cron');
  await lab.eventually('a job runs', async () => (await crons.get('cron')).status?.active?.length === 1);
  await crons.patch('cron', { spec: { schedule: '* * * * *' } });
  await isDue(lab, 'cron');
  await lab.eventually('the next time is passed over', async () => {
    const { items } = await lab.of('Event').list({ fieldSelector: 'involvedObject.name=cron,reason=JobAlreadyActive' });
    return items.length > 0;
  });
  assert.equal((await lab.of('Job').list()).items.length, 1);
}
