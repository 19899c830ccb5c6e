/** Sinks that are slower than what rules give them: sources that can wait do so, and nothing is lost. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import type { Row } from '../sql/index.ts';
import { KeptStream } from './kept-stream.ts';
import { openMessageLog } from './message-log.ts';
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

test('messages that are kept wait until there is room, those that were there before and those that come', async () => {
  const clock = fakeClock();
  const log = openMessageLog(':memory:');
  const stream = new KeptStream('default/s', { source: { mqtt: { server: '', topic: '' } } }, log, clock);
  const rows: Row[] = [];
  let room = 2;
  const reader = {
    name: 'default/r',
    row: (row: Row) => rows.push(row),
    isFull: () => rows.length >= room,
    end: () => {},
  };
  log.join('default/s', reader.name);
  for (let v = 1; v <= 3; v++) await stream.keep('t', `{"v":${v}}`);
  const check = (...expected: readonly number[]) => {
    assert.deepEqual(
      rows.map(({ v }) => v),
      expected,
    );
    assert.equal(stream.position(reader), expected.length);
  };
  stream.join(reader, undefined);
  check(1, 2);
  await stream.keep('t', '{"v":4}');
  check(1, 2);
  room = 4;
  await clock.advance(1000);
  check(1, 2, 3, 4);
  stream.leave(reader);
  log.close();
});
