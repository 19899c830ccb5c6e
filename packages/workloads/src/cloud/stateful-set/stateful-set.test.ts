import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet, StatefulSetSpec } from '@skerry/api/types';
import { garbageCollector } from '../garbage-collector/index.ts';
import { CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { statefulSetController } from './index.ts';

const DB = { gvr: STATEFUL_SETS, namespace: 'shop', name: 'db' };

interface World extends ScratchCloud {
  /** `name image ready?` of each pod, by name. */
  readonly pods: () => Promise<string[]>;
  readonly pod: (name: string) => Promise<Pod>;
  readonly ready: (...names: string[]) => Promise<void>;
  readonly patch: (spec: object) => Promise<void>;
  readonly setImage: (image: string) => Promise<void>;
  readonly status: () => Promise<NonNullable<StatefulSet['status']>>;
  readonly claims: () => Promise<string[]>;
}

/** Runs `story` on a cloud with the controller and a StatefulSet `db`. */
async function check(spec: Partial<StatefulSetSpec>, story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client } = cloud;
  cloud.run(statefulSetController(cloud.context), garbageCollector(cloud.context));
  const labels = { app: 'db' };
  await client.create<StatefulSet>(STATEFUL_SETS, {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'shop' },
    spec: { serviceName: 'db', selector: { matchLabels: labels }, template: template(labels, 'v1'), ...spec },
  });
  await cloud.calm();
  const pod = (name: string) => client.get<Pod>({ gvr: PODS, namespace: 'shop', name });
  const patch = async (change: object) => {
    await client.patch(DB, { spec: change }, { type: 'strategic' });
    await cloud.calm();
  };
  await story({
    ...cloud,
    pod,
    patch,
    pods: async () =>
      (await cloud.list<Pod>(PODS, 'shop'))
        .map(({ metadata, spec, status }) => {
          const isReady = status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
          return `${metadata.name} ${spec?.containers[0]?.image}${isReady === true ? ' ready' : ''}`;
        })
        .sort(),
    ready: async (...names) => {
      for (const name of names) {
        await cloud.setReady(await pod(name));
        await cloud.calm();
      }
    },
    setImage: (image) => patch({ template: { spec: { containers: [{ name: 'main', image }] } } }),
    status: async () => (await client.get<StatefulSet>(DB)).status ?? { replicas: 0 },
    claims: async () =>
      (await cloud.list<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, 'shop'))
        .map(({ metadata }) => metadata.name ?? '')
        .sort(),
  });
}

const DATA: PersistentVolumeClaim = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};

test('pods come one after the other, each once the one before is ready', () =>
  check({ replicas: 3 }, async ({ pods, ready, status, pod, events }) => {
    assert.deepEqual(await pods(), ['db-0 v1']);
    await ready('db-0');
    assert.deepEqual(await pods(), ['db-0 v1 ready', 'db-1 v1']);
    await ready('db-1', 'db-2');
    const { currentRevision, updateRevision, readyReplicas, availableReplicas } = await status();
    assert.deepEqual([readyReplicas, availableReplicas, currentRevision], [3, 3, updateRevision]);
    const { metadata, spec } = await pod('db-1');
    assert.deepEqual(metadata.labels, {
      app: 'db',
      'apps.kubernetes.io/pod-index': '1',
      'controller-revision-hash': updateRevision,
      'statefulset.kubernetes.io/pod-name': 'db-1',
    });
    assert.deepEqual([spec?.hostname, spec?.subdomain], ['db-1', 'db']);
    assert.equal((await events('db'))[0], 'SuccessfulCreate: create Pod db-0 in StatefulSet db successful');
  }));

test('scaling down ends the highest first, one at a time', () =>
  check({ replicas: 3 }, async ({ ready, patch, pods, addNode, bind, pod, client, calm }) => {
    await addNode('islet');
    for (const name of ['db-0', 'db-1', 'db-2']) {
      await bind(await pod(name), 'islet');
      await ready(name);
    }
    await patch({ replicas: 1 });
    assert.ok((await pod('db-2')).metadata.deletionTimestamp);
    assert.equal((await pod('db-1')).metadata.deletionTimestamp, undefined);
    await client.delete({ gvr: PODS, namespace: 'shop', name: 'db-2' }, { gracePeriodSeconds: 0 });
    await calm();
    assert.ok((await pod('db-1')).metadata.deletionTimestamp);
    assert.equal((await pods()).length, 2);
  }));

test('a pod that is deleted comes back under its name', () =>
  check({ replicas: 2 }, async ({ ready, pods, pod, client, calm }) => {
    await ready('db-0', 'db-1');
    const { uid } = (await pod('db-0')).metadata;
    await client.delete({ gvr: PODS, namespace: 'shop', name: 'db-0' });
    await calm();
    assert.deepEqual(await pods(), ['db-0 v1', 'db-1 v1 ready']);
    assert.notEqual((await pod('db-0')).metadata.uid, uid);
  }));

test('Parallel makes and ends all at once', () =>
  check({ replicas: 3, podManagementPolicy: 'Parallel' }, async ({ pods, patch }) => {
    assert.equal((await pods()).length, 3);
    await patch({ replicas: 0 });
    assert.deepEqual(await pods(), []);
  }));

test('ordinals start where they are told', () =>
  check({ replicas: 2, podManagementPolicy: 'Parallel', ordinals: { start: 5 } }, async ({ pods }) => {
    assert.deepEqual(await pods(), ['db-5 v1', 'db-6 v1']);
  }));

test('an update goes from the highest down, and the set says when it is through', () =>
  check({ replicas: 2 }, async ({ ready, setImage, pods, status }) => {
    await ready('db-0', 'db-1');
    await setImage('v2');
    assert.deepEqual(await pods(), ['db-0 v1 ready', 'db-1 v2']);
    const { currentRevision, updateRevision, updatedReplicas, currentReplicas } = await status();
    assert.notEqual(currentRevision, updateRevision);
    assert.deepEqual([updatedReplicas, currentReplicas], [1, 1]);
    await ready('db-1', 'db-0');
    assert.deepEqual(await pods(), ['db-0 v2 ready', 'db-1 v2 ready']);
    assert.equal((await status()).currentRevision, updateRevision);
  }));

test('a partition keeps the ordinals below it as they are, also when they are made again', () =>
  check(
    { replicas: 3, updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
    async ({ ready, setImage, pods, client, calm }) => {
      await ready('db-0', 'db-1', 'db-2');
      await setImage('v2');
      await ready('db-2');
      assert.deepEqual(await pods(), ['db-0 v1 ready', 'db-1 v1 ready', 'db-2 v2 ready']);
      await client.delete({ gvr: PODS, namespace: 'shop', name: 'db-0' });
      await calm();
      assert.deepEqual(await pods(), ['db-0 v1', 'db-1 v1 ready', 'db-2 v2 ready']);
    },
  ));

test('as many as may be unavailable are updated at once', () =>
  check(
    { replicas: 4, podManagementPolicy: 'Parallel', updateStrategy: { rollingUpdate: { maxUnavailable: 2 } } },
    async ({ ready, setImage, pods }) => {
      await ready('db-0', 'db-1', 'db-2', 'db-3');
      await setImage('v2');
      assert.deepEqual(await pods(), ['db-0 v1 ready', 'db-1 v1 ready', 'db-2 v2', 'db-3 v2']);
      await ready('db-2');
      assert.deepEqual(await pods(), ['db-0 v1 ready', 'db-1 v2', 'db-2 v2 ready', 'db-3 v2']);
    },
  ));

test('OnDelete waits for a hand', () =>
  check({ updateStrategy: { type: 'OnDelete' } }, async ({ ready, setImage, pods, client, calm }) => {
    await ready('db-0');
    await setImage('v2');
    assert.deepEqual(await pods(), ['db-0 v1 ready']);
    await client.delete({ gvr: PODS, namespace: 'shop', name: 'db-0' });
    await calm();
    assert.deepEqual(await pods(), ['db-0 v2']);
  }));

test('a bad update is mended by the next one', () =>
  check({ replicas: 2 }, async ({ ready, setImage, pods, list }) => {
    await ready('db-0', 'db-1');
    await setImage('broken');
    assert.deepEqual(await pods(), ['db-0 v1 ready', 'db-1 broken']);
    await setImage('v1');
    assert.deepEqual(await pods(), ['db-0 v1 ready', 'db-1 v1']);
    const revisions = await list<ControllerRevision>(CONTROLLER_REVISIONS, 'shop');
    assert.deepEqual(new Set(revisions.map(({ revision }) => revision)), new Set([2, 3]));
  }));

test('a pod counts once it was ready for long enough', () =>
  check({ replicas: 2, minReadySeconds: 10 }, async ({ ready, pods, clock, calm, status }) => {
    await ready('db-0');
    assert.deepEqual(await pods(), ['db-0 v1 ready']);
    assert.equal((await status()).availableReplicas ?? 0, 0);
    await clock.advance(10_001);
    await calm();
    assert.deepEqual(await pods(), ['db-0 v1 ready', 'db-1 v1']);
  }));

test('a pod that failed is made again', () =>
  check({}, async ({ pod, pods, client, calm }) => {
    const { uid } = (await pod('db-0')).metadata;
    const ref = { gvr: PODS, namespace: 'shop', name: 'db-0' };
    await client.patch(ref, { status: { phase: 'Failed' } }, { type: 'merge', subresource: 'status' });
    await calm();
    assert.deepEqual(await pods(), ['db-0 v1']);
    assert.notEqual((await pod('db-0')).metadata.uid, uid);
  }));

test('each ordinal has a claim of its own, which stays', () =>
  check({ replicas: 2, volumeClaimTemplates: [DATA] }, async ({ ready, claims, pod, patch, client, calm }) => {
    await ready('db-0', 'db-1');
    assert.deepEqual(await claims(), ['data-db-0', 'data-db-1']);
    assert.deepEqual((await pod('db-1')).spec?.volumes?.[0], {
      name: 'data',
      persistentVolumeClaim: { claimName: 'data-db-1' },
    });
    await patch({ replicas: 1 });
    await client.delete(DB, { propagationPolicy: 'Background' });
    await calm();
    assert.deepEqual(await claims(), ['data-db-0', 'data-db-1']);
  }));

test('claims go with the scale and with the set where that is the policy', () =>
  check(
    {
      replicas: 2,
      volumeClaimTemplates: [DATA],
      persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete', whenDeleted: 'Delete' },
    },
    async ({ ready, claims, patch, client, calm }) => {
      await ready('db-0', 'db-1');
      await patch({ replicas: 1 });
      assert.deepEqual(await claims(), ['data-db-0']);
      await client.delete(DB, { propagationPolicy: 'Background' });
      await calm();
      assert.deepEqual(await claims(), []);
    },
  ));
