import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import type { EdgeLinkStatus } from '@skerry/link/node';
import { fakeClock } from '@skerry/testkit';
import { followCloudKeys } from './cloud-keys.ts';

interface World {
  readonly connect: (isConnected: boolean) => Promise<void>;
  /** What the cloud answers from now on. */
  readonly answer: (status: number, body?: string) => void;
  readonly advance: (ms: number) => Promise<void>;
  readonly asked: () => number;
  readonly keys: string[];
}

async function check(run: (world: World) => Promise<void>): Promise<void> {
  const clock = fakeClock();
  const stopping = new AbortController();
  const listeners = new Set<(status: EdgeLinkStatus) => void>();
  const keys: string[] = [];
  let [connected, asked, status, body] = [false, 0, 200, 'first'];
  const statusNow = () => ({ connected }) as EdgeLinkStatus;
  const followed = followCloudKeys({
    node: 'edge-1',
    ask: async () => {
      asked++;
      return { status, headers: {}, body: Buffer.from(body) };
    },
    link: {
      status: statusNow,
      onStatus: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    access: { setCloudKeys: (text) => void keys.push(text) },
    clock,
    log: silentLogger,
    signal: stopping.signal,
  });
  await run({
    connect: async (isConnected) => {
      connected = isConnected;
      for (const listener of listeners) listener(statusNow());
      await clock.settle();
    },
    answer: (newStatus, newBody = '') => {
      [status, body] = [newStatus, newBody];
    },
    advance: (ms) => clock.advance(ms),
    asked: () => asked,
    keys,
  });
  stopping.abort();
  await followed;
  assert.equal(listeners.size, 0);
}

test('keys come as soon as there is a link, and once for it', () =>
  check(async ({ connect, advance, keys, asked }) => {
    await advance(60_000);
    assert.equal(asked(), 0);
    await connect(true);
    await connect(true);
    await advance(600_000);
    assert.deepEqual(keys, ['first']);
  }));

test('a new link may lead to a cloud with new keys', () =>
  check(async ({ connect, answer, keys }) => {
    await connect(true);
    await connect(false);
    answer(200, 'second');
    await connect(true);
    assert.deepEqual(keys, ['first', 'second']);
  }));

test('a refusal is no key set; it is asked again, ever more seldom', () =>
  check(async ({ connect, answer, advance, keys, asked }) => {
    answer(403, 'no');
    await connect(true);
    await advance(600_000);
    assert.ok(asked() > 5 && asked() < 40, `asked ${asked()} times`);
    answer(200, 'at last');
    await advance(70_000);
    assert.deepEqual(keys, ['at last']);
  }));
