import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import { requestOf, scratchServer } from './testing/scratch-server.ts';
import { MAX_WATCHER_BACKLOG_BYTES } from './watch-stream.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

interface Event {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly code?: number;
    readonly metadata: { name: string; resourceVersion: string; annotations?: Record<string, string> };
    readonly rows?: { cells: unknown[] }[];
  };
}

/** `ADDED m1`, one for each event. */
const brief = (events: readonly unknown[]) =>
  events.map((event) => `${(event as Event).type} ${(event as Event).object.metadata.name}`);

test('objects enter and leave a selection', async () => {
  const { ask, watch, options } = scratchServer();
  const { revision } = options.store;
  const put = (labels: Record<string, string>) =>
    ask('PUT', `${MAPS}/m1`, { body: { metadata: { name: 'm1', labels } } });
  await ask('POST', MAPS, { body: { metadata: { name: 'm1' } } });
  await put({ seen: 'yes' });
  await put({ seen: 'yes', more: 'x' });
  await put({});
  await put({ seen: 'yes' });
  await ask('DELETE', `${MAPS}/m1`);
  const events = await watch(`${MAPS}?watch=1&labelSelector=seen&resourceVersion=${revision}`, 5);
  assert.deepEqual(brief(events), ['ADDED m1', 'MODIFIED m1', 'DELETED m1', 'ADDED m1', 'DELETED m1']);
  const versions = events.map((event) => Number((event as Event).object.metadata.resourceVersion));
  assert.deepEqual(
    versions,
    [...versions].sort((left, right) => left - right),
  );
});

test('without a revision a watch begins with what there is', async () => {
  const { ask, watch } = scratchServer();
  await ask('POST', MAPS, { body: { metadata: { name: 'm1' } } });
  await ask('POST', MAPS, { body: { metadata: { name: 'm2' } } });
  assert.deepEqual(brief(await watch(`${MAPS}?watch=true`, 2)), ['ADDED m1', 'ADDED m2']);
});

test('a streaming list ends with a bookmark that says so', async () => {
  const { ask, watch } = scratchServer();
  await ask('POST', MAPS, { body: { metadata: { name: 'm1' } } });
  const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const [added, bookmark] = (await watch(`${MAPS}?${query}`, 2)) as Event[];
  assert.equal(added?.type, 'ADDED');
  assert.equal(bookmark?.type, 'BOOKMARK');
  assert.equal(bookmark.object.metadata.annotations?.['k8s.io/initial-events-end'], 'true');
  assert.equal(bookmark.object.metadata.resourceVersion, added.object.metadata.resourceVersion);
});

test('a watch from a compacted revision is one ERROR event of code 410', async () => {
  const { ask, watch, options } = scratchServer();
  const { revision } = options.store;
  await ask('POST', MAPS, { body: { metadata: { name: 'm1' } } });
  options.store.compact(0);
  const events = (await watch(`${MAPS}?watch=1&resourceVersion=${revision}`, 9)) as Event[];
  assert.deepEqual(
    events.map(({ type, object }) => [type, object.code]),
    [['ERROR', 410]],
  );
});

test('events come as Tables and as metadata for those who ask', async () => {
  const { ask, watch } = scratchServer();
  await ask('POST', MAPS, { body: { metadata: { name: 'm1' }, data: { a: 'b' } } });
  const as = (form: string) => ({ accept: `application/json;as=${form};g=meta.k8s.io;v=v1` });
  const [table] = (await watch(`${MAPS}?watch=1`, 1, as('Table'))) as Event[];
  assert.equal(table?.object.kind, 'Table');
  assert.equal(table.object.rows?.[0]?.cells[0], 'm1');
  const [metadata] = (await watch(`${MAPS}?watch=1`, 1, as('PartialObjectMetadata'))) as Event[];
  assert.equal(metadata?.object.kind, 'PartialObjectMetadata');
});

test('bookmarks come about every minute, and a timeout ends the watch with one', async () => {
  const clock = fakeClock();
  const { ask, server } = scratchServer({ clock });
  const query = 'watch=1&allowWatchBookmarks=true&timeoutSeconds=90&resourceVersion=1';
  const { body } = await server.handle(requestOf('GET', `${MAPS}?${query}`, {}));
  const lines: string[] = [];
  const reading = (async () => {
    for await (const chunk of body as AsyncIterable<Uint8Array>) lines.push(Buffer.from(chunk).toString());
  })();
  await ask('POST', MAPS, { body: { metadata: { name: 'm1' } } });
  await clock.advance(60_000);
  await clock.advance(30_000);
  await reading;
  assert.deepEqual(
    lines
      .join('')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as Event).type),
    ['ADDED', 'BOOKMARK', 'BOOKMARK'],
  );
  assert.equal(clock.pending, 1, 'only the next bookmark waits');
});

test('a watcher that takes nothing is cut off, and others are served', async () => {
  const { ask, server, watch } = scratchServer();
  const slow = await server.handle(requestOf('GET', `${MAPS}?watch=1&resourceVersion=1`, {}));
  const iterator = (slow.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const big = 'x'.repeat(500_000);
  const rounds = Math.ceil(MAX_WATCHER_BACKLOG_BYTES / big.length) + 1;
  for (let count = 0; count < rounds; count++) {
    await ask('POST', MAPS, { body: { metadata: { name: `m${count}` }, data: { big } } });
  }
  assert.equal((await iterator.next()).done, true);
  assert.equal((await watch(`${MAPS}?watch=1`, rounds)).length, rounds);
});

test('a watch ends when its client goes away', async () => {
  const abort = new AbortController();
  const { server, ask } = scratchServer();
  const request = { ...requestOf('GET', `${MAPS}?watch=1`, {}), signal: abort.signal };
  const { body } = await server.handle(request);
  const next = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]().next();
  assert.match((await ask('GET', '/metrics')).text, /apiserver_watchers 1/);
  abort.abort();
  assert.equal((await next).done, true);
  const { text } = await ask('GET', '/metrics');
  assert.match(text, /apiserver_watchers 0/);
});
