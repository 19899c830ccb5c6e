import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { createStatusWriter } from './status-writer.ts';

interface World {
  readonly clock: FakeClock;
  /** What was written, in order: how often something had been said by then. */
  readonly written: unknown[];
  readonly say: (withinMs?: number) => void;
}

async function check(tell: (world: World) => Promise<void>): Promise<void> {
  const clock = fakeClock();
  const written: unknown[] = [];
  let said = 0;
  const patch = async (_ref: unknown, { status }: { status: { said: number } }) => void written.push(status.said);
  const writer = createStatusWriter({
    client: { patch: patch as unknown as Client['patch'] },
    clock,
    log: silentLogger,
    view: () => ({ intervalMs: 5000, facts: { said }, times: {}, reported: new Map() }),
  });
  const say = (withinMs?: number) => {
    said++;
    writer.touch('default', 'tank', withinMs);
  };
  await tell({ clock, written, say });
  writer.close();
}

test('what nobody waits for is written once in an interval', () =>
  check(async ({ clock, written, say }) => {
    say();
    await clock.advance(500);
    assert.deepEqual(written, [1], 'the first soon');
    for (let time = 0; time < 5000; time += 100) {
      say();
      await clock.advance(100);
    }
    assert.deepEqual(written, [1, 51]);
  }));

test('what somebody waits for is written in the same turn, with all that is said in it', () =>
  check(async ({ clock, written, say }) => {
    say(0);
    say(0);
    await clock.settle();
    assert.deepEqual(written, [2]);
  }));

test('who waits longer is told with who waits less', () =>
  check(async ({ clock, written, say }) => {
    say(100);
    await clock.advance(50);
    assert.deepEqual(written, []);
    say(0);
    await clock.advance(400);
    assert.deepEqual(written, [2]);
    say(100);
    await clock.advance(99);
    assert.deepEqual(written, [2]);
    await clock.advance(1);
    assert.deepEqual(written, [2, 3]);
  }));

test('also who waits is not told without end: ten times at once, then every 20 ms', () =>
  check(async ({ clock, written, say }) => {
    await clock.advance(1000);
    for (let turn = 0; turn < 50; turn++) {
      say(0);
      await clock.settle();
    }
    const atOnce = written.length;
    assert.ok(atOnce === 10 || atOnce === 11, `${atOnce} at once`);
    for (let time = 0; time < 200; time += 5) {
      say(0);
      await clock.advance(5);
    }
    assert.equal(written.length, atOnce + 10);
  }));
