import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import type { Client } from '../client/contract.ts';
import { type FlakyApi, flakyApi } from './flaky-api.ts';
import { createInformerFactory, type Informer } from './informer.ts';
import { keyOf } from './key.ts';
import { type Requeue, runController, watching } from './run-controller.ts';

interface World {
  readonly api: FlakyApi;
  readonly clock: FakeClock;
  readonly informer: Informer;
  readonly stop: () => Promise<void>;
}

/** Runs a controller whose reconcile notes what the cache shows for the key; compares the notes. */
async function check(
  story: (world: World) => Promise<void>,
  expected: readonly string[],
  after: (key: string, round: number) => Requeue | undefined | Promise<Requeue | undefined> = () => undefined,
): Promise<void> {
  const api = flakyApi();
  const clock = fakeClock();
  const controller = new AbortController();
  const context = { clock, log: silentLogger, signal: controller.signal };
  const informer = createInformerFactory({ ...context, client: api.client as Client }).informer({
    gvr: { group: '', version: 'v1', resource: 'things' },
  });
  const notes: string[] = [];
  const running = runController(
    {
      name: 'test',
      watches: [watching(informer, ({ object }) => [keyOf(object)])],
      reconcile: async (key) => {
        notes.push(`${key}=${informer.cache.get(key)?.value}@${clock.monotonic()}`);
        return after(key, notes.length);
      },
    },
    context,
  );
  await clock.settle();
  const stop = async () => {
    controller.abort();
    await running;
  };
  await story({ api, clock, informer, stop });
  await clock.settle();
  await stop();
  assert.deepEqual(notes, expected);
}

test('a change wakes its key, and reconcile sees the change', () =>
  check(
    async ({ api, clock }) => {
      api.put('a', '1');
      await clock.settle();
      api.remove('a');
    },
    ['a=1@0', 'a=undefined@0'],
  ));

test('a reconcile that fails is called again', () =>
  check(
    async ({ api, clock }) => {
      api.put('a', '1');
      await clock.advance(100);
    },
    ['a=1@0', 'a=1@5', 'a=1@15'],
    (_key, round) => {
      if (round < 3) throw new Error('not yet');
      return undefined;
    },
  ));

test('a reconcile may ask to be called again later', () =>
  check(
    async ({ api, clock }) => {
      api.put('a', '1');
      await clock.advance(1500);
    },
    ['a=1@0', 'a=1@1000'],
    () => ({ afterMs: 1000 }),
  ));

test('nothing is reconciled before the caches are complete', () =>
  check(async ({ api, clock }) => {
    assert.equal(api.requests.length, 1);
    await clock.settle();
  }, []));

test('once it is stopped, changes wake nobody', () =>
  check(async ({ api, clock, stop }) => {
    await stop();
    api.put('a', '1');
    await clock.advance(1000);
  }, []));
