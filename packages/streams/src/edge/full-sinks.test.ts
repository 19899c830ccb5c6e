/** Sinks that are slower than what rules give them: sources that can wait do so, and nothing is lost. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchStreams } from './testing/scratch-streams.ts';

const LINES = 100;
const OPTIONS = { maxWaitingRows: 10 };
const SINKS = [{ name: 'out', store: {} }];

test('a file waits for the sinks of its rule, and for those of rules that read that one', async () => {
  await using scratch = await scratchStreams();
  const lines = Array.from({ length: LINES }, (_, v) => `{"v":${v}}\n`);
  writeFileSync(join(scratch.files, 'in.jsonl'), lines.join(''));
  await scratch.stream('numbers', { source: { file: { path: 'in.jsonl' } } });
  await scratch.stream('again', { source: { rule: { name: 'first' } } });
  await scratch.rule('first', { sql: 'SELECT v FROM numbers', streams: ['numbers'], options: OPTIONS, sinks: SINKS });
  await scratch.rule('second', { sql: 'SELECT v FROM again', streams: ['again'], options: OPTIONS, sinks: SINKS });
  for (const rule of ['first', 'second']) {
    const status = await scratch.until(`the rows of ${rule}`, async () => {
      const now = await scratch.status(rule);
      const { rows = 0 } = now?.sinks?.['out'] ?? {};
      return rows + (now?.dropped?.['SinkFull'] ?? 0) >= LINES && now;
    });
    assert.deepEqual([status.sinks?.['out']?.rows, status.dropped], [LINES, {}]);
  }
});
