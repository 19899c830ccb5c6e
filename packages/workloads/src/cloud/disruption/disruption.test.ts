import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus } from '@skerry/api';
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetSpec, ReplicaSet } from '@skerry/api/types';
import { replicaSetController } from '../replica-set/index.ts';
import { DISRUPTION_BUDGETS, PODS, REPLICA_SETS } from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { refOf } from '../writes.ts';
import { disruptionController } from './index.ts';

const BUDGET = { gvr: DISRUPTION_BUDGETS, namespace: 'shop', name: 'web' };

interface World extends ScratchCloud {
  readonly pods: () => Promise<Pod[]>;
  readonly status: () => Promise<NonNullable<PodDisruptionBudget['status']>>;
  readonly readyAll: () => Promise<void>;
  /** True when the eviction was allowed. */
  readonly evict: (pod: Pod | undefined) => Promise<boolean>;
}

/** Runs `story` on a cloud with three pods of a ReplicaSet and a budget for them. */
async function check(spec: PodDisruptionBudgetSpec, story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client } = cloud;
  cloud.run(replicaSetController(cloud.context), disruptionController(cloud.context));
  const selector = { matchLabels: { app: 'web' } };
  await client.create<ReplicaSet>(REPLICA_SETS, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { replicas: 3, selector, template: template({ app: 'web' }) },
  });
  await client.create<PodDisruptionBudget>(DISRUPTION_BUDGETS, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector, ...spec },
  });
  await cloud.calm();
  const pods = () => cloud.list<Pod>(PODS, 'shop');
  await story({
    ...cloud,
    pods,
    status: async () => (await client.get<PodDisruptionBudget>(BUDGET)).status ?? {},
    readyAll: async () => {
      for (const pod of await pods()) await cloud.setReady(pod);
      await cloud.calm();
    },
    evict: async (pod) => {
      assert.ok(pod);
      const body = {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: pod.metadata.name ?? '', namespace: 'shop' },
      };
      try {
        await client.createSubresource(refOf(PODS, pod), 'eviction', body);
        return true;
      } catch (error) {
        if (isStatus(error, 'TooManyRequests')) return false;
        throw error;
      }
    },
  });
}

test('as many may go as are healthy above what must stay', () =>
  check({ minAvailable: 2 }, async ({ status, readyAll }) => {
    assert.equal((await status()).disruptionsAllowed ?? 0, 0);
    await readyAll();
    const { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods, conditions } = await status();
    assert.deepEqual([disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods], [1, 3, 2, 3]);
    assert.deepEqual(
      conditions?.map(({ type, status, reason }) => [type, status, reason]),
      [['DisruptionAllowed', 'True', 'SufficientPods']],
    );
  }));

test('a share is one of what the owner wants, not of what is there', () =>
  check({ maxUnavailable: '34%' }, async ({ status, readyAll, client, calm }) => {
    await readyAll();
    assert.deepEqual([(await status()).desiredHealthy, (await status()).disruptionsAllowed], [1, 2]);
    await client.patch(
      { gvr: REPLICA_SETS, namespace: 'shop', name: 'web' },
      { spec: { replicas: 6 } },
      { type: 'merge' },
    );
    await calm();
    assert.deepEqual([(await status()).desiredHealthy, (await status()).expectedPods], [3, 6]);
    assert.equal((await status()).disruptionsAllowed ?? 0, 0);
  }));

test('two evictions in a row do not both pass where one is allowed', () =>
  check({ maxUnavailable: 1 }, async ({ pods, readyAll, evict, calm, status }) => {
    await readyAll();
    const [first, second] = await pods();
    assert.deepEqual(await Promise.all([evict(first), evict(second)]), [true, false]);
    await calm();
    assert.equal(await evict(second), false);
    await readyAll();
    assert.equal((await status()).disruptionsAllowed, 1);
    assert.equal(await evict(second), true);
  }));

test('a pod that is not ready may go while enough others are', () =>
  check({ minAvailable: 2 }, async ({ pods, setReady, evict, calm }) => {
    const [first, second, third] = await pods();
    assert.ok(first && second && third);
    for (const pod of [first, second]) await setReady(pod);
    await setReady(third, false);
    await calm();
    assert.equal(await evict(first), false);
    assert.equal(await evict(third), true);
  }));

test('a pod that is in two budgets is not evicted at all', () =>
  check({ minAvailable: 0 }, async ({ pods, readyAll, client, evict }) => {
    await client.create<PodDisruptionBudget>(DISRUPTION_BUDGETS, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'all', namespace: 'shop' },
      spec: { selector: {}, minAvailable: 0 },
    });
    await readyAll();
    await assert.rejects(evict((await pods())[0]), /more than one PodDisruptionBudget/);
  }));

test('an evicted pod on a node says who ended it', () =>
  check({ maxUnavailable: 1 }, async ({ pods, readyAll, addNode, bind, evict, client }) => {
    await addNode('islet');
    const [pod] = await pods();
    assert.ok(pod);
    await bind(pod, 'islet');
    await readyAll();
    assert.equal(await evict(pod), true);
    const { metadata, status } = await client.get<Pod>(refOf(PODS, pod));
    assert.ok(metadata.deletionTimestamp);
    const condition = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
    assert.deepEqual([condition?.status, condition?.reason], ['True', 'EvictionByEvictionAPI']);
  }));
