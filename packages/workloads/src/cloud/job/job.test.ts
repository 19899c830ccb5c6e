import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job, JobSpec, Pod } from '@skerry/api/types';
import { garbageCollector } from '../garbage-collector/index.ts';
import { JOBS, PODS } from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { formatTime } from '../timestamps.ts';
import { TRACKING } from './facts.ts';
import { jobController } from './index.ts';

const COUNT = { gvr: JOBS, namespace: 'shop', name: 'count' };

interface World extends ScratchCloud {
  readonly pods: () => Promise<Pod[]>;
  readonly active: () => Promise<Pod[]>;
  readonly status: () => Promise<NonNullable<Job['status']>>;
  /** Says what a kubelet would once the container has ended with this code. */
  readonly exit: (pod: Pod | undefined, code: number) => Promise<void>;
  readonly conditions: () => Promise<string[]>;
}

/** Runs `story` on a cloud with the controller and a Job `count`. */
async function check(spec: Partial<JobSpec>, story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client, clock } = cloud;
  cloud.run(jobController(cloud.context), garbageCollector(cloud.context));
  await client.create<Job>(JOBS, {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'count', namespace: 'shop' },
    spec: { template: template({}, 'host', { restartPolicy: 'Never' }), ...spec },
  });
  await cloud.calm();
  const pods = () => cloud.list<Pod>(PODS, 'shop');
  const status = async () => (await client.get<Job>(COUNT)).status ?? {};
  await story({
    ...cloud,
    pods,
    status,
    active: async () =>
      (await pods()).filter(
        ({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.phase === 'Pending',
      ),
    exit: async (pod, code) => {
      const terminated = { exitCode: code, finishedAt: formatTime(clock.now()) };
      const container = { name: 'main', ready: false, restartCount: 0, image: '', imageID: '', state: { terminated } };
      const { name = '' } = pod?.metadata ?? {};
      await client.patch(
        { gvr: PODS, namespace: 'shop', name },
        { status: { phase: code === 0 ? 'Succeeded' : 'Failed', containerStatuses: [container] } },
        { type: 'merge', subresource: 'status' },
      );
      await cloud.calm();
    },
    conditions: async () =>
      ((await status()).conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`),
  });
}

test('a pod that succeeds completes the job, is counted and let go', () =>
  check({}, async ({ pods, exit, status, conditions, events, client }) => {
    const [pod] = await pods();
    const { metadata, spec } = await client.get<Job>(COUNT);
    assert.deepEqual(pod?.metadata.finalizers, [TRACKING]);
    assert.equal(pod?.metadata.labels?.['batch.kubernetes.io/controller-uid'], metadata.uid);
    assert.equal(pod?.metadata.labels?.['job-name'], 'count');
    assert.deepEqual(spec?.selector?.matchLabels, { 'batch.kubernetes.io/controller-uid': metadata.uid });
    assert.equal((await status()).active, 1);
    await exit(pod, 0);
    const { active = 0, succeeded, failed = 0, completionTime } = await status();
    assert.deepEqual([active, succeeded, failed], [0, 1, 0]);
    assert.ok(completionTime);
    assert.deepEqual(await conditions(), [
      'SuccessCriteriaMet=True CompletionsReached',
      'Complete=True CompletionsReached',
    ]);
    assert.deepEqual(
      (await pods()).flatMap(({ metadata }) => metadata.finalizers ?? []),
      [],
    );
    assert.deepEqual(await events('count'), [
      `SuccessfulCreate: Created pod: ${pod?.metadata.name}`,
      'Completed: Job completed',
    ]);
  }));

test('as many run at once as are allowed, until enough have succeeded', () =>
  check({ completions: 5, parallelism: 2 }, async ({ active, exit, status }) => {
    for (let done = 0; done < 5; done++) {
      const running = await active();
      assert.equal(running.length, Math.min(2, 5 - done));
      await exit(running[0], 0);
    }
    assert.equal((await status()).succeeded, 5);
    assert.deepEqual(await active(), []);
  }));

test('a pod that fails is replaced after a pause that doubles, until the limit', () =>
  check({ backoffLimit: 2 }, async ({ active, exit, clock, calm, status, conditions }) => {
    for (const pause of [10_000, 20_000]) {
      await exit((await active())[0], 1);
      assert.deepEqual(await active(), []);
      await clock.advance(pause - 1000);
      await calm();
      assert.deepEqual(await active(), []);
      await clock.advance(1001);
      await calm();
      assert.equal((await active()).length, 1);
    }
    await exit((await active())[0], 1);
    assert.equal((await status()).failed, 3);
    assert.deepEqual(await conditions(), [
      'FailureTarget=True BackoffLimitExceeded',
      'Failed=True BackoffLimitExceeded',
    ]);
  }));

test('an indexed job gives each pod its index, its name and its variable', () =>
  check({ completions: 3, parallelism: 3, completionMode: 'Indexed' }, async ({ pods, exit, status }) => {
    const made = (await pods()).sort((left, right) =>
      (left.metadata.name ?? '') < (right.metadata.name ?? '') ? -1 : 1,
    );
    assert.deepEqual(
      made.map(({ spec }) => spec?.hostname),
      ['count-0', 'count-1', 'count-2'],
    );
    for (const [index, { metadata, spec }] of made.entries()) {
      assert.match(metadata.name ?? '', new RegExp(`^count-${index}-[a-z0-9]{5}$`));
      assert.equal(metadata.annotations?.['batch.kubernetes.io/job-completion-index'], `${index}`);
      assert.equal(spec?.containers[0]?.env?.[0]?.name, 'JOB_COMPLETION_INDEX');
    }
    await exit(made[2], 0);
    await exit(made[0], 0);
    assert.deepEqual([(await status()).completedIndexes, (await status()).succeeded], ['0,2', 2]);
    await exit(made[1], 0);
    assert.equal((await status()).completedIndexes, '0-2');
    assert.ok((await status()).completionTime);
  }));

test('each index has failures of its own', () =>
  check(
    { completions: 2, parallelism: 2, completionMode: 'Indexed', backoffLimitPerIndex: 0 },
    async ({ active, exit, status, conditions }) => {
      const [one, other] = await active();
      await exit(one, 1);
      assert.deepEqual(
        (await active()).map(({ metadata }) => metadata.name),
        [other?.metadata.name],
      );
      await exit(other, 0);
      assert.equal(
        (await status()).failedIndexes,
        one?.metadata.annotations?.['batch.kubernetes.io/job-completion-index'],
      );
      assert.deepEqual((await conditions()).at(-1), 'Failed=True FailedIndexes');
    },
  ));

test('a success policy ends the job early', () =>
  check(
    {
      completions: 3,
      parallelism: 3,
      completionMode: 'Indexed',
      successPolicy: { rules: [{ succeededIndexes: '1-2', succeededCount: 1 }] },
    },
    async ({ pods, active, exit, conditions }) => {
      const second = (await pods()).find(({ spec }) => spec?.hostname === 'count-1');
      await exit(second, 0);
      assert.deepEqual(await active(), []);
      assert.deepEqual(await conditions(), ['SuccessCriteriaMet=True SuccessPolicy', 'Complete=True SuccessPolicy']);
    },
  ));

test('a failure policy fails the job at once, or looks away', () =>
  check(
    {
      backoffLimit: 0,
      podFailurePolicy: {
        rules: [
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
        ],
      },
    },
    async ({ active, exit, client, status, conditions, clock, calm }) => {
      const [disturbed] = await active();
      const patch = { status: { conditions: [{ type: 'DisruptionTarget', status: 'True' }] } };
      const ref = { gvr: PODS, namespace: 'shop', name: disturbed?.metadata.name ?? '' };
      await client.patch(ref, patch, { type: 'merge', subresource: 'status' });
      await exit(disturbed, 137);
      assert.equal((await status()).failed ?? 0, 0);
      await clock.advance(10_001);
      await calm();
      const [second] = await active();
      await exit(second, 42);
      assert.deepEqual((await conditions()).at(-1), 'Failed=True PodFailurePolicy');
      assert.equal(
        (await status()).conditions?.at(-1)?.message,
        `Container main for pod shop/${second?.metadata.name} failed with exit code 42 matching FailJob rule at index 1`,
      );
    },
  ));

test('a job over its deadline ends its pods and fails', () =>
  check(
    { activeDeadlineSeconds: 60, parallelism: 2, completions: 2 },
    async ({ clock, calm, active, conditions, pods }) => {
      await clock.advance(60_001);
      await calm();
      assert.deepEqual(await active(), []);
      assert.deepEqual(await pods(), []);
      assert.deepEqual((await conditions()).at(-1), 'Failed=True DeadlineExceeded');
    },
  ));

test('a suspended job has no pods, and starts anew when it is resumed', () =>
  check({ suspend: true }, async ({ client, clock, calm, pods, status, conditions, events }) => {
    assert.deepEqual(await pods(), []);
    assert.deepEqual(await conditions(), ['Suspended=True JobSuspended']);
    assert.equal((await status()).startTime, undefined);
    await client.patch(COUNT, { spec: { suspend: false } }, { type: 'merge' });
    await calm();
    assert.equal((await pods()).length, 1);
    assert.deepEqual(await conditions(), ['Suspended=False JobResumed']);
    const first = (await status()).startTime;
    await client.patch(COUNT, { spec: { suspend: true } }, { type: 'merge' });
    await calm();
    assert.deepEqual(await pods(), []);
    assert.equal((await status()).failed ?? 0, 0);
    await clock.advance(5000);
    await client.patch(COUNT, { spec: { suspend: false } }, { type: 'merge' });
    await calm();
    assert.notEqual((await status()).startTime, first);
    assert.ok((await events('count')).includes('Resumed: Job resumed'));
  }));

test('a finished job goes when its time is over, and takes its pods along', () =>
  check({ ttlSecondsAfterFinished: 30 }, async ({ pods, exit, clock, calm, find }) => {
    await exit((await pods())[0], 0);
    await clock.advance(29_000);
    await calm();
    assert.ok(await find(COUNT));
    await clock.advance(1001);
    await calm();
    assert.equal(await find(COUNT), undefined);
    assert.deepEqual(await pods(), []);
  }));

test('pods outlive a job that is deleted without them, and nothing holds them', () =>
  check({}, async ({ client, calm, pods }) => {
    await client.delete(COUNT, { propagationPolicy: 'Orphan' });
    await calm();
    const left = await pods();
    assert.equal(left.length, 1);
    assert.deepEqual(left[0]?.metadata.finalizers ?? [], []);
  }));

test('a job that is deleted takes running pods along', () =>
  check({ completions: 2, parallelism: 2 }, async ({ client, calm, pods }) => {
    await client.delete(COUNT, { propagationPolicy: 'Background' });
    await calm();
    assert.deepEqual(await pods(), []);
  }));
