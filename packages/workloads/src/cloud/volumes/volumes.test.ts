import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeSpec,
  Pod,
  StorageClass,
} from '@skerry/api/types';
import { ephemeralVolumeController } from '../ephemeral-volume/index.ts';
import { garbageCollector } from '../garbage-collector/index.ts';
import { NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES } from '../resources.ts';
import { runScheduler } from '../scheduler/index.ts';
import { type ScratchCloud, scratchCloud } from '../testing/scratch-cloud.ts';
import { volumeController } from './index.ts';

interface World extends ScratchCloud {
  readonly volume: (name: string, size: string, spec?: PersistentVolumeSpec) => Promise<void>;
  readonly storageClass: (name: string, more: Partial<StorageClass>) => Promise<void>;
  readonly want: (name: string, size: string, spec?: PersistentVolumeClaim['spec']) => Promise<void>;
  /** A pod that uses these claims. */
  readonly use: (name: string, ...claims: string[]) => Promise<void>;
  /** `phase volume` of a claim. */
  readonly claim: (name: string) => Promise<string>;
  readonly phase: (volume: string) => Promise<string | undefined>;
  readonly pod: (name: string) => Promise<Pod>;
  readonly drop: (name: string) => Promise<void>;
}

/** Runs `story` on a cloud with the controller, the scheduler and two nodes. */
async function check(story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client, context } = cloud;
  const ending = new AbortController();
  cloud.run(volumeController(context));
  const scheduling = runScheduler({
    ...context,
    signal: ending.signal,
    recorder: context.recorder('default-scheduler'),
  });
  for (const name of ['a', 'b']) await cloud.addNode(name, { labels: { 'kubernetes.io/hostname': name } });
  const create = async (...[gvr, object]: Parameters<typeof client.create>) => {
    await client.create(gvr, object);
    await cloud.calm();
  };
  const claimRef = (name: string) => ({ gvr: PERSISTENT_VOLUME_CLAIMS, namespace: 'shop', name });
  const pod = (name: string) => client.get<Pod>({ gvr: PODS, namespace: 'shop', name });
  await story({
    ...cloud,
    pod,
    volume: (name, storage, spec = {}) =>
      create(PERSISTENT_VOLUMES, {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name },
        spec: { capacity: { storage }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/srv' }, ...spec },
      } as PersistentVolume),
    storageClass: (name, more) =>
      create(STORAGE_CLASSES, {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        provisioner: 'kubernetes.io/no-provisioner',
        ...more,
        metadata: { name, ...more.metadata },
      } as StorageClass),
    want: (name, storage, spec = {}) =>
      create(PERSISTENT_VOLUME_CLAIMS, {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name, namespace: 'shop' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, ...spec },
      } as PersistentVolumeClaim),
    use: async (name, ...claims) => {
      const volumes = claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } }));
      await create(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'shop' },
        spec: { containers: [{ name: 'main', image: 'host' }], volumes },
      } as Pod);
      await cloud.clock.advance(1001);
      await cloud.calm();
    },
    claim: async (name) => {
      const { spec, status } = await client.get<PersistentVolumeClaim>(claimRef(name));
      return `${status?.phase} ${spec?.volumeName ?? ''}`.trim();
    },
    phase: async (name) => (await client.get<PersistentVolume>({ gvr: PERSISTENT_VOLUMES, name })).status?.phase,
    drop: async (name) => {
      await client.delete(claimRef(name));
      await cloud.calm();
    },
  });
  ending.abort();
  await scheduling;
}

const on = (node: string): PersistentVolumeSpec => ({
  nodeAffinity: {
    required: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }],
    },
  },
});

test('a claim gets the smallest volume that is large enough, and nobody else does', () =>
  check(async ({ volume, want, claim, phase }) => {
    await volume('large', '10Gi');
    await volume('small', '1Gi');
    await volume('middle', '5Gi');
    await want('first', '2Gi');
    await want('second', '2Gi');
    await want('third', '2Gi');
    assert.deepEqual([await claim('first'), await claim('second')], ['Bound middle', 'Bound large']);
    assert.equal(await claim('third'), 'Pending');
    assert.deepEqual([await phase('middle'), await phase('small')], ['Bound', 'Available']);
    await volume('late', '2Gi');
    assert.equal(await claim('third'), 'Bound late');
  }));

test('class, access and a name that is asked for decide too', () =>
  check(async ({ volume, want, claim }) => {
    await volume('fast', '1Gi', { storageClassName: 'fast' });
    await volume('plain', '1Gi');
    await want('shared', '1Gi', { accessModes: ['ReadWriteMany'] });
    await want('quick', '1Gi', { storageClassName: 'fast' });
    await want('named', '1Gi', { volumeName: 'plain' });
    assert.deepEqual(
      [await claim('shared'), await claim('quick'), await claim('named')],
      ['Pending', 'Bound fast', 'Bound plain'],
    );
  }));

test('a volume whose claim is gone keeps its data and is given to nobody', () =>
  check(async ({ volume, want, drop, phase, claim }) => {
    await volume('only', '1Gi');
    await want('first', '1Gi');
    await drop('first');
    assert.equal(await phase('only'), 'Released');
    await want('second', '1Gi');
    assert.equal(await claim('second'), 'Pending');
  }));

test('a claim that a pod uses goes with the pod', () =>
  check(async ({ volume, want, use, drop, find, client, calm }) => {
    await volume('only', '1Gi');
    await want('data', '1Gi');
    await use('db', 'data');
    await drop('data');
    const ref = { gvr: PERSISTENT_VOLUME_CLAIMS, namespace: 'shop', name: 'data' };
    assert.ok((await find(ref))?.metadata.deletionTimestamp);
    await client.delete({ gvr: PODS, namespace: 'shop', name: 'db' }, { gracePeriodSeconds: 0 });
    await calm();
    assert.equal(await find(ref), undefined);
  }));

test('a pod goes where its volume is', () =>
  check(async ({ volume, want, use, pod }) => {
    await volume('there', '1Gi', on('b'));
    await want('data', '1Gi');
    await use('db', 'data');
    assert.equal((await pod('db')).spec?.nodeName, 'b');
  }));

test('a pod waits for its claims, and says what it waits for', () =>
  check(async ({ want, use, pod }) => {
    await use('lost', 'nothing');
    await want('data', '1Gi');
    await use('early', 'data');
    const why = async (name: string) => (await pod(name)).status?.conditions?.[0]?.message;
    assert.match((await why('lost')) ?? '', /persistentvolumeclaim "nothing" not found/);
    assert.match((await why('early')) ?? '', /pod has unbound immediate PersistentVolumeClaims/);
  }));

test('where the class waits for a consumer, the volume is one that the pod can reach', () =>
  check(async ({ storageClass, volume, want, use, claim, pod, client, calm }) => {
    await storageClass('local', { volumeBindingMode: 'WaitForFirstConsumer' });
    await volume('at-a', '1Gi', { storageClassName: 'local', ...on('a') });
    await volume('at-b', '2Gi', { storageClassName: 'local', ...on('b') });
    await want('data', '1Gi', { storageClassName: 'local' });
    assert.equal(await claim('data'), 'Pending');
    await client.patch(
      { gvr: { group: '', version: 'v1', resource: 'nodes' }, name: 'a' },
      { spec: { unschedulable: true } },
      { type: 'merge' },
    );
    await calm();
    await use('db', 'data');
    assert.equal(await claim('data'), 'Bound at-b');
    assert.equal((await pod('db')).spec?.nodeName, 'b');
  }));

test('a local path is made for the node of the first pod', () =>
  check(async ({ storageClass, want, use, claim, pod, client, phase }) => {
    await storageClass('local-path', {
      provisioner: 'skerry.io/local-path',
      reclaimPolicy: 'Retain',
      volumeBindingMode: 'WaitForFirstConsumer',
      parameters: { path: '/srv/volumes' },
      metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    });
    await want('data', '1Gi');
    await use('db', 'data');
    const [state, name = ''] = (await claim('data')).split(' ');
    assert.equal(state, 'Bound');
    assert.equal(await phase(name), 'Bound');
    const { spec } = await client.get<PersistentVolume>({ gvr: PERSISTENT_VOLUMES, name });
    assert.deepEqual(spec?.hostPath, { path: `/srv/volumes/${name}`, type: 'DirectoryOrCreate' });
    const { nodeName = '' } = (await pod('db')).spec ?? {};
    assert.deepEqual(spec?.nodeAffinity, on(nodeName).nodeAffinity);
  }));

const LOCAL = {
  provisioner: 'skerry.io/local-path',
  volumeBindingMode: 'WaitForFirstConsumer',
  metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
} as const;

/** A claim `data` with a volume on a node, whose pod is gone again. */
async function provisioned(world: World, more: Partial<StorageClass> = {}): Promise<PersistentVolume> {
  const { storageClass, want, use, claim, client, calm } = world;
  await storageClass('local-path', { ...LOCAL, ...more });
  await want('data', '1Gi');
  await use('db', 'data');
  const name = (await claim('data')).split(' ')[1] ?? '';
  await client.delete({ gvr: PODS, namespace: 'shop', name: 'db' }, { gracePeriodSeconds: 0 });
  await calm();
  return client.get<PersistentVolume>({ gvr: PERSISTENT_VOLUMES, name });
}

test('a local path is not provisioned where nobody would know what becomes of its data', () =>
  check(async ({ storageClass, want, use, claim, events }) => {
    await storageClass('local-path', { ...LOCAL, reclaimPolicy: 'Recycle' });
    await want('data', '1Gi');
    await use('db', 'data');
    assert.equal(await claim('data'), 'Pending');
    const why = 'reclaimPolicy Recycle is not supported, use Delete or Retain';
    assert.ok((await events('data')).includes(`ProvisioningFailed: ${why}`));
  }));

test('a volume that goes with its claim stays until its node says that the data is gone', () =>
  check(async (world) => {
    const { metadata } = await provisioned(world);
    const { client, drop, calm, find, phase } = world;
    const name = metadata.name ?? '';
    const ref = { gvr: PERSISTENT_VOLUMES, name };
    assert.deepEqual(metadata.finalizers, ['skerry.io/local-path']);
    await drop('data');
    const leaving = await client.get<PersistentVolume>(ref);
    assert.ok(leaving.metadata.deletionTimestamp !== undefined);
    assert.equal(await phase(name), 'Released');
    const status = { ...leaving.status, reason: 'DataRemoved' };
    await client.patch(ref, { status }, { type: 'merge', subresource: 'status' });
    await calm();
    assert.equal(await find(ref), undefined);
  }));

test('a volume that somebody deletes under its claim keeps its data until the claim is gone', () =>
  check(async (world) => {
    const { metadata } = await provisioned(world);
    const { client, calm, claim, phase } = world;
    const name = metadata.name ?? '';
    await client.delete({ gvr: PERSISTENT_VOLUMES, name });
    await calm();
    assert.deepEqual([await phase(name), await claim('data')], ['Bound', `Bound ${name}`]);
  }));

test('a volume that is retained, or was told to be, stays with its data', () =>
  check(async (world) => {
    const { metadata } = await provisioned(world);
    const { client, drop, calm, find, phase } = world;
    const ref = { gvr: PERSISTENT_VOLUMES, name: metadata.name ?? '' };
    await client.patch(ref, { spec: { persistentVolumeReclaimPolicy: 'Retain' } }, { type: 'merge' });
    await drop('data');
    assert.equal(await phase(ref.name), 'Released');
    assert.equal((await client.get<PersistentVolume>(ref)).metadata.deletionTimestamp, undefined);
    await client.delete(ref);
    await calm();
    assert.equal(await find(ref), undefined, 'the object alone goes at once');
  }));

test('the data of a node that is gone is not waited for, and that is said', () =>
  check(async (world) => {
    const { metadata, spec } = await provisioned(world);
    const { client, drop, calm, find, events } = world;
    const name = metadata.name ?? '';
    await drop('data');
    const [term] = spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
    const node = term?.matchExpressions?.[0]?.values?.[0] ?? '';
    await client.delete({ gvr: NODES, name: node });
    await calm();
    assert.equal(await find({ gvr: PERSISTENT_VOLUMES, name }), undefined);
    const said = `VolumeFailedDelete: node ${node} is gone; whatever is left of the data is there`;
    await world.until('the event', async () => (await events(name)).includes(said));
  }));

test('a claim grows where its class says so, and never shrinks', () =>
  check(async (world) => {
    const { metadata } = await provisioned(world, { allowVolumeExpansion: true });
    const { client, calm } = world;
    const ref = { gvr: PERSISTENT_VOLUME_CLAIMS, namespace: 'shop', name: 'data' };
    const resize = (storage: string) =>
      client.patch<PersistentVolumeClaim>(ref, { spec: { resources: { requests: { storage } } } }, { type: 'merge' });
    await resize('3Gi');
    await calm();
    assert.equal((await client.get<PersistentVolumeClaim>(ref)).status?.capacity?.['storage'], '3Gi');
    const { spec } = await client.get<PersistentVolume>({ gvr: PERSISTENT_VOLUMES, name: metadata.name ?? '' });
    assert.equal(spec?.capacity?.['storage'], '3Gi');
    await assert.rejects(resize('2Gi'), /field can not be less than previous value/);
    await assert.rejects(
      client.patch(ref, { spec: { accessModes: ['ReadOnlyMany'] } }, { type: 'merge' }),
      /spec is immutable after creation/,
    );
  }));

test('a claim of a class that says nothing of it does not grow', () =>
  check(async (world) => {
    await provisioned(world);
    const ref = { gvr: PERSISTENT_VOLUME_CLAIMS, namespace: 'shop', name: 'data' };
    await assert.rejects(
      world.client.patch(ref, { spec: { resources: { requests: { storage: '3Gi' } } } }, { type: 'merge' }),
      /the storageclass that provisions the pvc must support resize/,
    );
  }));

test('a class says on which nodes its volumes may be made', () =>
  check(async ({ storageClass, want, use, pod }) => {
    const matchLabelExpressions = [{ key: 'kubernetes.io/hostname', values: ['b'] }];
    await storageClass('local-path', { ...LOCAL, allowedTopologies: [{ matchLabelExpressions }] });
    for (const name of ['one', 'two', 'three']) {
      await want(name, '1Gi');
      await use(`pod-${name}`, name);
      assert.equal((await pod(`pod-${name}`)).spec?.nodeName, 'b');
    }
  }));

test('a volume is made where the affinity of its first pod leads', () =>
  check(async ({ storageClass, want, client, clock, calm, claim, pod }) => {
    await storageClass('local-path', LOCAL);
    await want('data', '1Gi');
    const term = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'NotIn' as const, values: ['a'] }] };
    const required = { nodeSelectorTerms: [term] };
    await client.create<Pod>(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'db', namespace: 'shop' },
      spec: {
        containers: [{ name: 'main', image: 'host' }],
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      },
    });
    await clock.advance(1001);
    await calm();
    const name = (await claim('data')).split(' ')[1] ?? '';
    const { spec } = await client.get<PersistentVolume>({ gvr: PERSISTENT_VOLUMES, name });
    assert.deepEqual([(await pod('db')).spec?.nodeName, spec?.nodeAffinity], ['b', on('b').nodeAffinity]);
  }));

test('an ephemeral volume has a claim of its own, which goes with its pod', () =>
  check(async (world) => {
    const { storageClass, client, clock, calm, pod, claim, find, run, context } = world;
    run(ephemeralVolumeController(context), garbageCollector(context));
    await storageClass('local-path', LOCAL);
    const resources = { requests: { storage: '1Gi' } };
    const spec: PersistentVolumeClaim['spec'] = { accessModes: ['ReadWriteOnce'], resources };
    const template = { metadata: { labels: { of: 'pod' } }, spec };
    await client.create<Pod>(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'job', namespace: 'shop' },
      spec: {
        containers: [{ name: 'main', image: 'host' }],
        volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: template } }],
      },
    });
    for (let second = 0; second < 3; second++) {
      await clock.advance(1001);
      await calm();
    }
    assert.match(await claim('job-scratch'), /^Bound pvc-/);
    assert.match((await pod('job')).spec?.nodeName ?? '', /^[ab]$/);
    await client.delete({ gvr: PODS, namespace: 'shop', name: 'job' }, { gracePeriodSeconds: 0 });
    await calm();
    const ref = { gvr: PERSISTENT_VOLUME_CLAIMS, namespace: 'shop', name: 'job-scratch' };
    await world.until('the claim is gone', async () => (await find(ref)) === undefined);
  }));

test('a claim of somebody else is not taken for an ephemeral volume', () =>
  check(async ({ want, client, run, context, events, until }) => {
    run(ephemeralVolumeController(context));
    await want('job-scratch', '1Gi');
    const resources = { requests: { storage: '1Gi' } };
    const spec: PersistentVolumeClaim['spec'] = { accessModes: ['ReadWriteOnce'], resources };
    await client.create<Pod>(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'job', namespace: 'shop' },
      spec: {
        containers: [{ name: 'main', image: 'host' }],
        volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec } } }],
      },
    });
    const said = 'ClaimConflict: ephemeral volume scratch: PVC shop/job-scratch was not created for the pod';
    await until('the event', async () => (await events('job')).includes(said));
  }));
