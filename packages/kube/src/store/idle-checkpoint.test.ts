import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { CHECKPOINT_COMMITS, CHECKPOINT_IDLE_MS } from './idle-checkpoint.ts';
import { openTestStore, temporaryDirectory } from './testing/temporary-store.ts';

const OBJECT = JSON.stringify({ data: 'x'.repeat(1000) });

/** Commits one after another, with what `between` does after each; tells whether the file itself has got them then. */
async function check(commits: number, between: (clock: FakeClock) => Promise<void>, isInFile: boolean): Promise<void> {
  using directory = temporaryDirectory();
  const file = directory.path('store.db');
  const clock = fakeClock();
  const store = openTestStore(file, { clock });
  for (let commit = 0; commit < commits; commit++) {
    await store.put(`/configmaps/a/${commit}`, OBJECT);
    await between(clock);
  }
  assert.equal(statSync(file).size >= commits * OBJECT.length, isInFile);
  assert.deepEqual(store.findDamage(), []);
  await store.close();
}

test('what was committed goes into the file when nobody has written for a while', async () => {
  let commits = 0;
  const isLast = () => ++commits === CHECKPOINT_COMMITS;
  await check(CHECKPOINT_COMMITS, async (clock) => void (isLast() && (await clock.advance(CHECKPOINT_IDLE_MS))), true);
});

test('while commits follow one another, none of them waits for that', () =>
  check(2 * CHECKPOINT_COMMITS, (clock) => clock.advance(CHECKPOINT_IDLE_MS - 1), false));

test('a few commits are not worth it', () => check(CHECKPOINT_COMMITS - 1, (clock) => clock.advance(60_000), false));
