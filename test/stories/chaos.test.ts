/** A random hour in the life of a cloud and two edges: everything is killed, cut and changed, and in the end all is as wanted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newUid } from '@skerry/base';
import { runs } from '@skerry/testkit';
import { eventually, GROUNDS, requireSystem } from '@skerry/testkit/processes';
import { census } from './chaos/census.ts';
import { dice } from './chaos/dice.ts';
import { checkDatabases, checkWorld, footprints, identityOf } from './chaos/invariants.ts';
import { STEADY, step } from './chaos/steps.ts';
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACE, World } from './chaos/world.ts';

const CHAOS_SECONDS = 60;
const LONGEST_SECONDS = 1200;
/** Outages are to overlap and to be over, some before anything is noticed, and some in the middle of what the step before began. */
const PAUSES_MS = [20, 200, 1_000, 3_000];
const STEADY_REPLICAS = 3;
const MOST_FILES = 400;
const MOST_MIB = 300;

test('after any history of outages and changes, all is as it was last wanted', async (t) => {
  const seed = Number(process.env['SKERRY_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const { name, needs, open } = dice(seed).pick(GROUNDS);
  t.diagnostic(`SKERRY_CHAOS_SEED=${seed}, with ${name}`);
  if (!requireSystem(t, ...needs)) return;
  const run = newUid();
  await using here = await open();
  await using there = await open();
  try {
    await using world = await World.open(run, [here, there]);
    try {
      await live(world, seed);
    } catch (error) {
      t.diagnostic(`history of seed ${seed}:\n${world.journal.join('\n')}`);
      throw error;
    }
  } finally {
    assert.deepEqual(census(run), [], 'nothing outlives its node');
  }
});

async function live(world: World, seed: number): Promise<void> {
  await prepare(world);
  const before = await steadyPods(world);
  const chance = dice(seed);
  const end = performance.now() + Math.min(runs(CHAOS_SECONDS), LONGEST_SECONDS) * 1000;
  while (performance.now() < end) {
    await step(world, chance);
    await sleep(chance.roll(chance.pick(PAUSES_MS)));
  }
  world.note('mend everything');
  await world.mend();
  await checkWorld(world);
  assert.deepEqual(await steadyPods(world), before, 'what nobody touched ran through all of it');
  for (const [who, { files, residentMiB }] of footprints(world)) {
    assert.ok(files < MOST_FILES, `${who} holds ${files} files open`);
    assert.ok(residentMiB < MOST_MIB, `${who} holds ${residentMiB} MiB`);
  }
  await checkDatabases(world);
}

async function prepare(world: World): Promise<void> {
  const client = await world.client();
  const metadata = { name: 'settings', namespace: NAMESPACE };
  await client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value: 'first' } });
  world.configs.set('settings', 'first');
  const wanted = { replicas: STEADY_REPLICAS, generation: 1 };
  const readinessProbe = { exec: { command: ['test', '-e', '/settings/value'] }, periodSeconds: 2, timeoutSeconds: 10 };
  const steady = world.manifest(STEADY, wanted, { readinessProbe });
  await client.create(DEPLOYMENTS, { ...steady, metadata: { ...steady.metadata, namespace: NAMESPACE } });
  world.deployments.set(STEADY, wanted);
  await eventually('the steady pods are ready', async () => {
    const pods = await world.pods();
    const ready = pods.filter(({ status }) =>
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    );
    return ready.length === STEADY_REPLICAS;
  });
}

async function steadyPods(world: World): Promise<readonly object[]> {
  const pods = await world.pods();
  return pods.filter(({ metadata }) => metadata.labels?.['app'] === STEADY).map(identityOf);
}
