import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RetentionPlan } from '../../store/index.ts';
import { longest, planOf } from './retention-plan.ts';

const DAY = 86_400_000;

function check(plans: readonly RetentionPlan[], expected: RetentionPlan): void {
  assert.deepEqual(longest(plans), expected);
}

test('a Retention says how long values and their tiers are kept', () =>
  assert.deepEqual(planOf({ keep: '1d12h', tiers: [{ step: '60s', keep: '90d' }], maxBytes: 1 }), {
    rawFor: 1.5 * DAY,
    minuteFor: 90 * DAY,
    maxBytes: 1,
  }));

test('a tier that the store does not have is refused, with those that there are', () =>
  assert.throws(() => planOf({ tiers: [{ step: '5m', keep: '1d' }] }), /no tier of 5m; there are 1s, 1m and 1h/));

test('what one of several wants kept is kept', () =>
  check(
    [
      { rawFor: DAY, minuteFor: 3 * DAY, maxBytes: 10 },
      { rawFor: 2 * DAY, maxBytes: 5 },
    ],
    { rawFor: 2 * DAY, secondFor: 0, minuteFor: 3 * DAY, hourFor: 0, maxBytes: 15 },
  ));

test('a bound holds only where all have one', () =>
  check([{ rawFor: DAY, maxBytes: 10 }, { rawFor: DAY }], { rawFor: DAY, secondFor: 0, minuteFor: 0, hourFor: 0 }));
