import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '@skerry/api';
import type { Pod, ReplicaSet } from '@skerry/api/types';
import type { Client } from '@skerry/kube/client';
import { PODS, REPLICA_SETS } from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { replicaSetController } from './index.ts';

const WEB = { gvr: REPLICA_SETS, namespace: 'shop', name: 'web' };

function webOf(replicas: number): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template({ app: 'web' }) },
  };
}

interface World extends ScratchCloud {
  readonly pods: () => Promise<Pod[]>;
  readonly status: () => Promise<ReplicaSet['status']>;
}

/** Runs `story` on a cloud with the controller and a ReplicaSet `web`. */
async function check(replicas: number, story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  cloud.run(replicaSetController(cloud.context));
  await cloud.client.create(REPLICA_SETS, webOf(replicas));
  await cloud.calm();
  await story({
    ...cloud,
    pods: () => cloud.list<Pod>(PODS, 'shop'),
    status: async () => (await cloud.client.get<ReplicaSet>(WEB)).status,
  });
}

const scaleTo = ({ client }: ScratchCloud, replicas: number) =>
  client.patch<ReplicaSet>(WEB, { spec: { replicas } }, { type: 'merge' });

test('pods carry the labels, the generated name and the owner', () =>
  check(1, async ({ pods, client, events }) => {
    const [pod] = await pods();
    const { metadata } = await client.get<ReplicaSet>(WEB);
    assert.match(pod?.metadata.name ?? '', /^web-[a-z0-9]{5}$/);
    assert.deepEqual(pod?.metadata.labels, { app: 'web' });
    assert.deepEqual(pod?.metadata.ownerReferences, [
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: 'web',
        uid: metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
    assert.deepEqual(await events('web'), [`SuccessfulCreate: Created pod: ${pod?.metadata.name}`]);
  }));

test('exactly as many pods are made as are wanted, up and down', () =>
  check(20, async (world) => {
    assert.equal((await world.pods()).length, 20);
    await scaleTo(world, 33);
    await world.calm();
    assert.equal((await world.pods()).length, 33);
    await scaleTo(world, 4);
    await world.calm();
    assert.equal((await world.pods()).length, 4);
    assert.equal((await world.status())?.replicas, 4);
  }));

test('status follows the pods', () =>
  check(2, async ({ pods, setReady, calm, status }) => {
    const [first] = await pods();
    assert.ok(first);
    await setReady(first);
    await calm();
    const { replicas, readyReplicas, availableReplicas } = (await status()) ?? { replicas: 0 };
    assert.deepEqual([replicas, readyReplicas, availableReplicas], [2, 1, 1]);
  }));

test('a pod that is deleted is replaced', () =>
  check(2, async ({ pods, client, calm }) => {
    const [first] = await pods();
    await client.delete({ gvr: PODS, namespace: 'shop', name: first?.metadata.name ?? '' });
    await calm();
    const after = await pods();
    assert.equal(after.length, 2);
    assert.ok(after.every(({ metadata }) => metadata.uid !== first?.metadata.uid));
  }));

test('a pod on a node that is not heard of is not replaced', () =>
  check(1, async ({ pods, bind, setReady, addNode, client, calm, status }) => {
    const [pod] = await pods();
    assert.ok(pod);
    await addNode('islet');
    await bind(pod, 'islet');
    await setReady(pod);
    await calm();
    assert.equal((await status())?.readyReplicas, 1);
    await client.patch(
      { gvr: { group: '', version: 'v1', resource: 'nodes' }, name: 'islet' },
      { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } },
      { type: 'merge', subresource: 'status' },
    );
    await calm();
    assert.equal((await pods()).length, 1);
    assert.equal((await status())?.readyReplicas ?? 0, 0);
  }));

test('a pod whose labels stop matching is let go and replaced; one that matches again is adopted', () =>
  check(1, async ({ pods, client, calm }) => {
    const [pod] = await pods();
    const ref = { gvr: PODS, namespace: 'shop', name: pod?.metadata.name ?? '' };
    await client.patch(ref, { metadata: { labels: { app: 'other' } } }, { type: 'merge' });
    await calm();
    assert.equal((await pods()).length, 2);
    assert.equal((await client.get<Pod>(ref)).metadata.ownerReferences?.length ?? 0, 0);
    await client.patch(ref, { metadata: { labels: { app: 'web' } } }, { type: 'merge' });
    await calm();
    assert.equal((await pods()).length, 1);
  }));

test('a refused pod shows in the status, and is tried again', async () => {
  await using cloud = await scratchCloud();
  let refuse = true;
  const client: Client = {
    ...cloud.client,
    create: (gvr, object, options) =>
      refuse && object.kind === 'Pod'
        ? Promise.reject(new StatusError(403, 'Forbidden', 'exceeded quota'))
        : cloud.client.create(gvr, object, options),
  };
  cloud.run(replicaSetController({ ...cloud.context, client }));
  await cloud.client.create(REPLICA_SETS, webOf(2));
  await cloud.calm();
  const refused = await cloud.client.get<ReplicaSet>(WEB);
  assert.deepEqual(
    refused.status?.conditions?.map(({ type, status, reason, message }) => ({ type, status, reason, message })),
    [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota' }],
  );
  refuse = false;
  await cloud.clock.advance(1000);
  await cloud.calm();
  assert.equal((await cloud.list(PODS, 'shop')).length, 2);
  assert.equal((await cloud.client.get<ReplicaSet>(WEB)).status?.conditions, undefined);
});

test('pods are available after they were ready for long enough', async () => {
  await using cloud = await scratchCloud();
  cloud.run(replicaSetController(cloud.context));
  const web = webOf(1);
  await cloud.client.create(REPLICA_SETS, { ...web, spec: { ...web.spec, minReadySeconds: 30 } });
  const available = async () => (await cloud.client.get<ReplicaSet>(WEB)).status?.availableReplicas;
  await cloud.calm();
  const [pod] = await cloud.list<Pod>(PODS, 'shop');
  assert.ok(pod);
  await cloud.setReady(pod);
  await cloud.calm();
  await cloud.clock.advance(29_000);
  assert.equal((await available()) ?? 0, 0);
  await cloud.clock.advance(1000);
  await cloud.calm();
  assert.equal(await available(), 1);
});
