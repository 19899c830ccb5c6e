import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scratchServer } from './testing/scratch-server.ts';

const NETWORKING = '/apis/networking.k8s.io/v1';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const PARENT = { parentRef: { resource: 'services', namespace: 'default', name: 'web' } };

/** The fields that are refused when an object of this name and spec is made; `[]` when it is taken. */
async function refused(resource: string, name: string, spec: object): Promise<string[]> {
  const { ask } = scratchServer();
  const { status, json, text } = await ask('POST', `${NETWORKING}/${resource}`, { body: { metadata: { name }, spec } });
  if (status === 201) return [];
  assert.equal(status, 422, text);
  return json.details.causes.map(({ field }: { field: string }) => field);
}

test('an IPAddress is named by an address in its one form, and says whose it is', async () => {
  assert.deepEqual(await refused('ipaddresses', '192.0.2.1', PARENT), []);
  assert.deepEqual(await refused('ipaddresses', '2001:db8::1', PARENT), []);
  assert.deepEqual(await refused('ipaddresses', '2001:db8:0::1', PARENT), ['metadata.name']);
  assert.deepEqual(await refused('ipaddresses', '192.0.2.256', PARENT), ['metadata.name']);
  assert.deepEqual(await refused('ipaddresses', '192.0.2.1', {}), ['spec.parentRef']);
  assert.deepEqual(await refused('ipaddresses', '192.0.2.1', { parentRef: {} }), [
    'spec.parentRef.resource',
    'spec.parentRef.name',
  ]);
});

test('a ServiceCIDR has one range of each family, and nothing set beyond its prefix', async () => {
  const check = (cidrs: string[]) => refused('servicecidrs', 'more', { cidrs });
  assert.deepEqual(await check(['192.0.2.0/24', '2001:db8::/64']), []);
  assert.deepEqual(await check([]), ['spec.cidrs']);
  assert.deepEqual(await check(['192.0.2.0/24', '198.51.100.0/24']), ['spec.cidrs']);
  for (const cidr of ['192.0.2.1/24', '192.0.2.0/33', '192.0.2.0', 'net', '2001:db8::/129', '192.0.2.0/024']) {
    assert.deepEqual(await check([cidr]), ['spec.cidrs[0]'], cidr);
  }
});

test('neither changes what it stands for', async () => {
  const { ask } = scratchServer();
  await ask('POST', `${NETWORKING}/ipaddresses`, { body: { metadata: { name: '192.0.2.1' }, spec: PARENT } });
  await ask('POST', `${NETWORKING}/servicecidrs`, {
    body: { metadata: { name: 'more' }, spec: { cidrs: ['192.0.2.0/24'] } },
  });
  const change = async (path: string, spec: object) => {
    const { status, json } = await ask('PATCH', `${NETWORKING}/${path}`, { body: { spec }, headers: MERGE });
    return [status, json.details?.causes[0].field];
  };
  assert.deepEqual(await change('ipaddresses/192.0.2.1', { parentRef: { name: 'db' } }), [422, 'spec.parentRef']);
  assert.deepEqual(await change('servicecidrs/more', { cidrs: ['198.51.100.0/24'] }), [422, 'spec.cidrs']);
});
