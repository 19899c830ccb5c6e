import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { CREDENTIAL_CHECK_MS, CREDENTIAL_RETRY_MS, renewCredentials } from './credential-renewal.ts';

test('a renewal that fails is done again soon, and then as rarely as before, until the cloud stops', async () => {
  const clock = fakeClock();
  const stop = new AbortController();
  const start = clock.now();
  const turns: number[] = [];
  const renew = () => {
    turns.push(clock.now() - start);
    if (turns.length === 2) throw new Error('disk full');
  };
  const renewing = renewCredentials({ clock, log: silentLogger, signal: stop.signal, renew });
  await clock.advance(3 * CREDENTIAL_CHECK_MS + CREDENTIAL_RETRY_MS);
  assert.deepEqual(turns, [
    CREDENTIAL_CHECK_MS,
    2 * CREDENTIAL_CHECK_MS,
    2 * CREDENTIAL_CHECK_MS + CREDENTIAL_RETRY_MS,
    3 * CREDENTIAL_CHECK_MS + CREDENTIAL_RETRY_MS,
  ]);
  stop.abort();
  await renewing;
  await clock.advance(2 * CREDENTIAL_CHECK_MS);
  assert.equal(turns.length, 4);
});
