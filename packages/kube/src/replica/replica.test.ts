import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus, type KubeObject } from '@skerry/api';
import { MAX_OWN_OBJECTS } from './replica-store.ts';
import {
  CONFIG_MAPS,
  configMap,
  EVENTS,
  event,
  LEASES,
  NODES,
  node,
  PODS,
  pod,
  refTo,
  SECRETS,
  secret,
} from './testing/objects.ts';
import { NODE, SMALL_OUTBOX, TwoShores } from './testing/two-shores.ts';

/** A cloud with a node, a pod at it that needs a ConfigMap, and things that are none of its business; the edge has all. */
async function check(story: (world: TwoShores) => Promise<void>): Promise<void> {
  await using world = new TwoShores();
  const { client } = world.cloud;
  await client.create(NODES, node(NODE));
  await client.create(NODES, node('edge-2'));
  await client.create(CONFIG_MAPS, configMap('needed', '1'));
  await client.create(CONFIG_MAPS, configMap('other', '1'));
  await client.create(SECRETS, secret('hidden', 'x'));
  await client.create(PODS, pod({ name: 'web', nodeName: NODE, configMap: 'needed' }));
  await client.create(PODS, pod({ name: 'elsewhere', nodeName: 'edge-2', configMap: 'other', secret: 'hidden' }));
  await world.quiet();
  await story(world);
}

function keysAtEdge(world: TwoShores): string[] {
  return world.edge.replica.store.list('').items.map(({ key }) => key);
}

async function setStatus(client: TwoShores['edge']['client'], message: string): Promise<void> {
  const found = await client.get<KubeObject>(refTo(PODS, 'web'));
  await client.update(PODS, { ...found, status: { phase: 'Running', message } }, { subresource: 'status' });
}

async function messageOf(client: TwoShores['edge']['client']): Promise<unknown> {
  const { status } = await client.get<KubeObject>(refTo(PODS, 'web'));
  return (status as { message?: unknown } | undefined)?.message;
}

test('an edge holds what concerns it and nothing else', () =>
  check(async (world) => {
    assert.deepEqual(keysAtEdge(world), ['/configmaps/default/needed', `/nodes//${NODE}`, '/pods/default/web']);
  }));

test('coming back with nothing changed costs no object and no list of versions', () =>
  check(async (world) => {
    await world.disconnect();
    await world.cloud.client.create(CONFIG_MAPS, configMap('unrelated', '1'));
    world.bytesDown = 0;
    await world.quiet();
    assert.deepEqual([world.bytesDown, world.versionsAsked], [0, 0]);
    assert.ok(world.edge.replica.state.position().length < 100);
  }));

test('what a node wrote comes back once, together with the news that the cloud has it from the node', () =>
  check(async (world) => {
    world.batchesDown = 0;
    await setStatus(world.edge.client, 'ready');
    await world.quiet();
    assert.equal(world.batchesDown, 1);
  }));

test('after an absence with changes only these are sent, also by a cloud that was restarted', () =>
  check(async (world) => {
    for (const restart of [false, true]) {
      await world.disconnect();
      const found = await world.cloud.client.get<KubeObject>(refTo(CONFIG_MAPS, 'needed'));
      await world.cloud.client.update(CONFIG_MAPS, { ...found, data: { value: `changed ${restart}` } });
      if (restart) await world.restartCloud();
      world.bytesDown = 0;
      await world.quiet();
      const { data } = await world.edge.client.get<KubeObject>(refTo(CONFIG_MAPS, 'needed'));
      assert.deepEqual(data, { value: `changed ${restart}` });
      assert.ok(world.bytesDown > 0 && world.bytesDown < 400, `${world.bytesDown} bytes`);
      assert.equal(world.versionsAsked, 0);
    }
  }));

test('what a pod no longer needs leaves the edge with it', () =>
  check(async (world) => {
    await world.disconnect();
    await world.cloud.client.delete(refTo(PODS, 'web'), { gracePeriodSeconds: 0 });
    await world.quiet();
    assert.deepEqual(keysAtEdge(world), [`/nodes//${NODE}`]);
  }));

test('a ConfigMap that comes after the pod that needs it arrives', () =>
  check(async (world) => {
    await world.cloud.client.create(PODS, pod({ name: 'early', nodeName: NODE, configMap: 'late' }));
    await world.quiet();
    await world.cloud.client.create(CONFIG_MAPS, configMap('late', '1'));
    await world.quiet();
    assert.ok(keysAtEdge(world).includes('/configmaps/default/late'));
  }));

test('a status written while cut off reaches the cloud, the last one only', () =>
  check(async (world) => {
    await world.disconnect();
    for (const message of ['first', 'second', 'last']) await setStatus(world.edge.client, message);
    assert.equal(world.edge.replica.outboxSize(), 1);
    await world.restartEdge();
    await world.quiet();
    assert.equal(await messageOf(world.cloud.client), 'last');
    assert.equal(await messageOf(world.edge.client), 'last');
  }));

test('a spec that changed in the cloud comes down, the status that is on its way up stays', () =>
  check(async (world) => {
    await world.disconnect();
    await setStatus(world.edge.client, 'from the edge');
    const found = await world.cloud.client.get<KubeObject>(refTo(PODS, 'web'));
    await world.cloud.client.update(PODS, { ...found, metadata: { ...found.metadata, labels: { new: 'label' } } });
    const labelled = await world.cloud.client.get<KubeObject>(refTo(PODS, 'web'));
    await world.cloud.client.update(PODS, { ...labelled, status: { message: 'old' } }, { subresource: 'status' });
    await world.quiet();
    const atEdge = await world.edge.client.get<KubeObject>(refTo(PODS, 'web'));
    assert.deepEqual(atEdge.metadata.labels, { new: 'label' });
    assert.equal(await messageOf(world.edge.client), 'from the edge');
    assert.equal(await messageOf(world.cloud.client), 'from the edge');
  }));

test('events made while cut off are in the cloud once, however often they are sent', () =>
  check(async (world) => {
    await world.disconnect();
    for (const name of ['a', 'b', 'c']) await world.edge.client.create(EVENTS, event(name));
    await world.cloud.sink(NODE, world.edge.replica.outbox.read(0, 10));
    await world.quiet();
    const { items } = await world.cloud.client.list(EVENTS, { namespace: 'default' });
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      ['a', 'b', 'c'],
    );
  }));

test('an event that happens again is counted in the cloud, though nodes may not read events', () =>
  check(async (world) => {
    const made = await world.edge.client.create<KubeObject>(EVENTS, event('again'));
    await world.quiet();
    await world.edge.client.update(EVENTS, { ...made, count: 2 });
    await world.quiet();
    assert.equal((await world.cloud.client.get<KubeObject>(refTo(EVENTS, 'again')))['count'], 2);
    assert.deepEqual(world.dropped, []);
  }));

test('a lease goes up and does not come back', () =>
  check(async (world) => {
    const lease = (renewTime: string) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: NODE, namespace: 'kube-node-lease' },
      spec: { holderIdentity: NODE, renewTime },
    });
    const created = await world.edge.client.create<KubeObject>(LEASES, lease('2026-01-01T00:00:00.000000Z'));
    await world.quiet();
    world.bytesDown = 0;
    await world.edge.client.update(LEASES, { ...created, spec: lease('2026-01-01T00:00:10.000000Z').spec });
    await world.quiet();
    const ref = { gvr: LEASES, namespace: 'kube-node-lease', name: NODE };
    const { spec } = await world.cloud.client.get<KubeObject>(ref);
    assert.equal((spec as { renewTime: string }).renewTime, '2026-01-01T00:00:10.000000Z');
    assert.equal(world.bytesDown, 0);
    assert.ok(world.cloud.concerns.concerns(NODE, `coordination.k8s.io/leases/kube-node-lease/${NODE}`));
  }));

test('a pod that the cloud deletes goes when the edge says that it has ended', () =>
  check(async (world) => {
    await world.cloud.client.delete(refTo(PODS, 'web'), { gracePeriodSeconds: 30 });
    await world.quiet();
    await world.disconnect();
    const found = await world.edge.client.get<KubeObject>(refTo(PODS, 'web'));
    assert.notEqual(found.metadata.deletionTimestamp, undefined);
    await world.edge.client.delete(refTo(PODS, 'web'), { gracePeriodSeconds: 0, uid: found.metadata.uid ?? '' });
    await world.quiet();
    await assert.rejects(world.cloud.client.get(refTo(PODS, 'web')), (error) => isStatus(error, 'NotFound'));
    assert.deepEqual(keysAtEdge(world), [`/nodes//${NODE}`]);
  }));

test('a status of a pod that was replaced meanwhile is about the other pod, and is dropped', () =>
  check(async (world) => {
    await world.disconnect();
    await setStatus(world.edge.client, 'of the old pod');
    await world.cloud.client.delete(refTo(PODS, 'web'), { gracePeriodSeconds: 0 });
    await world.cloud.client.create(PODS, pod({ name: 'web', nodeName: NODE }));
    await world.quiet();
    assert.equal(await messageOf(world.cloud.client), undefined);
    assert.equal(await messageOf(world.edge.client), undefined);
  }));

test('what is the cloud’s to write is refused at the edge with the reason', () =>
  check(async (world) => {
    const { client } = world.edge;
    const isRefused = (error: unknown) => isStatus(error, 'ServiceUnavailable');
    const found = await client.get<KubeObject>(refTo(CONFIG_MAPS, 'needed'));
    await assert.rejects(client.update(CONFIG_MAPS, { ...found, data: {} }), isRefused);
    await assert.rejects(client.create(CONFIG_MAPS, configMap('new', '1')), isRefused);
    await assert.rejects(client.delete(refTo(CONFIG_MAPS, 'needed')), isRefused);
    assert.equal(world.edge.replica.outboxSize(), 0);
  }));

test('labels that a node gives itself go up and keep what the cloud gave it', () =>
  check(async (world) => {
    await world.disconnect();
    const atEdge = await world.edge.client.get<KubeObject>(refTo(NODES, NODE));
    await world.edge.client.update(NODES, { ...atEdge, metadata: { ...atEdge.metadata, labels: { a: 'edge' } } });
    const second = await world.edge.client.get<KubeObject>(refTo(NODES, NODE));
    await world.edge.client.update(NODES, {
      ...second,
      metadata: { ...second.metadata, labels: { a: 'edge', b: 'edge' } },
    });
    const inCloud = await world.cloud.client.get<KubeObject>(refTo(NODES, NODE));
    await world.cloud.client.update(NODES, {
      ...inCloud,
      spec: { unschedulable: true },
      metadata: { ...inCloud.metadata, annotations: { by: 'cloud' } },
    });
    await world.quiet();
    for (const { client } of [world.cloud, world.edge]) {
      const { metadata, spec } = await client.get<KubeObject>(refTo(NODES, NODE));
      assert.equal(metadata.labels?.['a'], 'edge');
      assert.equal(metadata.labels?.['b'], 'edge');
      assert.equal(metadata.annotations?.['by'], 'cloud');
      assert.equal((spec as { unschedulable?: boolean }).unschedulable, true);
    }
  }));

test('an entry that is none of the node’s business, or no entry at all, is dropped and blocks nothing', () =>
  check(async (world) => {
    const bytes = (value: unknown) =>
      new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
    await world.cloud.sink(NODE, [
      { seq: 1, bytes: bytes('not json') },
      { seq: 2, bytes: bytes(null) },
      { seq: 3, bytes: bytes({ op: 'status', key: '/nothings/a/b', version: 'v1', status: {} }) },
      { seq: 4, bytes: bytes({ op: 'status', key: '/pods/default/gone', version: 'v1', status: {} }) },
      { seq: 5, bytes: bytes({ op: 'object', key: '/events/default/e', version: 'v1', object: event('e') }) },
    ]);
    assert.deepEqual(
      world.dropped.map(({ seq }) => seq).sort((a, b) => a - b),
      [1, 2, 3, 4],
    );
    assert.equal((await world.cloud.client.list(EVENTS, { namespace: 'default' })).items.length, 1);
  }));

test('the session number survives a restart', () =>
  check(async (world) => {
    assert.equal(world.edge.replica.sessionNumbers.load(), 0);
    await world.edge.replica.sessionNumbers.store(7);
    await world.restartEdge();
    assert.equal(world.edge.replica.sessionNumbers.load(), 7);
  }));

test('a piece of a batch leaves the position good for nothing but asking what is held', () =>
  check(async (world) => {
    await world.disconnect();
    const { state } = world.edge.replica;
    const bytes = new TextEncoder().encode(JSON.stringify(configMap('piece', '1')));
    // The link applies pieces with the position from before the batch. Then it is cut off, and the object goes.
    const before = state.position();
    await state.apply([{ key: '/configmaps/default/piece', version: '99', bytes }], before);
    await state.apply([{ key: '/configmaps/default/piece', version: '100', bytes }], before);
    await world.quiet();
    assert.equal(world.versionsAsked, 1);
    assert.deepEqual(keysAtEdge(world), ['/configmaps/default/needed', `/nodes//${NODE}`, '/pods/default/web']);
  }));

test('Secrets are not in the clear in the edge’s file, and open at its API', async () => {
  await using world = new TwoShores();
  await world.cloud.client.create(SECRETS, secret('pin', 'canary-4711'));
  await world.cloud.client.create(PODS, pod({ name: 'web', nodeName: NODE, secret: 'pin' }));
  await world.quiet();
  const found = await world.edge.client.get<KubeObject>(refTo(SECRETS, 'pin'));
  assert.deepEqual(found['data'], { value: Buffer.from('canary-4711').toString('base64') });
  for (const { store } of [world.cloud, world.edge.replica]) {
    assert.match(store.get('/secrets/default/pin')?.json ?? '', /sealed:/);
  }
});

test('an outbox that is full keeps what counts and the newest events', () =>
  check(async (world) => {
    await world.disconnect();
    await setStatus(world.edge.client, 'kept');
    for (let i = 0; i < SMALL_OUTBOX + 10; i++) await world.edge.client.create(EVENTS, event(`e${i}`));
    assert.equal(world.edge.replica.outboxSize(), SMALL_OUTBOX);
    await world.restartEdge();
    assert.equal(world.edge.replica.outboxSize(), SMALL_OUTBOX);
    await world.quiet();
    const { items } = await world.cloud.client.list(EVENTS, { namespace: 'default' });
    assert.equal(items.length, SMALL_OUTBOX - 1);
    assert.ok(items.some(({ metadata }) => metadata.name === `e${SMALL_OUTBOX + 9}`));
    assert.equal(await messageOf(world.cloud.client), 'kept');
  }));

test('an edge keeps only so many of its own events once the cloud has them', () =>
  check(async (world) => {
    for (let i = 0; i < MAX_OWN_OBJECTS + 150; i++) {
      await world.edge.client.create(EVENTS, event(`e${i}`));
      if (i % 20 === 0) await world.quiet();
    }
    await world.quiet();
    const kept = world.edge.replica.store.count('/events/');
    assert.ok(kept >= MAX_OWN_OBJECTS && kept < MAX_OWN_OBJECTS + 100, `${kept} kept`);
    assert.equal(world.cloud.store.count('/events/'), MAX_OWN_OBJECTS + 150);
  }));
