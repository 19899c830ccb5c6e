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
  log.retain('two', new Set());
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

test('a stream that a reader reads no more keeps nothing for it, and what it reads stays', async () => {
  const log = openMessageLog(':memory:');
  for (const stream of ['s', 'other']) {
    log.join(stream, 'one');
    await log.append(stream, 't', 'a');
  }
  log.retain('one', new Set(['other']));
  assert.deepEqual([bodies(log, 0), log.read('other', 0, 10).length], [[], 1]);
  assert.equal(log.dropped('s'), 0);
  log.close();
});

test('too many bytes that wait, or messages, drop the oldest and count them, also after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-messages-'));
  const file = join(folder, 'messages.db');
  try {
    const first = openMessageLog(file, { messages: 4, bytes: 100 });
    first.join('s', 'one');
    await fill(first, 'x'.repeat(50), 'y'.repeat(40));
    assert.equal(first.dropped('s'), 0);
    first.close();
    const second = openMessageLog(file, { messages: 4, bytes: 100 });
    await fill(second, 'é'.repeat(20), 'z');
    assert.deepEqual([bodies(second, 0), second.dropped('s')], [['y'.repeat(40), 'é'.repeat(20), 'z'], 1]);
    await fill(second, 'a', 'b');
    assert.deepEqual([bodies(second, 0), second.dropped('s')], [['é'.repeat(20), 'z', 'a', 'b'], 2]);
    second.confirm('s', 'one', 6);
    await fill(second, 'c'.repeat(99));
    assert.deepEqual([bodies(second, 0), second.dropped('s')], [['c'.repeat(99)], 2]);
    second.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
