import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import { PendingPods } from './pending-pods.ts';

function drain(pending: PendingPods): readonly string[] {
  const keys: string[] = [];
  for (let key = pending.take(); key !== undefined; key = pending.take()) keys.push(key);
  return keys;
}

test('the highest priority goes first, then who waited longest', () => {
  const pending = new PendingPods(fakeClock(), () => {});
  pending.add('low', 0);
  pending.add('high', 10);
  pending.add('high-2', 10);
  assert.deepEqual(drain(pending), ['high', 'high-2', 'low']);
});

test('a pod that fits nowhere is woken by a change, but not before its backoff', async () => {
  const clock = fakeClock();
  const pending = new PendingPods(clock, () => {});
  pending.park('p', 0);
  pending.wake();
  assert.deepEqual(drain(pending), []);
  await clock.advance(1000);
  assert.deepEqual(drain(pending), ['p']);
});

test('without any change it is looked at again after a minute', async () => {
  const clock = fakeClock();
  const pending = new PendingPods(clock, () => {});
  pending.park('p', 0);
  await clock.advance(59_000);
  assert.deepEqual(drain(pending), []);
  await clock.advance(1000);
  assert.deepEqual(drain(pending), ['p']);
});

test('a pod that was placed or deleted is forgotten wherever it waits', async () => {
  const clock = fakeClock();
  const pending = new PendingPods(clock, () => {});
  pending.add('ready', 0);
  pending.park('parked', 0);
  pending.forget('ready');
  pending.forget('parked');
  await clock.advance(120_000);
  assert.deepEqual(drain(pending), []);
});
