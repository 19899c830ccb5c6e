import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, ResourceRow } from '@skerry/api';
import { type ScratchServer, scratchServer } from './testing/scratch-server.ts';
import { type VirtualRead, virtualKind } from './virtual.ts';

const ROW: ResourceRow = {
  gvr: { group: 'tides.example.com', version: 'v1beta1', resource: 'levels' },
  gvk: { group: 'tides.example.com', version: 'v1beta1', kind: 'Level' },
  listKind: 'LevelList',
  singular: 'level',
  namespaced: true,
  shortNames: [],
  categories: [],
  verbs: ['get', 'list'],
  subresources: [],
  selectableFields: [],
  tracksGeneration: false,
  origin: 'cloud',
  edgeWritable: [],
  relations: [],
  printerColumns: [{ name: 'Metres', type: 'number', jsonPath: '.metres' }],
};
const ROOT = '/apis/tides.example.com/v1beta1';
const IN_NORTH = `${ROOT}/namespaces/north/levels`;
const LEVELS = [level('south', 'pier', 2), level('north', 'quay', 4), level('north', 'pier', 3)];

function level(namespace: string, name: string, metres: number): KubeObject {
  const labels = { at: name };
  return { kind: 'Level', apiVersion: 'tides.example.com/v1beta1', metadata: { namespace, name, labels }, metres };
}

function tideServer(): ScratchServer & { readonly reads: VirtualRead[] } {
  const scratch = scratchServer();
  const reads: VirtualRead[] = [];
  const schema = { type: 'object', properties: { metres: { type: 'number' } } } as const;
  const read = async (asked: VirtualRead) => {
    reads.push(asked);
    const isAt = ({ metadata }: KubeObject) =>
      (asked.namespace ?? metadata.namespace) === metadata.namespace && (asked.name ?? metadata.name) === metadata.name;
    return LEVELS.filter((each) => isAt(each) && asked.matches(each));
  };
  scratch.server.table.replace(ROW.gvr.group, ROW.gvr.resource, [virtualKind({ row: ROW, schema, read })]);
  return { ...scratch, reads };
}

const namesOf = ({ items }: { items: KubeObject[] }) =>
  items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

test('a list is made when it is asked for, in order, of one namespace or all', async () => {
  const { ask, reads } = tideServer();
  const { json } = await ask('GET', IN_NORTH);
  assert.deepEqual([json.kind, json.apiVersion, json.metadata], ['LevelList', 'tides.example.com/v1beta1', {}]);
  assert.deepEqual(namesOf(json), ['north/pier', 'north/quay']);
  assert.deepEqual(namesOf((await ask('GET', `${ROOT}/levels`)).json), ['north/pier', 'north/quay', 'south/pier']);
  assert.equal(reads.length, 2, 'nothing is kept');
});

test('selectors reach whoever makes the objects', async () => {
  const { ask } = tideServer();
  assert.deepEqual(namesOf((await ask('GET', `${ROOT}/levels?labelSelector=at=pier`)).json), [
    'north/pier',
    'south/pier',
  ]);
  const byField = await ask('GET', `${ROOT}/levels?fieldSelector=metadata.name=pier,metadata.namespace=south`);
  assert.deepEqual(namesOf(byField.json), ['south/pier']);
  assert.equal((await ask('GET', `${ROOT}/levels?fieldSelector=spec.depth=1`)).status, 400);
});

test('one object is found by its name, or is not there', async () => {
  const { ask } = tideServer();
  assert.equal((await ask('GET', `${IN_NORTH}/quay`)).json.metres, 4);
  const missing = await ask('GET', `${IN_NORTH}/reef`);
  assert.deepEqual([missing.status, missing.json.message], [404, 'levels.tides.example.com "reef" not found']);
});

test('Tables and metadata are written as for every kind', async () => {
  const { ask } = tideServer();
  const accept = (as: string) => ({ headers: { accept: `application/json;as=${as};g=meta.k8s.io;v=v1` } });
  const table = (await ask('GET', IN_NORTH, accept('Table'))).json;
  assert.deepEqual(
    table.columnDefinitions.map(({ name }: { name: string }) => name),
    ['Name', 'Metres'],
  );
  assert.deepEqual(
    table.rows.map(({ cells }: { cells: unknown[] }) => cells),
    [
      ['pier', 3],
      ['quay', 4],
    ],
  );
  const one = (await ask('GET', `${IN_NORTH}/quay`, accept('Table'))).json;
  assert.equal(one.rows.length, 1);
  const metadata = (await ask('GET', IN_NORTH, accept('PartialObjectMetadataList'))).json;
  assert.deepEqual(metadata.items[0].metadata, LEVELS[2]?.metadata);
});

test('it is in discovery and in OpenAPI, with what it can do', async () => {
  const { ask } = tideServer();
  const [resource] = (await ask('GET', ROOT)).json.resources;
  assert.deepEqual([resource.name, resource.kind, resource.verbs], ['levels', 'Level', ['get', 'list']]);
  const groups = (await ask('GET', '/apis')).json.groups as { name: string }[];
  assert.ok(groups.some(({ name }) => name === 'tides.example.com'));
  const { paths, components } = (await ask('GET', '/openapi/v3/apis/tides.example.com/v1beta1')).json;
  assert.deepEqual(Object.keys(paths[`${ROOT}/namespaces/{namespace}/levels`]), ['parameters', 'get']);
  assert.ok(Object.keys(components.schemas).some((name) => name.endsWith('Level')));
});

for (const [what, method, path] of [
  ['create', 'POST', IN_NORTH],
  ['update', 'PUT', `${IN_NORTH}/quay`],
  ['patch', 'PATCH', `${IN_NORTH}/quay`],
  ['delete', 'DELETE', `${IN_NORTH}/quay`],
  ['deletecollection', 'DELETE', IN_NORTH],
  ['watch', 'GET', `${IN_NORTH}?watch=1`],
  ['get', 'GET', `${IN_NORTH}/quay/status`],
] as const) {
  test(`${what} of ${path} is refused, and nobody is asked to make anything`, async () => {
    const { ask, reads } = tideServer();
    const { status, json } = await ask(method, path, method === 'GET' ? {} : { body: LEVELS[0] });
    assert.deepEqual([status, json.reason], [405, 'MethodNotAllowed']);
    assert.deepEqual(reads, []);
  });
}

test('who may not read it is refused by the words of its group', async () => {
  const { server } = scratchServer({ authorizer: { authorize: () => ({ allowed: false }) } });
  server.table.replace(ROW.gvr.group, ROW.gvr.resource, [
    virtualKind({ row: ROW, schema: {}, read: () => assert.fail('read') }),
  ]);
  const user = { username: 'reader', groups: [] };
  const { status, body } = await server.handle({
    method: 'GET',
    path: IN_NORTH,
    query: new URLSearchParams(),
    headers: {},
    user,
    signal: new AbortController().signal,
  });
  assert.equal(status, 403);
  assert.match(
    String(body),
    /User \\"reader\\" cannot list resource \\"levels\\" in API group \\"tides.example.com\\"/,
  );
});

test('a watch tells what whoever makes the objects tells, in the form that was asked for, and ends with what went wrong', async () => {
  const { server, ask } = tideServer();
  const events = async function* ({ namespace }: VirtualRead) {
    for (const object of LEVELS) if (object.metadata.namespace === namespace) yield { type: 'ADDED' as const, object };
    throw new Error('the gauge is broken');
  };
  const row: ResourceRow = { ...ROW, verbs: ['get', 'list', 'watch'] };
  const kind = virtualKind({ row, schema: {}, read: async () => [], watch: events });
  server.table.replace(ROW.gvr.group, ROW.gvr.resource, [kind]);
  const { text } = await ask('GET', `${IN_NORTH}?watch=true`);
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; object: KubeObject });
  assert.deepEqual(
    lines.map(({ type, object }) => [type, object.metadata.name ?? object['message']]),
    [
      ['ADDED', 'quay'],
      ['ADDED', 'pier'],
      ['ERROR', 'the gauge is broken'],
    ],
  );
});
