import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HorizontalPodAutoscalerSpec, HPAScalingRules } from '@skerry/api/types';
import fc from 'fast-check';
import { afterScaling, type History, NO_HISTORY, pace } from './pace.ts';

const TARGET = { kind: 'Deployment', name: 'web' };
const MINUTE = 60_000;

interface Step {
  /** Seconds since the start. */
  readonly at: number;
  readonly wanted: number;
  readonly replicas: number;
  readonly able?: string;
  readonly limited?: string;
}

interface Story {
  readonly from: number;
  readonly up?: HPAScalingRules;
  readonly down?: HPAScalingRules;
  readonly min?: number;
  readonly max?: number;
}

/** Goes through the steps in order and compares what is done at each. */
function check({ from, up, down, min = 1, max = 100 }: Story, steps: readonly Step[]): void {
  const behavior = { ...(up === undefined ? {} : { scaleUp: up }), ...(down === undefined ? {} : { scaleDown: down }) };
  const spec: HorizontalPodAutoscalerSpec = { scaleTargetRef: TARGET, minReplicas: min, maxReplicas: max, behavior };
  let current = from;
  let history: History = NO_HISTORY;
  for (const step of steps) {
    const now = MINUTE + step.at * 1000;
    const paced = pace({ spec, current, wanted: step.wanted, history, now });
    const what = `at ${step.at} s, ${step.wanted} wanted`;
    assert.equal(paced.replicas, step.replicas, what);
    if (step.able !== undefined) assert.equal(paced.ableToScale.reason, step.able, what);
    if (step.limited !== undefined) assert.equal(paced.scalingLimited.reason, step.limited, what);
    history =
      paced.replicas === current
        ? paced.history
        : afterScaling(paced.history, { from: current, to: paced.replicas, now });
    current = paced.replicas;
  }
}

test('without behavior it at most doubles, or grows by four, in fifteen seconds', () =>
  check({ from: 1 }, [
    { at: 0, wanted: 50, replicas: 5, able: 'ReadyForNewScale', limited: 'ScaleUpLimit' },
    { at: 10, wanted: 50, replicas: 5, limited: 'ScaleUpLimit' },
    { at: 15, wanted: 50, replicas: 10, limited: 'ScaleUpLimit' },
    { at: 30, wanted: 50, replicas: 20, limited: 'ScaleUpLimit' },
    { at: 45, wanted: 21, replicas: 21, limited: 'DesiredWithinRange' },
  ]));

test('without behavior it shrinks only to the most that was wanted in the last five minutes', () =>
  check({ from: 10 }, [
    { at: 0, wanted: 3, replicas: 10, able: 'ScaleDownStabilized', limited: 'DesiredWithinRange' },
    { at: 100, wanted: 6, replicas: 10, able: 'ScaleDownStabilized' },
    { at: 299, wanted: 3, replicas: 10 },
    { at: 300, wanted: 3, replicas: 6, able: 'ScaleDownStabilized' },
    { at: 399, wanted: 3, replicas: 6 },
    { at: 400, wanted: 3, replicas: 3, able: 'ReadyForNewScale' },
  ]));

test('the bounds of the spec hold', () => {
  check({ from: 4, max: 6 }, [{ at: 0, wanted: 8, replicas: 6, limited: 'TooManyReplicas' }]);
  check({ from: 4, min: 3, down: { stabilizationWindowSeconds: 0 } }, [
    { at: 0, wanted: 1, replicas: 3, limited: 'TooFewReplicas' },
  ]);
});

const PODS_A_MINUTE = { type: 'Pods', value: 2, periodSeconds: 60 };
const HALF_A_MINUTE = { type: 'Percent', value: 50, periodSeconds: 60 };

test('Max takes the policy of the greatest change, Min that of the least, Disabled none', () => {
  const up = (selectPolicy: string) => ({ selectPolicy, policies: [PODS_A_MINUTE, HALF_A_MINUTE] });
  check({ from: 10, up: up('Max') }, [{ at: 0, wanted: 90, replicas: 15 }]);
  check({ from: 10, up: up('Min') }, [{ at: 0, wanted: 90, replicas: 12 }]);
  check({ from: 10, up: up('Disabled') }, [{ at: 0, wanted: 90, replicas: 10, limited: 'ScaleUpLimit' }]);
  const down = (selectPolicy: string) => ({ ...up(selectPolicy), stabilizationWindowSeconds: 0 });
  check({ from: 10, down: down('Max') }, [{ at: 0, wanted: 1, replicas: 5, limited: 'ScaleDownLimit' }]);
  check({ from: 10, down: down('Min') }, [{ at: 0, wanted: 1, replicas: 8 }]);
  check({ from: 10, down: down('Disabled') }, [{ at: 0, wanted: 1, replicas: 10 }]);
});

test('a policy counts what has changed within its period', () =>
  check({ from: 10, down: { stabilizationWindowSeconds: 0, policies: [PODS_A_MINUTE] } }, [
    { at: 0, wanted: 9, replicas: 9 },
    { at: 20, wanted: 1, replicas: 8, limited: 'ScaleDownLimit' },
    { at: 40, wanted: 1, replicas: 8 },
    { at: 60, wanted: 1, replicas: 7 },
    { at: 80, wanted: 1, replicas: 6 },
  ]));

test('growth waits until it was wanted all through its window', () =>
  check(
    { from: 2, up: { stabilizationWindowSeconds: 60, policies: [{ type: 'Pods', value: 50, periodSeconds: 1 }] } },
    [
      { at: 0, wanted: 9, replicas: 2, able: 'ScaleUpStabilized' },
      { at: 30, wanted: 7, replicas: 2, able: 'ScaleUpStabilized' },
      { at: 60, wanted: 9, replicas: 7, able: 'ScaleUpStabilized' },
      { at: 90, wanted: 9, replicas: 9, able: 'ReadyForNewScale' },
    ],
  ));

const policy = fc.record({
  type: fc.constantFrom('Pods', 'Percent'),
  value: fc.integer({ min: 1, max: 200 }),
  periodSeconds: fc.integer({ min: 1, max: 1800 }),
});
const rules = fc.record(
  {
    stabilizationWindowSeconds: fc.integer({ min: 0, max: 3600 }),
    selectPolicy: fc.constantFrom('Max', 'Min', 'Disabled'),
    policies: fc.array(policy, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);

test('whatever is wanted and permitted: between the bounds, never away from what is wanted, history bounded', () => {
  fc.assert(
    fc.property(
      rules,
      rules,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 200 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 0, max: 300 })), { maxLength: 40 }),
      (scaleUp, scaleDown, minReplicas, more, wishes) => {
        const maxReplicas = minReplicas + more;
        const spec = { scaleTargetRef: TARGET, minReplicas, maxReplicas, behavior: { scaleUp, scaleDown } };
        let [current, history, now] = [minReplicas, NO_HISTORY, 0];
        for (const [seconds, wanted] of wishes) {
          now += seconds * 1000;
          const paced = pace({ spec, current, wanted, history, now });
          const { replicas } = paced;
          assert.ok(replicas >= minReplicas && replicas <= maxReplicas, `${replicas} in bounds`);
          if (wanted >= current) assert.ok(replicas >= current && replicas <= Math.max(wanted, current));
          if (wanted <= current) assert.ok(replicas <= current && replicas >= Math.min(wanted, current));
          history =
            replicas === current ? paced.history : afterScaling(paced.history, { from: current, to: replicas, now });
          assert.ok(history.wanted.every(({ at }) => now - at <= 3_600_000));
          current = replicas;
        }
      },
    ),
  );
});

test('a day of the same wish is remembered by two marks', () => {
  let history = NO_HISTORY;
  for (let now = 0; now < 24 * 60 * MINUTE; now += 15_000) {
    const spec = { scaleTargetRef: TARGET, maxReplicas: 9 };
    history = pace({ spec, current: 3, wanted: 3, history, now }).history;
    assert.ok(history.wanted.length <= 2, `${history.wanted.length}`);
  }
});
