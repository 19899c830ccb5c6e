import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { type Batch, BatchBuilder } from './batch.ts';
import { createBus } from './bus.ts';

function batchOf(first: number, rows: number): Batch {
  const builder = new BatchBuilder();
  for (let row = 0; row < rows; row++) builder.add(first + row, 0, 0, 192);
  const batch = builder.take();
  assert.ok(batch !== undefined);
  return batch;
}

const seriesOf = ({ series, length }: Batch) => [...series.subarray(0, length)];

/** Publishes batches of the given sizes to a subscriber that takes nothing meanwhile; what it has then. */
function check(limitRows: number, sizes: readonly number[], expected: { taken: number[]; dropped: number }): void {
  const bus = createBus();
  const subscription = bus.subscribe({ name: 'slow', limitRows });
  let next = 0;
  for (const size of sizes) {
    bus.publish(batchOf(next, size));
    next += size;
  }
  const taken: number[] = [];
  for (let batch = subscription.take(); batch !== undefined; batch = subscription.take())
    taken.push(...seriesOf(batch));
  assert.deepEqual({ taken, dropped: subscription.dropped }, expected);
}

test('every subscriber gets every batch, in order', () => {
  const bus = createBus();
  const all = ['a', 'b', 'c'].map((name) => bus.subscribe({ name }));
  bus.publish(batchOf(0, 2));
  bus.publish(batchOf(2, 1));
  for (const each of all) {
    assert.deepEqual(
      [each.take(), each.take(), each.take()].map((batch) => batch && seriesOf(batch)),
      [[0, 1], [2], undefined],
    );
  }
});

test('a slow subscriber loses its oldest batches, counted in rows', () =>
  check(4, [2, 2, 2], { taken: [2, 3, 4, 5], dropped: 2 }));

test('a batch that is larger than the bound waits alone', () =>
  check(2, [1, 5], { taken: [1, 2, 3, 4, 5], dropped: 1 }));

test('a slow subscriber costs the others nothing', () => {
  const bus = createBus();
  const slow = bus.subscribe({ name: 'slow', limitRows: 1 });
  const quick = bus.subscribe({ name: 'quick' });
  for (let count = 0; count < 10; count++) {
    bus.publish(batchOf(count, 1));
    assert.deepEqual(seriesOf(quick.take() ?? batchOf(99, 1)), [count]);
  }
  assert.deepEqual([slow.dropped, quick.dropped, quick.delivered], [9, 0, 10]);
});

test('what is delivered, dropped and waiting adds up to what was published, and no more than the bound waits', () =>
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant('take' as const)), { maxLength: 100 }),
      (steps) => {
        const bus = createBus();
        const subscription = bus.subscribe({ name: 'any', limitRows: 20 });
        for (const step of steps) {
          if (step === 'take') subscription.take();
          else bus.publish(batchOf(0, step));
          assert.ok(subscription.waiting <= 20);
        }
        const { delivered, dropped, waiting } = subscription;
        assert.equal(delivered + dropped + waiting, bus.published);
      },
    ),
    { numRuns: runs(100) },
  ));

test('iterating takes what comes and ends with the bus, after what waits', async () => {
  const bus = createBus();
  const subscription = bus.subscribe({ name: 'reader' });
  const seen: number[] = [];
  const reading = (async () => {
    for await (const batch of subscription) seen.push(...seriesOf(batch));
  })();
  bus.publish(batchOf(0, 1));
  await new Promise(setImmediate);
  bus.publish(batchOf(1, 1));
  bus.publish(batchOf(2, 1));
  bus.close();
  await reading;
  assert.deepEqual(seen, [0, 1, 2]);
  assert.deepEqual(bus.subscriptions(), []);
});

test('whoever closes is handed nothing more and counts no losses', () => {
  const bus = createBus();
  const subscription = bus.subscribe({ name: 'gone', limitRows: 1 });
  bus.publish(batchOf(0, 1));
  subscription.close();
  bus.publish(batchOf(1, 1));
  assert.deepEqual([subscription.take(), subscription.dropped, bus.subscriptions().length], [undefined, 0, 0]);
});

test('a subscriber that wants only some batches is not filled by the others', () => {
  const bus = createBus();
  const subscription = bus.subscribe({ name: 'picky', wants: ({ series }) => series[0] === 7 });
  bus.publish(batchOf(1, 3));
  bus.publish(batchOf(7, 1));
  assert.deepEqual([subscription.waiting, seriesOf(subscription.take() ?? batchOf(0, 1))], [1, [7]]);
});
