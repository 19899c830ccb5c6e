import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import type { CriClient } from './client.ts';
import { rotateLogs } from './log-rotation.ts';

test('a log that has grown too large becomes the one before, and the runtime is told to go on', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-rotation-'));
  const logPath = join(directory, '0.log');
  const reopened: unknown[] = [];
  // Only the one call is made.
  const cri = { call: async (_method: string, request: unknown) => void reopened.push(request), close: () => {} };
  const clock = fakeClock();
  const abort = new AbortController();
  const labels = { namespace: 'n', pod: 'p', uid: 'u', container: 'c', attempt: 0, graceSeconds: 1, hash: '' };
  const context = { cri: cri as unknown as CriClient, node: 'n', bootId: 'b', clock, log: silentLogger };
  writeFileSync(logPath, 'x'.repeat(50));
  const rotating = rotateLogs(
    context,
    () => [{ id: 'one', labels, logPath, startedAt: 0 }],
    { maxBytes: 100, maxFiles: 2 },
    abort.signal,
  );
  try {
    await clock.advance(10_000);
    assert.deepEqual(reopened, [], 'it is small');
    writeFileSync(logPath, 'y'.repeat(101));
    await clock.advance(10_000);
    await new Promise((resolve) => setImmediate(resolve));
    while (reopened.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(reopened, [{ id: 'one' }]);
    assert.equal(existsSync(logPath), false, 'the runtime makes the new one');
    assert.equal(readFileSync(`${logPath}.1`, 'utf8'), 'y'.repeat(101));
  } finally {
    abort.abort();
    await rotating;
    rmSync(directory, { recursive: true });
  }
});
