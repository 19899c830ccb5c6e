import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '@skerry/api/types';
import fc from 'fast-check';
import { formatTime } from '../timestamps.ts';
import { propose, type Target } from './proposal.ts';
import type { Sample } from './usage-samples.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const HOUR = 3_600_000;

/** One pod: what it uses in thousandths, or why that is not known. */
type Use = number | 'missing' | 'pending' | 'failed' | 'terminating' | { readonly unready: number };

interface Facts {
  readonly uses: readonly Use[];
  /** Default: as many as pods. */
  readonly current?: number;
  /** Per cent of a request of 1000; or an average value in thousandths. */
  readonly percent?: number;
  readonly average?: number;
  readonly isCpu?: boolean;
  readonly podAgeMs?: number;
}

function podOf(use: Use, index: number, ageMs: number): Pod {
  const startTime = formatTime(NOW - ageMs);
  const ready = typeof use === 'object' ? 'False' : 'True';
  const deletionTimestamp = use === 'terminating' ? { deletionTimestamp: formatTime(NOW) } : {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${index}`, ...deletionTimestamp },
    status: {
      phase: use === 'pending' ? 'Pending' : use === 'failed' ? 'Failed' : 'Running',
      startTime,
      conditions: [{ type: 'Ready', status: ready, lastTransitionTime: startTime }],
    },
  };
}

function run({ uses, current = uses.length, percent, average, isCpu = true, podAgeMs = HOUR }: Facts) {
  const pods = uses.map((use, index) => podOf(use, index, podAgeMs));
  const samples = new Map(
    uses.flatMap((use, index): [string, Sample][] => {
      const milli = typeof use === 'object' ? use.unready : use;
      return typeof milli === 'number' ? [[`pod-${index}`, { milli, at: NOW, windowMs: 15_000 }]] : [];
    }),
  );
  const byPod = new Map(pods.map(({ metadata }) => [metadata.name ?? '', 1000]));
  const target: Target =
    average === undefined
      ? { type: 'Utilization', percent: percent ?? 50, requests: { byPod } }
      : { type: 'AverageValue', milli: average };
  return propose({ current, pods, samples, target, isCpu, tolerance: { up: 0.1, down: 0.1 }, now: NOW });
}

function check(facts: Facts, replicas: number): void {
  const proposal = run(facts);
  assert.ok('replicas' in proposal, JSON.stringify(proposal));
  assert.equal(proposal.replicas, replicas);
}

test('pods grow and shrink in proportion to their use', () => {
  check({ uses: [1000, 1000], percent: 50 }, 4);
  check({ uses: [200, 200, 200, 200], percent: 40 }, 2);
  check({ uses: [300, 310], average: 100 }, 7);
});

test('a little more or less than wanted changes nothing', () => {
  check({ uses: [540, 550], percent: 50 }, 2);
  check({ uses: [455, 450], percent: 50 }, 2);
});

test('a pod that is not known uses nothing on the way up, and all it may on the way down', () => {
  check({ uses: [1000, 1000, 'missing'], percent: 50 }, 4);
  check({ uses: [600, 600, 'missing'], percent: 50 }, 3);
  check({ uses: [100, 100, 'missing'], percent: 80 }, 2);
  check({ uses: [300, 300, 'missing'], percent: 50 }, 3);
});

test('a pod that is not ready yet is counted as idle when it grows, and not at all when it shrinks', () => {
  check({ uses: [1000, 1000, { unready: 1000 }], percent: 50 }, 4);
  check({ uses: [1000, 1000, 'pending'], percent: 50 }, 4);
  check({ uses: [100, 100, { unready: 1000 }], percent: 50, current: 3 }, 1);
});

test('memory is believed from the first sample on', () => {
  check({ uses: [1000, { unready: 1000 }], percent: 50, isCpu: false }, 4);
});

test('a pod that has just become ready is not asked for its processor time before a window has passed', () => {
  check({ uses: [1000, 1000], percent: 50, podAgeMs: 15_000 }, 4);
  assert.deepEqual(run({ uses: [1000], percent: 50, podAgeMs: 14_000 }), {
    problem: 'did not receive metrics for targeted pods (pods might be unready)',
  });
});

test('pods that are ending do not count', () => {
  check({ uses: [1000, 'failed', 'terminating'], percent: 50, current: 1 }, 2);
});

test('what makes a proposal impossible is said', () => {
  const problem = (facts: Facts) => {
    const proposal = run(facts);
    return 'problem' in proposal ? proposal.problem : '';
  };
  assert.match(problem({ uses: [] }), /no pods returned by selector/);
  assert.match(problem({ uses: ['missing', 'missing'] }), /no metrics returned/);
});

const use = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 4000 }) },
  fc.constantFrom<Use[]>('missing', 'pending', 'failed', 'terminating'),
  fc.integer({ min: 0, max: 4000 }).map((unready) => ({ unready })),
);

test('what is not known never makes a change greater, and never turns it around', () => {
  fc.assert(
    fc.property(fc.array(use, { minLength: 1, maxLength: 12 }), fc.integer({ min: 10, max: 200 }), (uses, percent) => {
      const proposal = run({ uses, percent });
      if (!('replicas' in proposal)) return;
      const { replicas } = proposal;
      const known = uses.filter((each) => typeof each === 'number');
      const percents = known.reduce((sum, each) => sum + each, 0) / 10;
      // As many as would bring what is known to the target, if nobody else used anything.
      assert.ok(replicas <= Math.max(uses.length, Math.ceil(percents / percent)), `${replicas} at most`);
      if (percents / known.length < percent * 0.8) assert.ok(replicas <= uses.length, `${replicas} of ${uses.length}`);
    }),
  );
});

test('with every pod known the size is what brings the average to the target', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 4000 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 10, max: 200 }),
      (uses, percent) => {
        const proposal = run({ uses, percent });
        assert.ok('replicas' in proposal);
        const total = uses.reduce((sum, each) => sum + each, 0);
        const utilization = Math.trunc(total / 10 / uses.length);
        const ratio = utilization / percent;
        const expected = ratio >= 0.9 && ratio <= 1.1 ? uses.length : Math.ceil(ratio * uses.length);
        assert.equal(proposal.replicas, expected);
      },
    ),
  );
});
