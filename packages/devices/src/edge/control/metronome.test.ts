import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { type Metronome, threadMetronome } from './metronome.ts';

const PROGRAM = new URL('./testing/metronome-program.ts', import.meta.url);
const never = new AbortController().signal;

async function check(program: URL, tell: (metronome: Metronome) => Promise<void>): Promise<void> {
  const metronome = threadMetronome({
    clock: systemClock,
    log: silentLogger,
    program,
    execArgv: ['--conditions=source'],
  });
  await tell(metronome);
  await metronome.close();
}

async function assertNotEarly(metronome: Metronome, waits: readonly number[]): Promise<void> {
  const began = systemClock.monotonic();
  const dues = waits.map((wait) => began + wait);
  const early = dues.map(async (due) => {
    await metronome.until(due, never);
    return systemClock.monotonic() < due;
  });
  assert.ok(!(await Promise.all(early)).includes(true));
}

test('several wait for moments of their own, and none is early', () =>
  check(PROGRAM, async (metronome) => {
    for (let turn = 0; turn < 5; turn++) await assertNotEarly(metronome, [3.3, 0.4, 7.2, -1, 3.3]);
  }));

test('who gives up is told so at once, and nobody else', () =>
  check(PROGRAM, async (metronome) => {
    const giving = new AbortController();
    const due = systemClock.monotonic() + 50;
    const other = metronome.until(due, never);
    const given = metronome.until(due, giving.signal);
    giving.abort(new Error('given up'));
    await assert.rejects(given, /given up/);
    await assert.rejects(metronome.until(due, giving.signal), /given up/);
    await other;
  }));

test('without its thread it goes by the clock', () =>
  check(new URL('./testing/no-such-program.ts', import.meta.url), async (metronome) => {
    for (let turn = 0; turn < 3; turn++) await assertNotEarly(metronome, [2.5, 6]);
  }));

test('who waits when it is closed waits on by the clock', async () => {
  let other: Promise<void> | undefined;
  await check(PROGRAM, async (metronome) => {
    other = assertNotEarly(metronome, [40]);
  });
  await other;
});
