import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import { scratchServer } from './testing/scratch-server.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';

const pod = (name: string, nodeName?: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'host' }], ...(nodeName === undefined ? {} : { nodeName }) },
});

test('a pod on a node ends with its grace, and a second delete can only shorten it', async () => {
  const clock = fakeClock();
  const { ask } = scratchServer({ clock });
  await ask('POST', PODS, { body: pod('p', 'n1') });
  const first = await ask('DELETE', `${PODS}/p`);
  assert.equal(first.json.metadata.deletionGracePeriodSeconds, 30);
  assert.equal(first.json.metadata.deletionTimestamp, '2026-01-01T00:00:30Z');
  await clock.advance(5_000);
  const longer = await ask('DELETE', `${PODS}/p`, { body: { gracePeriodSeconds: 60 } });
  assert.equal(longer.json.metadata.deletionTimestamp, '2026-01-01T00:00:30Z');
  const shorter = await ask('DELETE', `${PODS}/p`, { body: { gracePeriodSeconds: 10 } });
  assert.equal(shorter.json.metadata.deletionTimestamp, '2026-01-01T00:00:10Z');
  const gone = await ask('DELETE', `${PODS}/p`, { body: { gracePeriodSeconds: 0 } });
  assert.equal(gone.json.kind, 'Status');
  assert.equal((await ask('GET', `${PODS}/p`)).status, 404);
});

test('a pod that is on no node goes at once', async () => {
  const { ask } = scratchServer();
  await ask('POST', PODS, { body: pod('p') });
  assert.equal((await ask('DELETE', `${PODS}/p`)).json.status, 'Success');
});

test('finalizers hold an object until the last is gone', async () => {
  const { ask } = scratchServer();
  await ask('POST', MAPS, { body: { metadata: { name: 'm', finalizers: ['example.com/a'] } } });
  const marked = await ask('DELETE', `${MAPS}/m`);
  assert.notEqual(marked.json.metadata.deletionTimestamp, undefined);
  const added = await ask('PATCH', `${MAPS}/m`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { finalizers: ['example.com/a', 'example.com/b'] } },
  });
  assert.equal(added.status, 422);
  const freed = await ask('PATCH', `${MAPS}/m`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { finalizers: null } },
  });
  assert.equal(freed.status, 200);
  assert.equal((await ask('GET', `${MAPS}/m`)).status, 404);
});

for (const [policy, finalizer] of [
  ['Foreground', 'foregroundDeletion'],
  ['Orphan', 'orphan'],
] as const) {
  test(`propagation ${policy} is left to the garbage collector as a finalizer`, async () => {
    const { ask } = scratchServer();
    await ask('POST', MAPS, { body: { metadata: { name: 'm' } } });
    const marked = await ask('DELETE', `${MAPS}/m`, { body: { propagationPolicy: policy } });
    assert.deepEqual(marked.json.metadata.finalizers, [finalizer]);
  });
}

test('preconditions that do not hold keep the object', async () => {
  const { ask } = scratchServer();
  const { json } = await ask('POST', MAPS, { body: { metadata: { name: 'm' } } });
  const byUid = await ask('DELETE', `${MAPS}/m`, { body: { preconditions: { uid: 'other' } } });
  assert.equal(byUid.status, 409);
  const byVersion = await ask('DELETE', `${MAPS}/m`, { body: { preconditions: { resourceVersion: '1' } } });
  assert.equal(byVersion.status, 409);
  const { uid, resourceVersion } = json.metadata;
  assert.equal((await ask('DELETE', `${MAPS}/m`, { body: { preconditions: { uid, resourceVersion } } })).status, 200);
});

test('a dry run deletes nothing', async () => {
  const { ask } = scratchServer();
  await ask('POST', MAPS, { body: { metadata: { name: 'm' } } });
  assert.equal((await ask('DELETE', `${MAPS}/m?dryRun=All`)).status, 200);
  assert.equal((await ask('GET', `${MAPS}/m`)).status, 200);
});

test('a namespace is Terminating until it is finalized, and takes nothing new meanwhile', async () => {
  const { ask } = scratchServer();
  await ask('POST', '/api/v1/namespaces', { body: { metadata: { name: 'shop' } } });
  const marked = await ask('DELETE', '/api/v1/namespaces/shop');
  assert.equal(marked.json.status.phase, 'Terminating');
  const refused = await ask('POST', '/api/v1/namespaces/shop/configmaps', { body: { metadata: { name: 'm' } } });
  assert.equal(refused.status, 403);
  assert.equal(refused.json.details.causes[0].reason, 'NamespaceTerminating');
  const finalized = await ask('PUT', '/api/v1/namespaces/shop/finalize', {
    body: { ...marked.json, spec: { finalizers: [] } },
  });
  assert.equal(finalized.status, 200);
  assert.equal((await ask('GET', '/api/v1/namespaces/shop')).status, 404);
});

test('the namespaces of the system may not be deleted', async () => {
  const { ask } = scratchServer();
  await ask('POST', '/api/v1/namespaces', { body: { metadata: { name: 'kube-system' } } });
  assert.equal((await ask('DELETE', '/api/v1/namespaces/kube-system')).status, 403);
});
