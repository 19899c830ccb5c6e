import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type MessageLog, openMessageLog } from './message-log.ts';

const bodies = (log: MessageLog, after: number) => log.read('s', after, 100).map(({ body }) => body);

async function fill(log: MessageLog, ...texts: readonly string[]): Promise<readonly number[]> {
  return Promise.all(texts.map((text) => log.append('s', 't', text)));
}

test('what was said to be kept is there when the log is opened again, in order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-messages-'));
  try {
    const file = join(folder, 'messages.db');
    const first = openMessageLog(file);
    assert.deepEqual(await fill(first, 'a', 'b'), [1, 2]);
    first.close();
    const second = openMessageLog(file);
    assert.deepEqual(await fill(second, 'c'), [3]);
    assert.deepEqual(bodies(second, 1), ['b', 'c']);
    second.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a message goes when every reader has confirmed it, and not before', async () => {
  const log = openMessageLog(':memory:');
  log.join('s', 'one');
  log.join('s', 'two');
  await fill(log, 'a', 'b', 'c');
  log.confirm('s', 'one', 3);
  assert.deepEqual(bodies(log, 0), ['a', 'b', 'c']);
  log.confirm('s', 'two', 1);
  assert.deepEqual(bodies(log, 0), ['b', 'c']);
  log.forget('two');
  log.confirm('s', 'one', 3);
  assert.deepEqual(bodies(log, 0), []);
  assert.equal(log.last('s'), 3);
  log.close();
});

test('a reader that comes back goes on where it was; a new one begins with what comes', async () => {
  const log = openMessageLog(':memory:');
  log.join('s', 'old');
  await fill(log, 'a', 'b');
  assert.deepEqual([log.join('s', 'old'), log.join('s', 'new')], [0, 2]);
  log.close();
});
