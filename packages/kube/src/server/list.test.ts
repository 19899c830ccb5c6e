import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ScratchServer, scratchServer } from './testing/scratch-server.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

/** A server with ConfigMaps m0 … m9; the even ones are labelled. */
async function tenMaps(): Promise<ScratchServer & { revision: number }> {
  const scratch = scratchServer();
  for (let count = 0; count < 10; count++) {
    const labels = count % 2 === 0 ? { labels: { even: 'yes' } } : {};
    await scratch.ask('POST', MAPS, { body: { metadata: { name: `m${count}`, ...labels } } });
  }
  return { ...scratch, revision: scratch.options.store.revision };
}

const names = (list: { items: { metadata: { name: string } }[] }) => list.items.map(({ metadata }) => metadata.name);

async function check(query: string, expected: { names: string[]; remaining?: number; more?: boolean }): Promise<void> {
  const { ask } = await tenMaps();
  const { json } = await ask('GET', `${MAPS}?${query}`);
  assert.deepEqual(names(json), expected.names);
  assert.equal(json.metadata.remainingItemCount, expected.remaining);
  assert.equal(json.metadata.continue !== undefined, expected.more === true);
}

const ALL = ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9'];

test('a page says how many are left', () => check('limit=3', { names: ['m0', 'm1', 'm2'], remaining: 7, more: true }));
test('a page with a selector cannot say how many are left', () =>
  check('limit=3&labelSelector=even', { names: ['m0', 'm2', 'm4'], more: true }));
test('the limit does not count for a list at any revision', () => check('limit=3&resourceVersion=0', { names: ALL }));
test('a field selector on the name reads one object', () =>
  check('fieldSelector=metadata.name%3Dm3', { names: ['m3'] }));
test('a negated field selector leaves one out', () =>
  check('fieldSelector=metadata.name!%3Dm0', { names: ALL.slice(1) }));
test('both selectors must match', () => check('fieldSelector=metadata.name%3Dm3&labelSelector=even', { names: [] }));

test('pages show the collection as it was at the first of them', async () => {
  const { ask } = await tenMaps();
  const first = await ask('GET', `${MAPS}?limit=4`);
  await ask('DELETE', `${MAPS}/m5`);
  await ask('POST', MAPS, { body: { metadata: { name: 'm4a' } } });
  const rest = await ask('GET', `${MAPS}?continue=${first.json.metadata.continue}`);
  assert.deepEqual([...names(first.json), ...names(rest.json)], ALL);
  assert.equal(rest.json.metadata.resourceVersion, first.json.metadata.resourceVersion);
});

test('a token whose revision is compacted is answered 410 with one that goes on', async () => {
  const { ask, options } = await tenMaps();
  const first = await ask('GET', `${MAPS}?limit=4`);
  await ask('DELETE', `${MAPS}/m5`);
  await ask('DELETE', `${MAPS}/m6`);
  options.store.compact(0);
  const expired = await ask('GET', `${MAPS}?continue=${first.json.metadata.continue}`);
  assert.equal(expired.status, 410);
  assert.equal(expired.json.reason, 'Expired');
  const rest = await ask('GET', `${MAPS}?continue=${expired.json.metadata.continue}`);
  assert.deepEqual(names(rest.json), ['m4', 'm7', 'm8', 'm9']);
});

test('an exact revision is shown, refused once compacted, and refused while it is in the future', async () => {
  const { ask, options, revision } = await tenMaps();
  await ask('DELETE', `${MAPS}/m0`);
  const exact = `${MAPS}?resourceVersion=${revision}&resourceVersionMatch=Exact`;
  assert.deepEqual(names((await ask('GET', exact)).json), ALL);
  options.store.compact(0);
  const compacted = await ask('GET', exact);
  assert.equal(compacted.status, 410);
  assert.equal(compacted.json.message, 'The resourceVersion for the provided list is too old.');
  const future = await ask('GET', `${MAPS}?resourceVersion=${revision + 100}&resourceVersionMatch=NotOlderThan`);
  assert.equal(future.status, 504);
  assert.equal(future.json.details.causes[0].reason, 'ResourceVersionTooLarge');
  assert.equal(future.headers['retry-after'], '1');
});

test('lists come as Tables and as metadata for those who ask', async () => {
  const { ask } = await tenMaps();
  const table = await ask('GET', MAPS, {
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' },
  });
  assert.equal(table.json.kind, 'Table');
  assert.deepEqual(table.json.rows[0].cells.slice(0, 2), ['m0', 0]);
  assert.equal(table.json.rows[0].object.kind, 'PartialObjectMetadata');
  const metadata = await ask('GET', MAPS, {
    headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' },
  });
  assert.equal(metadata.json.kind, 'PartialObjectMetadataList');
  assert.deepEqual(Object.keys(metadata.json.items[0]), ['kind', 'apiVersion', 'metadata']);
});

test('an Accept header that nothing fits is 406', async () => {
  const { ask } = await tenMaps();
  const answer = await ask('GET', MAPS, { headers: { accept: 'image/png' } });
  assert.equal(answer.status, 406);
  assert.equal(answer.json.reason, 'NotAcceptable');
});

test('deleting a collection deletes what its selector names', async () => {
  const { ask } = await tenMaps();
  assert.equal((await ask('DELETE', `${MAPS}?labelSelector=even`)).status, 200);
  assert.deepEqual(names((await ask('GET', MAPS)).json), ['m1', 'm3', 'm5', 'm7', 'm9']);
});
