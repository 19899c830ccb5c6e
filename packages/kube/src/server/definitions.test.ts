import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import { type ScratchServer, scratchServer } from './testing/scratch-server.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets';
const MERGE = { 'content-type': 'application/merge-patch+json' };

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: { size: { type: 'integer', minimum: 1 }, color: { type: 'string', default: 'red' } },
    },
    status: { type: 'object', properties: { size: { type: 'integer' } } },
  },
};

const definition = (versions: object[] = [version('v1')], names: object = {}) => ({
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', ...names },
    versions,
  },
});

const version = (name: string, more: object = {}) => ({
  name,
  served: true,
  storage: name === 'v1',
  schema: { openAPIV3Schema: SCHEMA },
  subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
  ...more,
});

const widget = (spec: object, more: object = {}) => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name: 'w' },
  spec,
  ...more,
});

async function withWidgets(versions?: object[]): Promise<ScratchServer> {
  const scratch = scratchServer();
  const { status } = await scratch.ask('POST', DEFINITIONS, { body: definition(versions) });
  assert.equal(status, 201);
  return scratch;
}

test('what a definition defines is served when its create is answered', async () => {
  const { ask } = await withWidgets();
  const { json } = await ask('GET', `${DEFINITIONS}/widgets.example.com`);
  assert.deepEqual(
    json.status.conditions.map(({ type, status }: { type: string; status: string }) => [type, status]),
    [
      ['NamesAccepted', 'True'],
      ['Established', 'True'],
    ],
  );
  const created = await ask('POST', WIDGETS, { body: widget({ size: 2, unknown: 1 }, { status: { size: 9 } }) });
  assert.deepEqual(created.json.spec, { size: 2, color: 'red' });
  assert.equal(created.json.status, undefined);
  assert.match(created.headers['warning'] ?? '', /unknown field \\"spec.unknown\\"/);
  const discovered = await ask('GET', '/apis/example.com/v1');
  assert.deepEqual(
    discovered.json.resources.map(({ name }: { name: string }) => name),
    ['widgets', 'widgets/scale', 'widgets/status'],
  );
});

test('a custom resource is validated, and its status and scale are written apart', async () => {
  const { ask } = await withWidgets();
  const refused = await ask('POST', WIDGETS, { body: widget({ size: 0 }) });
  assert.equal(refused.status, 422);
  assert.equal(refused.json.details.causes[0].field, 'spec.size');
  assert.equal((await ask('POST', WIDGETS, { body: widget({}) })).status, 422);
  await ask('POST', WIDGETS, { body: widget({ size: 2 }) });
  const status = await ask('PATCH', `${WIDGETS}/w/status`, {
    body: { metadata: { labels: { a: 'b' } }, spec: { size: 5 }, status: { size: 1 } },
    headers: MERGE,
  });
  assert.deepEqual([status.json.spec.size, status.json.status.size, status.json.metadata.labels], [2, 1, undefined]);
  const scaled = await ask('PATCH', `${WIDGETS}/w/scale`, { body: { spec: { replicas: 4 } }, headers: MERGE });
  assert.equal(scaled.json.spec.replicas, 4);
  const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
  assert.equal((await ask('PATCH', `${WIDGETS}/w`, { body: {}, headers: strategic })).status, 415);
});

test('an object is shown in the version that is asked for', async () => {
  const { ask, watch } = await withWidgets([version('v1'), version('v1beta1', { deprecated: true })]);
  await ask('POST', WIDGETS, { body: widget({ size: 2 }) });
  const old = WIDGETS.replace('/v1/', '/v1beta1/');
  const { json, headers } = await ask('GET', `${old}/w`);
  assert.equal(json.apiVersion, 'example.com/v1beta1');
  assert.match(headers['warning'] ?? '', /example.com\/v1beta1 Widget is deprecated/);
  const patched = await ask('PATCH', `${old}/w`, { body: { spec: { size: 3 } }, headers: MERGE });
  assert.equal(patched.json.apiVersion, 'example.com/v1beta1');
  const [event] = (await watch(`${WIDGETS}?watch=1`, 1)) as {
    object: { apiVersion: string; spec: { size: number } };
  }[];
  assert.deepEqual([event?.object.apiVersion, event?.object.spec.size], ['example.com/v1', 3]);
});

test('a changed schema counts from the next write on', async () => {
  const { ask } = await withWidgets();
  const wider = version('v1', {
    schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
  });
  await ask('PATCH', `${DEFINITIONS}/widgets.example.com`, { body: { spec: { versions: [wider] } }, headers: MERGE });
  const created = await ask('POST', WIDGETS, { body: widget({ anything: 'goes' }) });
  assert.deepEqual(created.json.spec, { anything: 'goes' });
});

test('names of another definition are not accepted', async () => {
  const { ask } = await withWidgets();
  const gadgets = { ...definition([version('v1')], { plural: 'gadgets' }), metadata: { name: 'gadgets.example.com' } };
  const { json } = await ask('POST', DEFINITIONS, { body: gadgets });
  assert.equal(json.status.conditions[0].reason, 'KindConflict');
  assert.equal((await ask('GET', '/apis/example.com/v1/namespaces/default/gadgets')).status, 404);
});

test('a definition takes its objects with it, and waits for those with finalizers', async () => {
  const clock = fakeClock();
  const scratch = scratchServer({ clock });
  const { ask } = scratch;
  await ask('POST', DEFINITIONS, { body: definition() });
  await ask('POST', WIDGETS, { body: widget({ size: 1 }) });
  await ask('POST', WIDGETS, {
    body: widget({ size: 1 }, { metadata: { name: 'held', finalizers: ['example.com/a'] } }),
  });
  await ask('DELETE', `${DEFINITIONS}/widgets.example.com`);
  await clock.settle();
  assert.equal((await ask('GET', `${WIDGETS}/w`)).status, 404);
  assert.equal((await ask('POST', WIDGETS, { body: widget({ size: 1 }) })).status, 405);
  await ask('PATCH', `${WIDGETS}/held`, { body: { metadata: { finalizers: null } }, headers: MERGE });
  await clock.settle();
  assert.equal((await ask('GET', `${DEFINITIONS}/widgets.example.com`)).status, 404);
  assert.equal((await ask('GET', WIDGETS)).text, '404 page not found\n');
});

test('a server that starts again serves what was defined', async () => {
  const { options } = await withWidgets();
  const { ask } = scratchServer(options);
  assert.equal((await ask('POST', WIDGETS, { body: widget({ size: 1 }) })).status, 201);
});

test('a definition with rules that are not evaluated is accepted with a warning', async () => {
  const { ask } = scratchServer();
  const schema = { ...SCHEMA, 'x-kubernetes-validations': [{ rule: 'self.spec.size > 1' }] };
  const body = definition([version('v1', { schema: { openAPIV3Schema: schema } })]);
  const created = await ask('POST', DEFINITIONS, { body });
  assert.equal(created.status, 201);
  assert.match(created.headers['warning'] ?? '', /x-kubernetes-validations are kept, but not evaluated/);
  const quiet = await withWidgets();
  const patched = await quiet.ask('PATCH', `${DEFINITIONS}/widgets.example.com`, {
    headers: MERGE,
    body: { metadata: { labels: { a: 'b' } } },
  });
  assert.equal(patched.headers['warning'], undefined);
});
