import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from './fake-clock.ts';

/** Runs `plan` on a fresh clock, moves it by `advance`, and compares what was noted with the time it was noted at. */
async function check(
  plan: (clock: ReturnType<typeof fakeClock>, note: (what: string) => void) => void,
  advance: number,
  expected: readonly string[],
): Promise<void> {
  const clock = fakeClock();
  const notes: string[] = [];
  plan(clock, (what) => notes.push(`${what}@${clock.monotonic()}`));
  await clock.advance(advance);
  assert.deepEqual(notes, expected);
}

test('timers fire in the order they are due, each at its own instant', () =>
  check(
    (clock, note) => {
      clock.after(20, () => note('late'));
      clock.after(10, () => note('early'));
      clock.after(10, () => note('early too'));
      clock.after(31, () => note('never'));
    },
    30,
    ['early@10', 'early too@10', 'late@20'],
  ));

test('a chain of sleeps runs to its end in one advance', () =>
  check(
    (clock, note) => {
      const chain = async () => {
        for (let round = 1; round <= 3; round++) {
          await clock.sleep(100);
          note(`round ${round}`);
        }
      };
      chain().catch(() => note('failed'));
    },
    300,
    ['round 1@100', 'round 2@200', 'round 3@300'],
  ));

test('a cancelled timer never fires', () =>
  check(
    (clock, note) => {
      const timer = clock.after(5, () => note('cancelled'));
      timer.cancel();
    },
    10,
    [],
  ));

test('an aborted sleep rejects at once and leaves no timer', async () => {
  const clock = fakeClock();
  const controller = new AbortController();
  const sleep = clock.sleep(1000, controller.signal);
  controller.abort(new Error('stop'));
  await assert.rejects(sleep, /stop/);
  assert.equal(clock.pending, 0);
});
