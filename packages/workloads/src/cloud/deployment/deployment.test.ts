import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, Pod, ReplicaSet } from '@skerry/api/types';
import { keyOf } from '@skerry/kube/controller';
import { replicaSetController } from '../replica-set/index.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { deploymentController } from './index.ts';

const WEB = { gvr: DEPLOYMENTS, namespace: 'shop', name: 'web' };

interface World extends ScratchCloud {
  readonly get: () => Promise<Deployment>;
  readonly patch: (spec: object) => Promise<Deployment>;
  readonly images: () => Promise<string[]>;
  readonly replicaSets: () => Promise<ReplicaSet[]>;
}

/** Runs `story` on a cloud where pods become ready by themselves, with a Deployment `web` that has settled. */
async function check(story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  cloud.run(replicaSetController(cloud.context), deploymentController(cloud.context));
  becomeReady(cloud);
  await cloud.client.create<Deployment>(DEPLOYMENTS, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: template({ app: 'web' }, 'v1'),
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
    },
  });
  await cloud.calm();
  await story({
    ...cloud,
    get: () => cloud.client.get<Deployment>(WEB),
    patch: (spec) => cloud.client.patch<Deployment>(WEB, { spec }, { type: 'strategic' }),
    images: async () =>
      (await cloud.list<Pod>(PODS, 'shop')).map(({ spec }) => spec?.containers[0]?.image ?? '').sort(),
    replicaSets: () => cloud.list<ReplicaSet>(REPLICA_SETS, 'shop'),
  });
}

function becomeReady(cloud: ScratchCloud): void {
  const seen = new Set<string>();
  cloud.context.informers.informer<Pod>({ gvr: PODS }).onChange(({ type, object }) => {
    if (type !== 'add' || seen.has(keyOf(object))) return;
    seen.add(keyOf(object));
    cloud.setReady(object).catch(() => {});
  });
}

const image = (name: string) => ({ template: { spec: { containers: [{ name: 'main', image: name }] } } });

test('three pods come up and the status says so', () =>
  check(async ({ get, images, events }) => {
    assert.deepEqual(await images(), ['v1', 'v1', 'v1']);
    const { status, metadata } = await get();
    assert.deepEqual(
      [
        status?.replicas,
        status?.updatedReplicas,
        status?.readyReplicas,
        status?.availableReplicas,
        status?.observedGeneration,
      ],
      [3, 3, 3, 3, metadata.generation],
    );
    assert.equal(metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
    assert.match((await events('web'))[0] ?? '', /^ScalingReplicaSet: Scaled up replica set web-\S+ from 0 to 3$/);
  }));

test('a new image rolls out, and undoing it is a patch back to the old template', () =>
  check(async ({ patch, calm, images, replicaSets, get }) => {
    await patch(image('v2'));
    await calm();
    assert.deepEqual(await images(), ['v2', 'v2', 'v2']);
    await patch(image('v1'));
    await calm();
    assert.deepEqual(await images(), ['v1', 'v1', 'v1']);
    assert.equal((await replicaSets()).length, 2);
    assert.equal((await get()).metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
  }));

test('scaling makes no new ReplicaSet', () =>
  check(async ({ patch, calm, images, replicaSets }) => {
    await patch({ replicas: 7 });
    await calm();
    assert.equal((await images()).length, 7);
    assert.equal((await replicaSets()).length, 1);
  }));

test('a ReplicaSet that lost its owner is adopted again', () =>
  check(async ({ client, replicaSets, calm }) => {
    const [replicaSet] = await replicaSets();
    const ref = { gvr: REPLICA_SETS, namespace: 'shop', name: replicaSet?.metadata.name ?? '' };
    await client.patch(ref, { metadata: { ownerReferences: null } }, { type: 'merge' });
    await calm();
    const [adopted] = await replicaSets();
    assert.equal(adopted?.metadata.ownerReferences?.[0]?.name, 'web');
    assert.equal((await replicaSets()).length, 1);
  }));

test('a name taken by somebody else is passed over', () =>
  check(async ({ client, patch, get, calm, images, replicaSets, clock }) => {
    const [first] = await replicaSets();
    await patch(image('v2'));
    await calm();
    const second = (await replicaSets()).find(({ metadata }) => metadata.name !== first?.metadata.name);
    await patch(image('v1'));
    await calm();
    const { name = '' } = second?.metadata ?? {};
    await client.delete({ gvr: REPLICA_SETS, namespace: 'shop', name });
    await client.create<ReplicaSet>(REPLICA_SETS, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name, namespace: 'shop' },
      spec: { replicas: 0, selector: { matchLabels: { app: 'x' } }, template: template({ app: 'x' }) },
    });
    await calm();
    await patch(image('v2'));
    await calm();
    await clock.advance(1000);
    await calm();
    assert.deepEqual(await images(), ['v2', 'v2', 'v2']);
    assert.equal((await get()).status?.collisionCount, 1);
  }));
