import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeErrors } from '../store/errors.ts';
import { memoryStore } from './testing/memory-store.ts';
import { scratchServer } from './testing/scratch-server.ts';

const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' }, data: { key: 'value' } };
const MAPS = '/api/v1/namespaces/default/configmaps';

test('what was created can be read, listed, changed and deleted', async () => {
  const { ask } = scratchServer();
  const created = await ask('POST', MAPS, { body: CONFIG_MAP });
  assert.equal(created.status, 201);
  assert.equal(created.json.metadata.namespace, 'default');
  assert.match(created.json.metadata.resourceVersion, /^\d+$/);
  assert.deepEqual((await ask('GET', `${MAPS}/one`)).json, created.json);
  const list = await ask('GET', MAPS);
  assert.deepEqual(list.json.items, [created.json]);
  assert.equal(list.json.kind, 'ConfigMapList');
  const changed = await ask('PUT', `${MAPS}/one`, { body: { ...created.json, data: { key: 'other' } } });
  assert.equal(changed.status, 200);
  assert.equal(changed.json.data.key, 'other');
  const stale = await ask('PUT', `${MAPS}/one`, { body: { ...created.json, data: { key: 'third' } } });
  assert.equal(stale.status, 409);
  const merged = await ask('PATCH', `${MAPS}/one`, {
    body: { data: { more: 'yes' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.deepEqual(merged.json.data, { key: 'other', more: 'yes' });
  assert.equal((await ask('DELETE', `${MAPS}/one`)).json.status, 'Success');
  assert.equal((await ask('GET', `${MAPS}/one`)).status, 404);
});

test('a watch shows each change from the revision it names', async () => {
  const { ask, watch } = scratchServer();
  const created = await ask('POST', MAPS, { body: CONFIG_MAP });
  await ask('PUT', `${MAPS}/one`, { body: { ...CONFIG_MAP, data: {} } });
  await ask('DELETE', `${MAPS}/one`);
  const events = await watch(`${MAPS}?watch=1&resourceVersion=${created.json.metadata.resourceVersion}`, 2);
  assert.deepEqual(
    events.map((event) => (event as { type: string }).type),
    ['MODIFIED', 'DELETED'],
  );
});

test('strict field validation refuses what warn only names', async () => {
  const { ask } = scratchServer();
  const body = { ...CONFIG_MAP, metadata: { name: 'two', wrong: 1 } };
  const warned = await ask('POST', MAPS, { body });
  assert.equal(warned.status, 201);
  assert.equal(warned.headers['warning'], '299 - "unknown field \\"metadata.wrong\\""');
  const strict = await ask('POST', `${MAPS}?fieldValidation=Strict`, { body });
  assert.equal(strict.status, 400);
  assert.match(strict.json.message, /strict decoding error: unknown field "metadata.wrong"/);
});

test('server-side apply creates, merges and refuses what another manager owns', async () => {
  const { ask } = scratchServer();
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const apply = (manager: string, data: object) =>
    ask('PATCH', `${MAPS}/one?fieldManager=${manager}`, { headers, body: { ...CONFIG_MAP, data } });
  assert.equal((await apply('a', { key: '1' })).status, 201);
  assert.deepEqual((await apply('b', { other: '2' })).json.data, { key: '1', other: '2' });
  const refused = await apply('b', { key: '3' });
  assert.equal(refused.status, 409);
  assert.equal(refused.json.details.causes[0].reason, 'FieldManagerConflict');
  const unchanged = await apply('a', { key: '1' });
  assert.equal(unchanged.status, 200);
});

test('what has no namespace is not reached by way of one', async () => {
  const { ask } = scratchServer();
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } };
  assert.equal((await ask('POST', '/api/v1/nodes', { body: node })).status, 201);
  for (const [method, path] of [
    ['GET', 'nodes'],
    ['GET', 'nodes/n1'],
    ['DELETE', 'nodes/n1'],
    ['DELETE', 'nodes'],
    ['POST', 'persistentvolumes'],
    ['PATCH', 'nodes/n1/status'],
  ] as const) {
    const { status } = await ask(method, `/api/v1/namespaces/default/${path}`, method === 'POST' ? { body: node } : {});
    assert.equal(status, 404, `${method} ${path}`);
  }
  assert.equal((await ask('GET', '/api/v1/nodes/n1')).status, 200);
  const team = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } };
  assert.equal((await ask('POST', '/api/v1/namespaces', { body: team })).status, 201);
  assert.equal((await ask('GET', '/api/v1/namespaces/team')).status, 200);
});

for (const code of ['COMMIT', 'CLOSED'] as const)
  test(`a write that the store cannot take (${code}) is answered as one to send again`, async () => {
    const store = { ...memoryStore(), put: () => Promise.reject(storeErrors[code]({ writes: 1 })) };
    const { ask } = scratchServer({ store });
    const body = { metadata: { name: 'a' } };
    const { status, json } = await ask('POST', '/api/v1/namespaces/default/configmaps', { body });
    assert.deepEqual([status, json.reason], [503, 'ServiceUnavailable']);
    assert.match(json.message, /was not stored/);
  });
