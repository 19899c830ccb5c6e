import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Retention, RetentionSpec } from '../../kinds/retention.ts';
import type { RetentionPlan } from '../../store/index.ts';
import { holderOf, keeperOf, longest, ownRetention, planOf } from './retention-plan.ts';

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

test('a series is kept as the Retentions of its namespace say that match it', () => {
  const retention = (namespace: string, spec: RetentionSpec) =>
    keeperOf({
      apiVersion: 'streams.skerry.io/v1alpha1',
      kind: 'Retention',
      metadata: { namespace },
      spec,
    } as Retention);
  const own = ownRetention([
    retention('hall', { keep: '1d', series: [{ device: 'press-*' }], maxBytes: 5_000_000 }),
    retention('hall', { keep: '2d', series: [{ property: 'load' }] }),
    retention('yard', { keep: '3d' }),
  ]);
  const daysOf = (namespace: string, device: string, property: string) =>
    (own({ namespace, device, property })?.rawFor ?? 0) / DAY;
  assert.equal(daysOf('hall', 'press-1', 'mode'), 1);
  assert.equal(daysOf('hall', 'press-1', 'load'), 2);
  assert.equal(daysOf('hall', 'drill', 'load'), 2);
  assert.equal(daysOf('yard', 'drill', 'load'), 3);
  assert.equal(own({ namespace: 'hall', device: 'drill', property: 'mode' }), undefined);
  const one = own({ namespace: 'hall', device: 'press-1', property: 'mode' });
  assert.equal(one, own({ namespace: 'hall', device: 'press-2', property: 'mode' }), 'they share a bound');
  assert.equal(one?.maxBytes, 5_000_000);
});

test('of what a Retention means that cannot be read nothing goes, of all its namespace when that cannot be read either', () => {
  const of = (series: RetentionSpec['series']) =>
    ({ metadata: { namespace: 'hall' }, spec: { keep: '{{keep}}', ...(series && { series }) } }) as Retention;
  const short = keeperOf({ metadata: { namespace: 'hall' }, spec: { keep: '1d', maxBytes: 1 } } as Retention);
  const planFor = (held: Retention, device: string) =>
    ownRetention([short, holderOf(held, 'edge-1')])({ namespace: 'hall', device, property: 'load' });
  assert.deepEqual(planFor(of([{ device: 'press' }]), 'press'), {});
  assert.equal(planFor(of([{ device: 'press' }]), 'drill')?.rawFor, DAY);
  assert.deepEqual(planFor(of([{ device: '{{which}}' }]), 'drill'), {});
  assert.equal(ownRetention([holderOf(of(undefined), undefined)])({ namespace: 'yard' }), undefined);
});
