import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakeClock, fakeClock, runs } from '@skerry/testkit';
import fc from 'fast-check';
import { WorkQueue } from './work-queue.ts';

/** Plays `plan` on a queue and compares what one worker, who finishes each key at once, was handed and when. */
async function check(
  plan: (queue: WorkQueue, clock: FakeClock) => Promise<void> | void,
  expected: readonly string[],
): Promise<void> {
  const clock = fakeClock();
  const queue = new WorkQueue({ clock });
  await plan(queue, clock);
  const taken: string[] = [];
  const worker = (async () => {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      taken.push(`${key}@${clock.monotonic()}`);
      queue.done(key);
    }
  })();
  await clock.advance(1_000_000);
  queue.close();
  await worker;
  assert.deepEqual(taken, expected);
}

test('a key that waits is not added twice', () =>
  check(
    (queue) => {
      queue.add('a');
      queue.add('b');
      queue.add('a');
    },
    ['a@0', 'b@0'],
  ));

test('a key added while it is worked on comes up again, once', () =>
  check(
    async (queue) => {
      queue.add('a');
      const key = await queue.take();
      queue.add('a');
      queue.add('a');
      assert.equal(queue.size, 0);
      queue.done(key ?? '');
    },
    ['a@0'],
  ));

test('of two delays the earlier one counts', () =>
  check(
    (queue) => {
      queue.addAfter('a', 500);
      queue.addAfter('a', 200);
      queue.addAfter('a', 900);
    },
    ['a@200'],
  ));

test('each failure in a row doubles the delay, up to a minute', () =>
  check(
    async (queue, clock) => {
      for (let failure = 0; failure < 20; failure++) {
        queue.retry('a');
        const before = clock.monotonic();
        await clock.advance(60_000);
        const key = await queue.take();
        assert.equal(key, 'a');
        queue.done('a');
        assert.ok(clock.monotonic() - before <= 60_000);
      }
      queue.forget('a');
      queue.retry('a');
    },
    ['a@1200005'],
  ));

test('closing wakes whoever waits', async () => {
  const queue = new WorkQueue({ clock: fakeClock() });
  const waiting = [queue.take(), queue.take()];
  queue.close();
  assert.deepEqual(await Promise.all(waiting), [undefined, undefined]);
});

test('with any number of workers, no key is ever in two hands and none is lost', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), delay: fc.constantFrom(0, 0, 5, 30) }), {
        maxLength: 40,
      }),
      async (workers, additions) => {
        const clock = fakeClock();
        const queue = new WorkQueue({ clock });
        const inHand = new Set<string>();
        const seen = new Map<string, number>();
        const world = new Map<string, number>();
        const work = async () => {
          for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
            assert.ok(!inHand.has(key));
            inHand.add(key);
            seen.set(key, world.get(key) ?? 0);
            await clock.sleep(7);
            inHand.delete(key);
            queue.done(key);
          }
        };
        const running = Array.from({ length: workers }, work);
        for (const { key, delay } of additions) {
          world.set(key, (world.get(key) ?? 0) + 1);
          queue.addAfter(key, delay);
          await clock.advance(3);
        }
        await clock.advance(1000);
        queue.close();
        await Promise.all(running);
        assert.deepEqual(Object.fromEntries(seen), Object.fromEntries(world));
      },
    ),
    { numRuns: runs(50) },
  ));
