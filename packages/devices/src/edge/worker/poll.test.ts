import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import { phaseOf, poll } from './poll.ts';

/** When readings begin, given how long each takes, and how many were left out. */
async function check(
  intervalMs: number,
  phaseMs: number,
  takes: readonly number[],
  expected: { at: number[]; missed: number },
): Promise<void> {
  const clock = fakeClock();
  const stopping = new AbortController();
  const at: number[] = [];
  let missed = 0;
  const running = poll({
    clock,
    intervalMs,
    phaseMs,
    onMissed: (count) => {
      missed += count;
    },
    read: async () => {
      const takesMs = takes[at.length];
      at.push(clock.monotonic());
      if (takesMs === undefined) stopping.abort();
      else await clock.sleep(takesMs);
    },
    signal: stopping.signal,
  });
  await clock.advance(60_000);
  await running;
  assert.deepEqual({ at, missed }, expected);
}

test('readings begin on the grid, the first at once', () =>
  check(100, 30, [5, 5, 5], { at: [0, 30, 130, 230], missed: 0 }));

test('a reading that takes too long leaves out the next ones, and the grid stays', () =>
  check(100, 0, [5, 250, 5], { at: [0, 100, 400, 500], missed: 2 }));

test('a reading that fails ends it', async () => {
  const clock = fakeClock();
  const read = () => Promise.reject(new Error('broken'));
  const options = { clock, intervalMs: 10, phaseMs: 0, read, onMissed: () => {}, signal: new AbortController().signal };
  await assert.rejects(poll(options), /broken/);
});

test('names are spread over the interval, each always to the same place', () => {
  const phases = new Set(Array.from({ length: 50 }, (_, at) => phaseOf(`plant/meter-${at}`, 1000)));
  assert.ok(phases.size > 40);
  assert.equal(phaseOf('plant/meter-1', 1000), phaseOf('plant/meter-1', 1000));
});
