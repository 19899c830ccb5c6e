import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scratchServer } from './testing/scratch-server.ts';

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

test('current clients get everything in two documents, with an ETag', async () => {
  const { ask } = scratchServer();
  const { json, headers } = await ask('GET', '/apis', { headers: { accept: AGGREGATED } });
  assert.equal(headers['content-type'], 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
  assert.equal(headers['vary'], 'Accept');
  assert.ok(json.items.some(({ metadata }: { metadata: { name: string } }) => metadata.name === 'apps'));
  const again = await ask('GET', '/apis', { headers: { accept: AGGREGATED, 'if-none-match': headers['etag'] ?? '' } });
  assert.deepEqual([again.status, again.text], [304, '']);
});

test('older clients get the documents one by one', async () => {
  const { ask } = scratchServer();
  assert.deepEqual((await ask('GET', '/api')).json.versions, ['v1']);
  assert.equal((await ask('GET', '/apis')).json.kind, 'APIGroupList');
  assert.equal((await ask('GET', '/apis/apps')).json.preferredVersion.groupVersion, 'apps/v1');
  const core = await ask('GET', '/api/v1');
  assert.ok(core.json.resources.some(({ name }: { name: string }) => name === 'pods/exec'));
  assert.equal((await ask('GET', '/apis/nobody.example.com')).text, '404 page not found\n');
});

test('OpenAPI documents are named by what they hold, and may be kept for ever under that name', async () => {
  const { ask } = scratchServer();
  const url = (await ask('GET', '/openapi/v3')).json.paths['apis/apps/v1'].serverRelativeURL;
  const document = await ask('GET', url);
  assert.equal(document.json.openapi, '3.0.0');
  assert.match(document.headers['cache-control'] ?? '', /immutable/);
  const stale = await ask('GET', '/openapi/v3/apis/apps/v1?hash=OLD');
  assert.deepEqual([stale.status, stale.headers['location']], [301, url]);
  assert.equal((await ask('GET', '/openapi/v2')).json.swagger, '2.0');
});

test('health and version are told, and metrics count requests', async () => {
  let isFine = true;
  const { ask } = scratchServer({ checks: [{ name: 'store', isHealthy: () => isFine }] });
  assert.equal((await ask('GET', '/readyz')).text, 'ok');
  assert.equal((await ask('GET', '/readyz?verbose')).text, '[+]ping ok\n[+]store ok\nreadyz check passed\n');
  isFine = false;
  assert.equal((await ask('GET', '/livez')).status, 500);
  const excluded = await ask('GET', '/livez?exclude=store&exclude=none&verbose');
  assert.equal(excluded.status, 200);
  assert.match(excluded.text, /\[\+\]store excluded: ok\nwarn: .* no matches for "none"\nlivez check passed/);
  assert.equal((await ask('GET', '/livez/ping')).status, 200);
  assert.equal((await ask('GET', '/version')).json.gitVersion, 'v1.36.0+skerry');
  assert.match(
    (await ask('GET', '/metrics')).text,
    /apiserver_request_total\{verb="get",group="",resource="",code="500"\} 1/,
  );
});
