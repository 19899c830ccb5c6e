/** What blobs cost and whom they hold up, over paths with a narrow place and a deep buffer before it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BULK_MIN_WINDOW_BYTES, BULK_QUEUE_MS } from '../limits.ts';
import { createWorld, type World } from './simulation/world.ts';

const MB = 1_000_000;
/** What a simulated disk takes at most. */
const APPLY_MS = 30;

interface Way {
  readonly bytesPerMs: number;
  /** One way. */
  readonly delayMs: number;
}

function worldOver({ bytesPerMs, delayMs }: Way): World {
  const world = createWorld({ seed: 1 });
  Object.assign(world.network, { bytesPerMs, delayMs });
  world.advance(2_000);
  return world;
}

/** Pulls a blob while the path is cut every `cutEveryMs` and the edge crashes once; gives the time and the bytes that the cloud sent. */
function pull(world: World, size: number, cutEveryMs = Number.POSITIVE_INFINITY): { ms: number; sent: number } {
  const { edge, network, advance } = world;
  const [begun, before] = [network.now, network.sent.hub];
  edge.want(size);
  const blob = edge.blobs.at(-1);
  let cutAt = network.now + cutEveryMs;
  let mustCrash = Number.isFinite(cutEveryMs);
  while (blob !== undefined && blob.kept < size) {
    assert.ok(network.now - begun < 600_000, 'the blob comes to its end');
    advance(10);
    if (mustCrash && blob.kept > size / 2) {
      mustCrash = false;
      edge.crash();
    }
    if (network.now < cutAt) continue;
    cutAt += cutEveryMs;
    for (const id of network.pathIds) network.cut(id);
  }
  return { ms: network.now - begun, sent: network.sent.hub - before };
}

const ways: Readonly<Record<string, Way>> = {
  'a village line': { bytesPerMs: 125, delayMs: 15 },
  'a line of 8 Mbit/s': { bytesPerMs: 1_000, delayMs: 2 },
  'a mobile network': { bytesPerMs: 2_500, delayMs: 25 },
  'a local network': { bytesPerMs: 6_000, delayMs: 1 },
};

for (const [name, way] of Object.entries(ways)) {
  test(`over ${name} that breaks every three seconds, and through a crash, less than 3 % is sent twice`, () => {
    const size = way.bytesPerMs * 12_000;
    const { sent } = pull(worldOver(way), size, 3_000);
    assert.ok(sent < size * 1.03, `${sent} bytes were sent for ${size}`);
  });
}

const speeds: Readonly<Record<string, Way>> = { ...ways, 'a satellite': { bytesPerMs: 1_000, delayMs: 280 } };

for (const [name, way] of Object.entries(speeds)) {
  test(`a blob makes use of ${name}`, () => {
    const size = way.bytesPerMs * 30_000;
    const { ms } = pull(worldOver(way), size);
    // It begins with very little and doubles it each time that it hears from there.
    assert.ok(ms < 30_000 * 1.1 + 20 * way.delayMs, `${size} bytes took ${ms} ms`);
  });

  test(`what is urgent does not wait long behind a blob over ${name}`, () => {
    const { edge, cloud, network, advance } = worldOver(way);
    edge.want(way.bytesPerMs * 30_000);
    advance(15_000);
    const begun = network.now;
    cloud.put('urgent', 'now');
    while (!edge.objects.has('urgent')) advance(1);
    const smallestWindowMs = (BULK_MIN_WINDOW_BYTES * 2) / way.bytesPerMs;
    const bound = way.delayMs + 2 * Math.max(BULK_QUEUE_MS, way.delayMs / 2, smallestWindowMs) + APPLY_MS;
    assert.ok(network.now - begun <= bound, `${network.now - begun} ms, ${bound} expected`);
  });
}

test('blobs beside each other share what one would have', () => {
  const world = worldOver({ bytesPerMs: 1_000, delayMs: 2 });
  const { edge, network, advance } = world;
  for (let count = 0; count < 5; count++) edge.want(MB);
  const begun = network.now;
  while (edge.blobs.some(({ kept, size }) => kept < size)) advance(10);
  assert.ok(network.now - begun < 5_000 * 1.15, `${network.now - begun} ms`);
});
