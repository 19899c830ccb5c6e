/** Results of rules on their way to the cloud: a rule never reads again what its checkpoint has. */
import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchStreams } from './testing/scratch-streams.ts';

test('a route that is there when a rule begins takes what the rule gives out first', async () => {
  await using scratch = await scratchStreams();
  const rows = Array.from({ length: 50 }, (_, v) => ({ v }));
  writeFileSync(join(scratch.files, 'in.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await scratch.restart(async () => {
    await scratch.stream('demo', { source: { file: { path: 'in.jsonl' } } });
    await scratch.rule('r', { sql: 'SELECT v FROM demo', sinks: [{ name: 'series', bus: {} }] });
    await scratch.route('all', { batch: { maxDelay: '10ms' } });
    scratch.slow.add('routes');
  });
  await scratch.until('the rows', async () => (await scratch.status('r'))?.rowsOut === rows.length);
  await scratch.until('all of them in the queue', () => scratch.queuedRows('all') === rows.length);
});

test('what a rule has in a checkpoint, its results are in the queue on disk, however long a route collects', async () => {
  await using scratch = await scratchStreams();
  const rows = Array.from({ length: 50 }, (_, v) => ({ v }));
  writeFileSync(join(scratch.files, 'in.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await scratch.route('all', { batch: { maxDelay: '1h' } });
  await scratch.until('the route', () => scratch.queuedRows('all') === 0);
  await scratch.stream('demo', { source: { file: { path: 'in.jsonl', follow: true } } });
  await scratch.rule('r', { sql: 'SELECT v FROM demo', sinks: [{ name: 'series', bus: {} }] });
  await scratch.until('the rows', async () => (await scratch.status('r'))?.rowsOut === rows.length);
  const given = scratch.clock.now();
  appendFileSync(join(scratch.files, 'in.jsonl'), '{"v":50}\n');
  await scratch.until('a checkpoint', async () => {
    const { lastCheckpointTime = '' } = (await scratch.status('r')) ?? {};
    return Date.parse(lastCheckpointTime) > given;
  });
  assert.equal(scratch.queuedRows('all'), rows.length + 1);
});
