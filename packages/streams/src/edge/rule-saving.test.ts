/** What becomes of rules whose state cannot be saved: they go on, say so, and are saved once they can be. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StreamSpec } from '../kinds/stream.ts';
import { scratchStreams } from './testing/scratch-streams.ts';

const FILE: StreamSpec = { source: { file: { path: 'in.jsonl', follow: true } }, timestamp: { field: 'ts' } };

test('a rule that cannot be saved stops no other; it says so, and is saved once it can be', async () => {
  await using scratch = await scratchStreams();
  const input = join(scratch.files, 'in.jsonl');
  // Where the file of results would be put aside, nothing can be looked at.
  const aside = join(scratch.files, 'stuck.jsonl.1');
  symlinkSync(aside, aside);
  writeFileSync(input, '{"ts":1,"v":1}\n');
  await scratch.stream('demo', FILE);
  for (const name of ['stuck', 'fine'])
    await scratch.rule(name, {
      sql: 'SELECT v FROM demo',
      options: { checkpointInterval: '250ms' },
      sinks: [{ name: 'out', file: { path: `${name}.jsonl` } }],
    });
  const savedAt = async (name: string) => (await scratch.status(name))?.lastCheckpointTime;
  const running = async () => ((await scratch.status('fine'))?.rowsOut ?? 0) >= 1 && savedAt('fine');
  const before = await scratch.until('the first row', running);
  appendFileSync(input, '{"ts":2,"v":2}\n');
  await scratch.until('another checkpoint', async () => (await savedAt('fine')) !== before);
  const status = await scratch.until('what is wrong', async () => {
    const told = await scratch.status('stuck');
    return (told?.rowsOut ?? 0) >= 2 && told;
  });
  assert.match(status.lastError ?? '', /what it knows was not saved: .*ELOOP/);
  assert.equal(status.lastCheckpointTime, undefined);
  rmSync(aside);
  await scratch.until('its checkpoint', async () => {
    const told = await scratch.status('stuck');
    return told?.lastCheckpointTime !== undefined && told.lastError === '';
  });
});

test('an instant goes by the clock of its own zone also after a restart', async () => {
  await using scratch = await scratchStreams();
  const input = join(scratch.files, 'in.jsonl');
  const results = join(scratch.files, 'out.jsonl');
  writeFileSync(input, '{"ts":1000,"v":1}\n');
  await scratch.stream('demo', FILE);
  await scratch.rule('r', {
    sql: `WITH z AS (SELECT convert_tz(ts, "Asia/Tokyo") AS t FROM demo)
      SELECT format_time(first_value(t, true), "HH:mm") AS first FROM z GROUP BY COUNTWINDOW(2)`,
    sinks: [{ name: 'out', file: { path: 'out.jsonl' } }],
  });
  await scratch.until('the first row', async () => (await scratch.status('r'))?.rowsIn === 1);
  await scratch.restart();
  appendFileSync(input, '{"ts":2000,"v":2}\n');
  await scratch.until('the result', () => existsSync(results) && readFileSync(results, 'utf8') !== '');
  assert.equal(readFileSync(results, 'utf8'), '{"first":"09:00"}\n');
});
