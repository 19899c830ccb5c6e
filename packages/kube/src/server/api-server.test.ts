import assert from 'node:assert/strict';
import { test } from 'node:test';
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
