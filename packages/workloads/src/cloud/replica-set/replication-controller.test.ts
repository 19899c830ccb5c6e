import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, ReplicationController } from '@skerry/api/types';
import { PODS, REPLICATION_CONTROLLERS } from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { replicationControllerController } from './index.ts';

const OLD = { gvr: REPLICATION_CONTROLLERS, namespace: 'shop', name: 'old' };

/** Runs `story` on a cloud with the controller and a ReplicationController `old` of two. */
async function check(story: (cloud: ScratchCloud & { pods: () => Promise<Pod[]> }) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  cloud.run(replicationControllerController(cloud.context));
  await cloud.client.create<ReplicationController>(REPLICATION_CONTROLLERS, {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name: 'old', namespace: 'shop' },
    spec: { replicas: 2, template: template({ app: 'old' }) },
  });
  await cloud.calm();
  await story({ ...cloud, pods: () => cloud.list<Pod>(PODS, 'shop') });
}

test('a replication controller keeps as many pods as it says', () =>
  check(async ({ pods, client, calm }) => {
    const made = await pods();
    assert.equal(made.length, 2);
    assert.equal(made[0]?.metadata.ownerReferences?.[0]?.kind, 'ReplicationController');
    assert.equal(made[0]?.metadata.ownerReferences?.[0]?.apiVersion, 'v1');
    await client.patch(OLD, { spec: { replicas: 1 } }, { type: 'merge' });
    await calm();
    assert.equal((await pods()).length, 1);
  }));

test('its status counts them, and its selector stays a plain map', () =>
  check(async ({ pods, setReady, client, calm }) => {
    const [pod] = await pods();
    assert.ok(pod);
    await setReady(pod);
    await calm();
    const { spec, status } = await client.get<ReplicationController>(OLD);
    assert.deepEqual(spec?.selector, { app: 'old' });
    assert.deepEqual([status?.replicas, status?.readyReplicas, status?.availableReplicas], [2, 1, 1]);
  }));
