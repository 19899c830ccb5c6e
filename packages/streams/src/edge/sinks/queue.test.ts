/** Rows on their way: what arrives once arrives once, also where the rule ends meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import type { Row } from '../../sql/index.ts';
import { sinkContext } from '../testing/sink-context.ts';
import { queuedSink, type Sending } from './queue.ts';

/** A place that answers when it is told to. */
function slowPlace(own: Omit<Sending, 'send'> = {}) {
  const clock = fakeClock();
  const arrived: unknown[] = [];
  const waiting: { readonly rows: readonly Row[]; readonly times: readonly number[]; answer(error?: Error): void }[] =
    [];
  const open = (saved?: unknown) =>
    queuedSink(sinkContext({ sink: { name: 'out' }, clock, saved }), {
      ...own,
      send: (rows, signal, times) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        signal.addEventListener('abort', () => reject(signal.reason));
        waiting.push({
          rows,
          times,
          answer: (error) => {
            if (error !== undefined) return reject(error);
            arrived.push(...rows.map(({ v }) => v));
            resolve();
          },
        });
        return promise;
      },
    });
  const answer = async (error?: Error) => {
    waiting.shift()?.answer(error);
    await clock.settle();
  };
  return { clock, arrived, waiting, open, answer };
}

const rowsOf = (...values: readonly number[]) => values.map((v) => ({ v }));

test('what is on its way when the rule ends has arrived, and is not sent again; what waits is', async () => {
  const place = slowPlace();
  const first = place.open();
  first.take(rowsOf(1), 0);
  first.take(rowsOf(2), 0);
  const settled = first.settle?.();
  await place.answer();
  await settled;
  const second = place.open(first.save?.());
  await first.close();
  await place.answer();
  assert.deepEqual([place.arrived, second.save?.()], [[1, 2], []]);
  await second.close();
});

test('of rows that go one by one, those that have arrived are not sent again', async () => {
  const place = slowPlace({ isOneByOne: true });
  const first = place.open();
  first.take(rowsOf(1, 2, 3), 0);
  await place.answer();
  await place.answer(new Error('away'));
  await place.clock.advance(60_000);
  await place.answer();
  assert.deepEqual([place.arrived, first.status().rows, first.status().failures], [[1, 2], 2, 1]);
  const settled = first.settle?.();
  await place.clock.advance(60_000);
  await settled;
  assert.deepEqual(first.save?.(), [{ rows: rowsOf(3), time: 0 }]);
  await first.close();
});

test('a pause after a failure keeps nobody who ends the rule waiting, and nothing goes on its way after that', async () => {
  const place = slowPlace();
  const sink = place.open();
  sink.take(rowsOf(1), 0);
  await place.answer(new Error('away'));
  await sink.settle?.();
  sink.take(rowsOf(2), 0);
  await place.clock.advance(60_000);
  assert.deepEqual(sink.save?.(), [
    { rows: rowsOf(1), time: 0 },
    { rows: rowsOf(2), time: 0 },
  ]);
  assert.equal(place.waiting.length, 0);
  await sink.close();
});

test('a row that is refused for good is dropped; those that came with it go on', async () => {
  const place = slowPlace({ isOneByOne: true, isFinal: () => true });
  const sink = place.open();
  sink.take(rowsOf(1, 2), 0);
  await place.answer(new Error('never'));
  await place.answer();
  assert.deepEqual([place.arrived, sink.dropped(), sink.status().waiting], [[2], 1, 0]);
  await sink.close();
});

test('it is rows that are bounded, in whatever numbers they come; those that come at once stay together', async () => {
  const place = slowPlace();
  const sink = place.open();
  sink.take(rowsOf(0), 0);
  for (const first of [1, 5, 9]) sink.take(rowsOf(first, first + 1, first + 2, first + 3), 0);
  assert.deepEqual([sink.status().waiting, sink.dropped(), sink.isFull?.()], [9, 4, true]);
  sink.take(
    Array.from({ length: 20 }, (_, v) => ({ v })),
    0,
  );
  assert.deepEqual([sink.status().waiting, sink.dropped()], [21, 12]);
  await sink.close();
});

test('rows that came one after the other while others were on their way go together, with their times, up to a bound', async () => {
  const place = slowPlace({ maxTogether: 3 });
  const sink = place.open();
  for (const v of [1, 2, 3, 4, 5]) sink.take(rowsOf(v), v * 10);
  const onItsWay = () => place.waiting.map(({ rows, times }) => [rows.map(({ v }) => v), times]);
  assert.deepEqual(onItsWay(), [[[1], [10]]]);
  await place.answer();
  assert.deepEqual(onItsWay(), [
    [
      [2, 3, 4],
      [20, 30, 40],
    ],
  ]);
  assert.deepEqual(
    [sink.status().waiting, sink.save?.()],
    [4, [2, 3, 4, 5].map((v) => ({ rows: rowsOf(v), time: v * 10 }))],
  );
  await place.answer(new Error('away'));
  await place.clock.advance(60_000);
  await place.answer();
  await place.answer();
  assert.deepEqual([place.arrived, sink.status().waiting, sink.save?.()], [[1, 2, 3, 4, 5], 0, []]);
  await sink.close();
});
