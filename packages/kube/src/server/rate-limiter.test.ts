import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import { RateLimiter } from './rate-limiter.ts';

test('a peer spends its burst, then its rate, and others have their own', async () => {
  const clock = fakeClock();
  const limiter = new RateLimiter(clock, { perSecond: 2, burst: 3 });
  const spend = (peer: string) => [1, 2, 3, 4].map(() => limiter.take(peer));
  assert.deepEqual(spend('a'), [true, true, true, false]);
  assert.deepEqual(spend('b'), [true, true, true, false]);
  await clock.advance(1_000);
  assert.deepEqual(spend('a'), [true, true, false, false]);
  await clock.advance(60_000);
  assert.deepEqual(spend('a'), [true, true, true, false]);
});
