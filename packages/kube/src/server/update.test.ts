import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdmissionPending } from './engine.ts';
import { scratchServer } from './testing/scratch-server.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };

const deployment = (replicas: number) => ({
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'host' }] } },
  },
});

test('a write that changes nothing makes no new version', async () => {
  const { ask, options } = scratchServer();
  const { json } = await ask('POST', MAPS, { body: { metadata: { name: 'm' }, data: { a: '1', b: '2' } } });
  const { revision } = options.store;
  // The same object with another order of keys, as other languages write it.
  const same = { ...json, data: { b: '2', a: '1' } };
  assert.equal(
    (await ask('PUT', `${MAPS}/m`, { body: same })).json.metadata.resourceVersion,
    json.metadata.resourceVersion,
  );
  await ask('PATCH', `${MAPS}/m`, { body: { data: { a: '1' } }, headers: MERGE });
  await ask('PATCH', `${MAPS}/m`, { body: [{ op: 'test', path: '/data/a', value: '1' }], headers: JSON_PATCH });
  assert.equal(options.store.revision, revision);
});

test('a change of spec raises the generation, a change of metadata or status does not', async () => {
  const { ask } = scratchServer();
  const created = await ask('POST', DEPLOYMENTS, { body: deployment(1) });
  assert.equal(created.json.metadata.generation, 1);
  assert.deepEqual(created.json.status, {});
  const labelled = await ask('PATCH', `${DEPLOYMENTS}/web`, {
    body: { metadata: { labels: { a: 'b' } } },
    headers: MERGE,
  });
  assert.equal(labelled.json.metadata.generation, 1);
  const status = await ask('PATCH', `${DEPLOYMENTS}/web/status`, {
    body: { spec: { replicas: 7 }, status: { replicas: 1 } },
    headers: MERGE,
  });
  assert.deepEqual(
    [status.json.metadata.generation, status.json.spec.replicas, status.json.status.replicas],
    [1, 1, 1],
  );
  const scaled = await ask('PUT', `${DEPLOYMENTS}/web`, { body: deployment(3) });
  assert.deepEqual([scaled.json.metadata.generation, scaled.json.status.replicas], [2, 1]);
});

test('what only the server writes cannot be written', async () => {
  const { ask } = scratchServer();
  const { json } = await ask('POST', MAPS, {
    body: {
      metadata: {
        name: 'm',
        uid: 'mine',
        creationTimestamp: '2001-01-01T00:00:00Z',
        deletionTimestamp: '2001-01-01T00:00:00Z',
      },
    },
  });
  assert.notEqual(json.metadata.uid, 'mine');
  assert.notEqual(json.metadata.creationTimestamp, '2001-01-01T00:00:00Z');
  assert.equal(json.metadata.deletionTimestamp, undefined);
  const changed = await ask('PATCH', `${MAPS}/m`, {
    body: { metadata: { creationTimestamp: '2001-01-01T00:00:00Z', generation: 9 }, data: { a: 'b' } },
    headers: MERGE,
  });
  assert.equal(changed.json.metadata.creationTimestamp, json.metadata.creationTimestamp);
  assert.equal(changed.json.metadata.generation, undefined);
  const stolen = await ask('PUT', `${MAPS}/m`, { body: { metadata: { name: 'm', uid: 'other' } } });
  assert.equal(stolen.status, 409);
});

test('an apply that would create needs the right to create', async () => {
  const authorizer = { authorize: ({ verb }: { verb: string }) => ({ allowed: verb !== 'create' }) };
  const { ask } = scratchServer({ authorizer });
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' } };
  assert.equal((await ask('PATCH', `${MAPS}/m?fieldManager=one`, { headers, body })).status, 403);
});

test('an apply names its object twice, and both must agree, also when it creates', async () => {
  const { ask } = scratchServer();
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'other' } };
  const answer = await ask('PATCH', `${MAPS}/m?fieldManager=one`, { headers, body });
  assert.equal(answer.status, 400);
  assert.match(answer.json.message, /name of the object \(other\) does not match the name on the URL \(m\)/);
});

test('what belongs to another door is not written through this one', async () => {
  const { ask } = scratchServer();
  await ask('POST', '/api/v1/namespaces', { body: { metadata: { name: 'shop' } } });
  const emptied = await ask('PUT', '/api/v1/namespaces/shop', {
    body: { metadata: { name: 'shop' }, spec: { finalizers: [] } },
  });
  assert.deepEqual(emptied.json.spec.finalizers, ['kubernetes']);
  await ask('POST', DEPLOYMENTS, { body: deployment(1) });
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'm', uid: 'u' };
  const owned = await ask('PATCH', `${DEPLOYMENTS}/web/status`, {
    body: { metadata: { ownerReferences: [owner] } },
    headers: MERGE,
  });
  assert.deepEqual([owned.status, owned.json.metadata.ownerReferences], [200, undefined]);
});

test('generated names are drawn until one is free', async () => {
  // The same first suffix twice, then another.
  const draws = [1, 1, 2];
  let suffixes = 0;
  const random = (size: number) => new Uint8Array(size).fill(size === 5 ? (draws[suffixes++] ?? 3) : suffixes + 10);
  const { ask } = scratchServer({ random });
  const first = await ask('POST', MAPS, { body: { metadata: { generateName: 'map-' } } });
  const second = await ask('POST', MAPS, { body: { metadata: { generateName: 'map-' } } });
  assert.equal(second.status, 201);
  assert.match(first.json.metadata.name, /^map-.{5}$/);
  assert.notEqual(first.json.metadata.name, second.json.metadata.name);
});

test('a dry run answers as if, and stores nothing', async () => {
  const { ask, options } = scratchServer();
  const { revision } = options.store;
  const created = await ask('POST', `${MAPS}?dryRun=All`, { body: { metadata: { name: 'm' } } });
  assert.equal(created.status, 201);
  assert.equal(created.json.metadata.resourceVersion, undefined);
  assert.equal(options.store.revision, revision);
  assert.equal((await ask('POST', `${MAPS}?dryRun=Some`, { body: { metadata: { name: 'm' } } })).status, 422);
});

test('a body for another place, name or version is refused', async () => {
  const { ask } = scratchServer();
  const elsewhere = await ask('POST', MAPS, { body: { metadata: { name: 'm', namespace: 'other' } } });
  assert.equal(elsewhere.status, 400);
  await ask('POST', MAPS, { body: { metadata: { name: 'm' } } });
  assert.equal((await ask('PUT', `${MAPS}/m`, { body: { metadata: { name: 'n' } } })).status, 400);
  assert.equal(
    (await ask('PUT', `${MAPS}/m`, { body: { metadata: { name: 'm', resourceVersion: '1' } } })).status,
    409,
  );
  const versioned = await ask('POST', MAPS, { body: { metadata: { name: 'n', resourceVersion: '5' } } });
  assert.equal(versioned.status, 400);
  assert.equal((await ask('POST', MAPS, { body: { metadata: { name: 'm' } } })).json.reason, 'AlreadyExists');
});

test('an invalid object is 422 with a cause for each fault', async () => {
  const { ask } = scratchServer();
  const body = { ...deployment(-1), metadata: { name: 'Not A Name' } };
  const { status, json } = await ask('POST', DEPLOYMENTS, { body });
  assert.equal(status, 422);
  assert.deepEqual(
    json.details.causes.map((cause: { field: string }) => cause.field),
    ['metadata.name', 'spec.replicas'],
  );
  assert.match(json.message, /^Deployment\.apps "Not A Name" is invalid: \[metadata\.name: /);
});

test('two patches of one turn both count', async () => {
  const { ask } = scratchServer();
  await ask('POST', MAPS, { body: { metadata: { name: 'm' } } });
  const patch = (key: string) => ask('PATCH', `${MAPS}/m`, { body: { data: { [key]: 'x' } }, headers: MERGE });
  await Promise.all([patch('a'), patch('b'), patch('c')]);
  assert.deepEqual((await ask('GET', `${MAPS}/m`)).json.data, { a: 'x', b: 'x', c: 'x' });
});

test('an apply that changes nothing makes no new version, and force takes fields over', async () => {
  const { ask, options } = scratchServer();
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data: { a: '1' } };
  await ask('PATCH', `${MAPS}/m?fieldManager=one`, { headers, body });
  const { revision } = options.store;
  await ask('PATCH', `${MAPS}/m?fieldManager=one`, { headers, body });
  assert.equal(options.store.revision, revision);
  const forced = await ask('PATCH', `${MAPS}/m?fieldManager=two&force=true`, {
    headers,
    body: { ...body, data: { a: '2' } },
  });
  assert.deepEqual(
    forced.json.metadata.managedFields.map(({ manager }: { manager: string }) => manager),
    ['two'],
  );
  assert.equal((await ask('PATCH', `${MAPS}/m`, { headers, body })).status, 400, 'an apply names its manager');
});

test('admission that waits loses no write that comes meanwhile, and is not waited for without end', async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  let pends = 0;
  const { ask } = scratchServer({
    admission: [
      {
        name: 'waits',
        admit: (_engine, { operation, object, warnings }) => {
          const isAsked = (object as { readonly data?: { readonly slow?: string } }).data?.slow === 'yes';
          if (operation !== 'UPDATE' || !isAsked || pends === 0) return;
          pends--;
          warnings?.push('waited');
          const gate = Promise.withResolvers<void>();
          gates.push(gate);
          throw new AdmissionPending(gate.promise);
        },
      },
    ],
  });
  await ask('POST', MAPS, { body: { metadata: { name: 'm' }, data: {} } });
  pends = 1;
  const slow = ask('PATCH', `${MAPS}/m`, { body: { data: { slow: 'yes' } }, headers: MERGE });
  await ask('PATCH', `${MAPS}/m`, { body: { data: { meanwhile: 'b' } }, headers: MERGE });
  gates[0]?.resolve();
  const { json, headers } = await slow;
  assert.deepEqual([json.data, headers.warning], [{ slow: 'yes', meanwhile: 'b' }, undefined]);
  pends = 100;
  const never = ask('PATCH', `${MAPS}/m`, { body: { data: { more: 'c' } }, headers: MERGE });
  for (let at = 1; at < 8; at++) {
    while (gates[at] === undefined) await Promise.resolve();
    gates[at]?.resolve();
  }
  assert.equal((await never).status, 503);
});
