import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readLastWords } from './last-words.ts';

/** The message of a container that failed, with this in its file and that size of it; -1 for no file. */
async function check(text: string, size: number, expected: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-words-'));
  const terminationLog = join(directory, 'message');
  try {
    if (size >= 0) {
      writeFileSync(terminationLog, text);
      truncateSync(terminationLog, size);
    }
    const words = await readLastWords({ name: 'c' }, { terminationLog, log: join(directory, '0.log') }, 1);
    assert.equal(words, expected);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('the message is what the container wrote', () => check('it is done', 10, 'it is done'));
test('no file is no message', () => check('', -1, ''));
// More than can be read into one buffer: only its beginning is.
test('of a huge file the first four kilobytes count', () => check('x'.repeat(5000), 2 ** 33, 'x'.repeat(4096)));
