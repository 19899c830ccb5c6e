/** Time at the node as rules see it: silence over a restart, and clocks that are set. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamSpec } from '../kinds/stream.ts';
import { type ScratchStreams, scratchStreams } from './testing/scratch-streams.ts';

const HOUR_MS = 3_600_000;
const TICKS: StreamSpec = { source: { simulator: { interval: '100ms', rows: [{ v: 1 }] } } };
const COUNT = 'SELECT count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 1)';

/** Rows of a device, whose times are its own. */
async function device(scratch: ScratchStreams, rule: string): Promise<void> {
  const series = scratch.values.series.register({ namespace: 'default', object: 'a', property: 'v', type: 'float64' });
  scratch.device({ namespace: 'default', name: 'a', model: 'm', labels: {}, points: [{ property: 'v', series }] });
  await scratch.stream('values', { source: { devices: { rows: 'Value' } } });
  await scratch.rule('r', { sql: rule, sinks: [{ name: 'out', bus: {} }] });
  await scratch.until('it runs', async () => (await scratch.status('r'))?.state === 'Running');
}

const SUM = 'SELECT sum(value) AS s FROM values GROUP BY TUMBLINGWINDOW(mi, 1)';

test('a window of a stream that falls silent over a restart is given out', async () => {
  await using scratch = await scratchStreams();
  await device(scratch, SUM);
  scratch.publish('a', scratch.clock.now(), { v: 3 });
  await scratch.until('the row', async () => (await scratch.status('r'))?.rowsIn === 1);
  assert.equal(scratch.last('r', 's'), undefined);
  await scratch.restart();
  await scratch.until('the sum', () => scratch.last('r', 's') === 3);
});

/** Windows by arrival count what came in a second, whatever becomes of the clock; what they hold then is given out once. */
async function checkWindows(...jumps: readonly number[]): Promise<string> {
  await using scratch = await scratchStreams();
  await scratch.stream('demo', TICKS);
  await scratch.rule('r', { sql: COUNT, sinks: [{ name: 'out', bus: {} }] });
  await scratch.until('a whole window', () => scratch.last('r', 'c') === 10);
  const rows = async () => (await scratch.until('status', () => scratch.status('r'))).rowsOut ?? 0;
  for (const jump of jumps) {
    scratch.setClock(jump);
    const before = await rows();
    const began = scratch.clock.monotonic();
    await scratch.until('windows after it', async () => (await rows()) >= before + 15);
    const seconds = (scratch.clock.monotonic() - began) / 1000;
    const given = (await rows()) - before;
    // One a second, told every ten; while the clock is behind, a ninth fewer.
    assert.ok(seconds < 40 && given <= seconds + 12, `${given} windows in ${seconds} s`);
  }
  return (await scratch.status('r'))?.lastError ?? '';
}

test('windows on the clock neither stall nor multiply when it is set back or ahead by a little', async () =>
  assert.equal(await checkWindows(-600_000, 1_200_000, -30_000), ''));

test('a clock that was far ahead, and is set right, stops no window, and is told', async () =>
  assert.match(await checkWindows(240 * HOUR_MS, -240 * HOUR_MS), /the clock was set back by 240 h/));

test('times of a clock that was wrong, kept over a restart, make no row late for ever', async () => {
  await using scratch = await scratchStreams();
  scratch.setClock(48 * HOUR_MS);
  await device(scratch, SUM);
  scratch.publish('a', scratch.clock.now(), { v: 3 });
  await scratch.until('the row', async () => (await scratch.status('r'))?.rowsIn === 1);
  await scratch.restart(async () => scratch.setClock(-48 * HOUR_MS));
  await scratch.until('what the window held', () => scratch.last('r', 's') === 3);
  await scratch.until('a window of rows after it', () => {
    scratch.publish('a', scratch.clock.now(), { v: 4 });
    return Number(scratch.last('r', 's')) % 4 === 0;
  });
  const told = await scratch.until('counters', async () => {
    const status = await scratch.status('r');
    return status?.rowsOut === 2 && status;
  });
  assert.deepEqual([told.late, told.dropped], [0, {}]);
});

test('rules that read the results of one whose clock was set back go on too', async () => {
  await using scratch = await scratchStreams();
  await scratch.stream('demo', TICKS);
  await scratch.stream('counts', { source: { rule: { name: 'r' } } });
  await scratch.rule('top', {
    sql: 'SELECT max(c) AS top, count(*) AS n FROM counts GROUP BY TUMBLINGWINDOW(ss, 5)',
    sinks: [{ name: 'out', bus: {} }],
  });
  await scratch.rule('r', { sql: COUNT, sinks: [] });
  await scratch.until('a window', () => scratch.last('top', 'n') === 5);
  scratch.setClock(-50 * HOUR_MS);
  const before = (await scratch.status('top'))?.rowsOut ?? 0;
  const status = await scratch.until('windows after it', async () => {
    const told = await scratch.status('top');
    return (told?.rowsOut ?? 0) >= before + 4 && told;
  });
  assert.equal(status.late, 0);
});
