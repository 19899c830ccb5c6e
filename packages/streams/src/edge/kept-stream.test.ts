/** Where a rule goes on in messages that are kept. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import type { Row } from '../sql/index.ts';
import { KeptStream } from './kept-stream.ts';
import { openMessageLog } from './message-log.ts';

test('a rule whose position is beyond a log that was lost reads what comes from now on', async () => {
  const log = openMessageLog(':memory:');
  const stream = new KeptStream('default/s', { source: { mqtt: { server: '', topic: '' } } }, log, fakeClock());
  const rows: Row[] = [];
  stream.join({ name: 'default/r', row: (row) => rows.push(row), isFull: () => false, end: () => {} }, 500);
  await stream.keep('t', '{"v":1}');
  assert.deepEqual(
    rows.map(({ v }) => v),
    [1],
  );
  log.close();
});
