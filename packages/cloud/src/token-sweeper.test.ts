import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { fakeClock } from '@skerry/testkit';
import { KEPT_AFTER_EXPIRY_MS, SWEEP_EVERY_MS, sweepTokens } from './token-sweeper.ts';

test('a token is deleted a day after it expired, and not before', async () => {
  const clock = fakeClock();
  const expirationTimestamp = new Date(clock.now()).toISOString();
  const tokens = new Map([['old', { expirationTimestamp }]]);
  const client = {
    list: async () => ({ items: [...tokens].map(([name, spec]) => ({ metadata: { name }, spec })) }),
    delete: async ({ name }: { name: string }) => void tokens.delete(name),
  } as unknown as Client;
  const stop = new AbortController();
  const running = sweepTokens({ client, clock, log: silentLogger, signal: stop.signal });
  await clock.advance(KEPT_AFTER_EXPIRY_MS);
  assert.equal(tokens.size, 1);
  await clock.advance(SWEEP_EVERY_MS);
  assert.equal(tokens.size, 0);
  stop.abort();
  await running;
});
