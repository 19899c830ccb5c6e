import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouteSettings } from '../contract.ts';
import { type Entry, RoadQueue } from './road-queue.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 10);

const SETTINGS: RouteSettings = {
  priority: 'Live',
  maxRows: 100,
  maxDelayMs: 100,
  maxBytes: 1000,
  maxAgeMs: 3 * DAY_MS,
  windows: [],
};

/** Numbers of the blocks that are dropped of such as these, and why. */
function check(entries: readonly Partial<Entry>[], expected: readonly (readonly [number, string])[]): void {
  const blocks = entries.map((entry, index) => ({
    number: index + 1,
    at: NOW,
    ranAt: NOW,
    rows: 1,
    size: 100,
    ...entry,
  }));
  const queue = new RoadQueue({
    id: 1,
    name: 'q',
    token: new Uint8Array(16),
    settings: SETTINGS,
    entries: blocks,
    last: blocks.length,
  });
  const dropped: (readonly [number, string])[] = [];
  for (let found = queue.surplus(NOW); found !== undefined; found = queue.surplus(NOW)) {
    dropped.push([found.entry.number, found.reason]);
    queue.drop(found.lane);
  }
  assert.deepEqual(dropped, expected);
}

test('beyond its bytes the oldest is dropped', () =>
  check(
    Array.from({ length: 12 }, () => ({})),
    [
      [1, 'QueueFull'],
      [2, 'QueueFull'],
    ],
  ));

test('what waits for too long is dropped', () => check([{ ranAt: NOW - 4 * DAY_MS }, {}], [[1, 'TooOld']]));

test('what a clock put there that was wrong is not too old', () =>
  check([{ at: 5000 }, { at: NOW - 400 * DAY_MS }, { at: NOW + 400 * DAY_MS }], []));

test('what waits from before the clock was set back is set aside like all that waits', () => {
  const entry = { number: 1, at: NOW + DAY_MS, ranAt: 0, rows: 1, size: 10 };
  const queue = new RoadQueue({
    id: 1,
    name: 'q',
    token: new Uint8Array(16),
    settings: SETTINGS,
    entries: [entry],
    last: 1,
  });
  assert.ok(queue.isBehind(NOW));
  queue.setAside(NOW);
  assert.deepEqual([queue.next('late'), queue.next('live')], [entry, undefined]);
});

test('many small blocks that were never sent become one; it is as old as the oldest and has the newest number', () => {
  const queue = new RoadQueue({
    id: 1,
    name: 'q',
    token: new Uint8Array(16),
    settings: SETTINGS,
    entries: [{ number: 1, at: NOW - 100, ranAt: 0, rows: 1, size: 10 }],
    last: 1,
  });
  for (let number = 2; number <= 16; number++)
    queue.add({ number, at: NOW + number, ranAt: number, rows: 1, size: 10 });
  assert.equal(queue.mergeable(), undefined, 'the first one may have been sent');
  queue.add({ number: 17, at: NOW + 17, ranAt: 17, rows: 1, size: 10 });
  const merged = queue.mergeable() ?? [];
  assert.deepEqual(
    merged.map(({ number }) => number),
    Array.from({ length: 16 }, (_, index) => index + 2),
  );
  queue.merge(merged, { rows: 16, size: 50 });
  queue.drop('live');
  assert.deepEqual(queue.next('live'), { number: 17, at: NOW + 2, ranAt: 2, rows: 16, size: 50 });
});
