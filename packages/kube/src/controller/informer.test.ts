import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { type FakeClock, fakeClock, runs } from '@skerry/testkit';
import fc from 'fast-check';
import type { Client } from '../client/contract.ts';
import { type FlakyApi, flakyApi, stateOf } from './flaky-api.ts';
import { createInformerFactory, type Informer } from './informer.ts';

const THINGS = { gvr: { group: '', version: 'v1', resource: 'things' } };

interface World {
  readonly api: FlakyApi;
  readonly clock: FakeClock;
  readonly informer: Informer;
  /** What a handler that only listens knows. */
  readonly heard: Map<string, KubeObject>;
  readonly changes: string[];
}

/** Runs `story` with an informer on a flaky API, then lets time pass and compares what is known with the truth. */
async function check(
  story: (world: World) => Promise<void>,
  expected: { readonly changes?: readonly string[]; readonly requests?: readonly string[] } = {},
  prepare: (api: FlakyApi) => void = () => {},
): Promise<void> {
  const api = flakyApi();
  prepare(api);
  const clock = fakeClock();
  const controller = new AbortController();
  const client = api.client as Client;
  const factory = createInformerFactory({ client, clock, log: silentLogger, signal: controller.signal });
  const informer = factory.informer(THINGS);
  const heard = new Map<string, KubeObject>();
  const changes: string[] = [];
  informer.onChange(({ type, object }) => {
    const { name = '' } = object.metadata;
    changes.push(`${type} ${name}=${object.value}`);
    // A mirror that adds what it has, or deletes what it has not, has lost count.
    assert.equal(heard.has(name), type !== 'add', `${type} of ${name} follows from what was heard before`);
    if (type === 'delete') heard.delete(name);
    else heard.set(name, object);
  });
  await clock.settle();
  await story({ api, clock, informer, heard, changes });
  api.failRequests(0);
  await clock.advance(120_000);
  assert.deepEqual(stateOf(informer.cache.list()), api.state(), 'the cache shows the truth');
  assert.deepEqual(stateOf(heard.values()), api.state(), 'the handlers were told the truth');
  if (expected.changes !== undefined) assert.deepEqual(changes, expected.changes);
  if (expected.requests !== undefined) assert.deepEqual(api.requests, expected.requests);
  controller.abort();
  await clock.settle();
  assert.equal(clock.pending, 0, 'nothing is left running');
}

test('the first state comes in one stream, and changes follow on the same', () =>
  check(
    async ({ api, informer }) => {
      await informer.synced;
      api.put('a', '2');
      api.remove('b');
    },
    { changes: ['add a=1', 'add b=1', 'update a=2', 'delete b=1'], requests: ['stream'] },
    (api) => {
      api.put('a', '1');
      api.put('b', '1');
    },
  ));

test('a server without streaming lists is listed, then watched from there', () =>
  check(
    async ({ api }) => api.put('a', '2'),
    { changes: ['add a=1', 'update a=2'], requests: ['stream', 'list 0', 'watch 2'] },
    (api) => {
      api.setStreaming(false);
      api.put('a', '1');
    },
  ));

test('a watch that breaks is resumed where it was', () =>
  check(
    async ({ api }) => {
      api.put('a', '1');
      api.dropWatches('break');
      api.put('b', '1');
    },
    { changes: ['add a=1', 'add b=1'], requests: ['stream', 'watch 2'] },
  ));

test('a bookmark moves the place to resume from', () =>
  check(
    async ({ api, clock }) => {
      api.put('a', '1');
      api.compact();
      api.bookmark();
      await clock.settle();
      api.dropWatches('end');
    },
    { requests: ['stream', 'watch 3'] },
  ));

test('an expired version leads to a new first state, of which only the differences are told', () =>
  check(
    async ({ api, clock }) => {
      api.put('a', '1');
      api.put('b', '1');
      await clock.settle();
      api.failRequests(1);
      api.dropWatches('break');
      await clock.settle();
      api.remove('a');
      api.put('c', '1');
      api.compact();
    },
    {
      changes: ['add a=1', 'add b=1', 'delete a=1', 'add c=1'],
      requests: ['stream', 'watch 3', 'stream'],
    },
  ));

test('an object deleted and made again unseen is two objects', () =>
  check(
    async ({ api, clock }) => {
      api.put('a', '1');
      await clock.settle();
      api.failRequests(1);
      api.dropWatches('break');
      await clock.settle();
      api.remove('a');
      api.put('a', '2');
      api.compact();
    },
    { changes: ['add a=1', 'delete a=1', 'add a=2'] },
  ));

test('repeated events are not news', () =>
  check(
    async ({ api }) => {
      api.put('a', '1');
      api.remove('a');
      api.repeatEvents();
    },
    { changes: ['add a=1', 'delete a=1'] },
  ));

test('a resource that is not served is empty, until it is served', () =>
  check(
    async ({ api, informer, clock }) => {
      await informer.synced;
      assert.equal(informer.cache.size, 0);
      api.setServed(true);
      await clock.advance(60_000);
      assert.equal(informer.cache.size, 1);
    },
    { changes: ['add a=1'] },
    (api) => {
      api.put('a', '1');
      api.setServed(false);
    },
  ));

test('failures are tried again, later and later', () =>
  check(async ({ api, clock }) => {
    api.failRequests(1000);
    api.dropWatches('break');
    await clock.advance(10 * 60_000);
    assert.ok(api.requests.length > 20, `${api.requests.length} requests in ten minutes`);
    assert.ok(api.requests.length < 120, `${api.requests.length} requests in ten minutes`);
  }));

test('a silent watch is given up after its time', () =>
  check(async ({ api, clock }) => {
    await clock.advance(11 * 60_000);
    assert.ok(api.requests.length >= 2);
  }));

test('the cache says which writes it shows', () =>
  check(async ({ api, informer, clock }) => {
    api.put('a', '1');
    assert.equal(informer.hasReached('2'), false);
    await clock.settle();
    assert.equal(informer.hasReached('2'), true);
    assert.equal(informer.hasReached('3'), false);
    api.compact();
    api.bookmark();
    await clock.settle();
    assert.equal(informer.hasReached('3'), true);
  }));

test('handlers that come late hear what is there', async () => {
  await check(async ({ api, informer, clock }) => {
    api.put('a', '1');
    await clock.settle();
    const late: string[] = [];
    informer.onChange(({ type, object }) => late.push(`${type} ${object.metadata.name}`));
    assert.deepEqual(late, ['add a']);
  });
});

test('an index finds objects by what they hold, also after they changed', () =>
  check(async ({ api, informer, clock }) => {
    api.put('a', 'red');
    api.put('b', 'red');
    await clock.settle();
    informer.addIndex('colour', ({ value }) => [String(value)]);
    api.put('a', 'blue');
    await clock.settle();
    const found = (colour: string) => informer.cache.byIndex('colour', colour).map(({ metadata }) => metadata.name);
    assert.deepEqual([found('red'), found('blue'), found('green')], [['b'], ['a'], []]);
  }));

const names = fc.constantFrom('a', 'b', 'c', 'd');

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('put' as const), name: names, value: fc.string({ maxLength: 2 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), name: names }) },
  fc.record({ do: fc.constant('drop' as const), how: fc.constantFrom('end' as const, 'break' as const) }),
  fc.record({ do: fc.constant('compact' as const) }),
  fc.record({ do: fc.constant('repeat' as const) }),
  fc.record({ do: fc.constant('bookmark' as const) }),
  fc.record({ do: fc.constant('fail' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(0, 50, 1000, 700_000) }),
);

test('whatever breaks, what is known becomes the truth and each change follows from the one before', () =>
  fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(step, { maxLength: 30 }), (streaming, steps) =>
      check(
        async ({ api, clock }) => {
          for (const next of steps) {
            if (next.do === 'put') api.put(next.name, next.value);
            else if (next.do === 'remove') api.remove(next.name);
            else if (next.do === 'drop') api.dropWatches(next.how);
            else if (next.do === 'compact') api.compact();
            else if (next.do === 'repeat') api.repeatEvents();
            else if (next.do === 'bookmark') api.bookmark();
            else if (next.do === 'fail') api.failRequests(next.count);
            else await clock.advance(next.ms);
          }
        },
        {},
        (api) => api.setStreaming(streaming),
      ),
    ),
    { numRuns: runs(100) },
  ));
