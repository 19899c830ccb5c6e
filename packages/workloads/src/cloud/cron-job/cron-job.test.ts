import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CronJob, CronJobSpec, Job } from '@skerry/api/types';
import { garbageCollector } from '../garbage-collector/index.ts';
import { CRON_JOBS, JOBS } from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { cronJobController } from './index.ts';

const TIDE = { gvr: CRON_JOBS, namespace: 'shop', name: 'tide' };
const MINUTE = 60_000;

interface World extends ScratchCloud {
  readonly jobs: () => Promise<string[]>;
  readonly pass: (ms: number) => Promise<void>;
  readonly status: () => Promise<NonNullable<CronJob['status']>>;
  readonly finish: (name: string, type: 'Complete' | 'Failed') => Promise<void>;
}

/** Runs `story` on a cloud with the controller and a CronJob `tide`; the time is midnight in UTC. */
async function check(spec: Partial<CronJobSpec>, story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client, clock } = cloud;
  cloud.run(cronJobController(cloud.context), garbageCollector(cloud.context));
  const job = { template: template({}, 'host', { restartPolicy: 'Never' }) };
  await client.create<CronJob>(CRON_JOBS, {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tide', namespace: 'shop' },
    spec: { schedule: '*/10 * * * *', jobTemplate: { metadata: { labels: { from: 'tide' } }, spec: job }, ...spec },
  });
  await cloud.calm();
  await story({
    ...cloud,
    jobs: async () => (await cloud.list<Job>(JOBS, 'shop')).map(({ metadata }) => metadata.name ?? '').sort(),
    pass: async (ms) => {
      await clock.advance(ms);
      await cloud.calm();
    },
    status: async () => (await client.get<CronJob>(TIDE)).status ?? {},
    finish: async (name, type) => {
      const at = new Date(clock.now()).toISOString();
      const condition = { type, status: 'True', lastTransitionTime: at };
      const status = { conditions: [condition], ...(type === 'Complete' ? { completionTime: at } : {}) };
      await client.patch({ gvr: JOBS, namespace: 'shop', name }, { status }, { type: 'merge', subresource: 'status' });
      await cloud.calm();
    },
  });
}

/** The name of the job for a minute of the first day. */
const at = (minute: number) => `tide-${Date.UTC(2026, 0, 1) / MINUTE + minute}`;

test('a job starts at each time of the schedule, once', () =>
  check({}, async ({ jobs, pass, status, client, events }) => {
    assert.deepEqual(await jobs(), []);
    await pass(9 * MINUTE);
    assert.deepEqual(await jobs(), []);
    await pass(MINUTE);
    assert.deepEqual(await jobs(), [at(10)]);
    await pass(10 * MINUTE);
    assert.deepEqual(await jobs(), [at(10), at(20)]);
    assert.equal((await status()).lastScheduleTime, '2026-01-01T00:20:00Z');
    assert.equal((await status()).active?.length, 2);
    const { metadata } = await client.get<Job>({ gvr: JOBS, namespace: 'shop', name: at(10) });
    assert.equal(metadata.labels?.['from'], 'tide');
    assert.equal(metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'], '2026-01-01T00:10:00Z');
    assert.deepEqual(await events('tide'), [
      `SuccessfulCreate: Created job ${at(10)}`,
      `SuccessfulCreate: Created job ${at(20)}`,
    ]);
  }));

test('the schedule is read in its time zone', () =>
  check({ schedule: '0 6 * * *', timeZone: 'Asia/Kolkata' }, async ({ jobs, pass }) => {
    await pass(29 * MINUTE);
    assert.deepEqual(await jobs(), []);
    await pass(MINUTE);
    assert.deepEqual(await jobs(), [at(30)]);
  }));

test('Forbid waits for the one that runs, then catches up', () =>
  check({ concurrencyPolicy: 'Forbid' }, async ({ jobs, pass, finish, events }) => {
    await pass(10 * MINUTE);
    await pass(15 * MINUTE);
    assert.deepEqual(await jobs(), [at(10)]);
    assert.ok((await events('tide')).some((event) => event.startsWith('JobAlreadyActive')));
    await finish(at(10), 'Complete');
    assert.deepEqual(await jobs(), [at(10), at(20)]);
  }));

test('Replace ends the one that runs', () =>
  check({ concurrencyPolicy: 'Replace' }, async ({ jobs, pass }) => {
    await pass(10 * MINUTE);
    await pass(10 * MINUTE);
    assert.deepEqual(await jobs(), [at(20)]);
  }));

test('history keeps as many as it is told, of each outcome', () =>
  check({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 }, async ({ jobs, pass, finish, status }) => {
    for (const [minute, outcome] of [
      [10, 'Complete'],
      [20, 'Failed'],
      [30, 'Complete'],
      [40, 'Complete'],
    ] as const) {
      await pass(10 * MINUTE);
      await finish(at(minute), outcome);
    }
    assert.deepEqual(await jobs(), [at(30), at(40)]);
    assert.deepEqual((await status()).active, undefined);
    assert.ok((await status()).lastSuccessfulTime?.startsWith('2026-01-01T00:40'));
  }));

test('a suspended one starts nothing, and afterwards only the last that it missed', () =>
  check({ suspend: true }, async ({ jobs, pass, client, calm }) => {
    await pass(45 * MINUTE);
    assert.deepEqual(await jobs(), []);
    await client.patch(TIDE, { spec: { suspend: false } }, { type: 'merge' });
    await calm();
    assert.deepEqual(await jobs(), [at(40)]);
  }));

test('a time that was missed for longer than the deadline is let go', () =>
  check({ suspend: true, startingDeadlineSeconds: 60 }, async ({ jobs, pass, client, calm, events }) => {
    await pass(45 * MINUTE);
    await client.patch(TIDE, { spec: { suspend: false } }, { type: 'merge' });
    await calm();
    assert.deepEqual(await jobs(), []);
    assert.ok((await events('tide')).some((event) => event.startsWith('MissSchedule')));
    await pass(5 * MINUTE);
    assert.deepEqual(await jobs(), [at(50)]);
  }));
