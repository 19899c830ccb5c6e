import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ImagePull, ImagePullSpec, ImagePullStatus, ImagePullTask, PullPhase } from '../../image-kinds/index.ts';
import { formatTime } from '../timestamps.ts';
import { MAX_SHOWN_PULLS, type PullPlan, planPull } from './plan.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');

interface Case {
  readonly nodes?: readonly string[];
  /** Phase by node, for those that have a task; `old` marks what is said of an earlier spec. */
  readonly tasks?: Readonly<Record<string, PullPhase | 'old'>>;
  readonly away?: readonly string[];
  readonly spec?: Partial<ImagePullSpec>;
  readonly status?: Partial<ImagePullStatus>;
}

function planOf({ nodes = [], tasks = {}, away = [], spec = {}, status = {} }: Case): PullPlan {
  const pull: ImagePull = {
    apiVersion: 'apps.skerry.io/v1alpha1',
    kind: 'ImagePull',
    metadata: { name: 'web', namespace: 'shop', generation: 1 },
    spec: { images: ['web:1'], ...spec },
    status: { observedGeneration: 1, nodes, ...status },
  };
  const known = Object.entries(tasks).map(([node, phase]) => taskOf(node, phase));
  return planPull({ pull, tasks: known, isReachable: (node) => !away.includes(node), now: NOW });
}

function taskOf(nodeName: string, phase: PullPhase | 'old'): ImagePullTask {
  return {
    apiVersion: 'apps.skerry.io/v1alpha1',
    kind: 'ImagePullTask',
    metadata: { name: `web-${nodeName}`, namespace: 'shop', generation: 2 },
    spec: { nodeName, images: ['web:1'] },
    status:
      phase === 'old'
        ? { observedGeneration: 1, phase: 'Pulled' }
        : { observedGeneration: 2, phase, images: [{ image: 'web:1', phase }] },
  };
}

interface Expected {
  readonly create?: readonly string[];
  readonly remove?: readonly string[];
  readonly cancel?: readonly string[];
  /** desired, pulled, pulling, failed. */
  readonly counts?: readonly number[];
  readonly complete?: string;
  readonly recheckAfterMs?: number;
}

function check(given: Case, expected: Expected): void {
  const { create, remove, update, status, recheckAfterMs } = planOf(given);
  const complete = status.conditions?.find(({ type }) => type === 'Complete');
  const found: Required<Expected> = {
    create: create.map(({ nodeName }) => nodeName),
    remove: remove.map(({ spec }) => spec.nodeName),
    cancel: update.filter(({ spec }) => spec.cancelled).map(({ spec }) => spec.nodeName),
    counts: [status.desired ?? 0, status.pulled ?? 0, status.pulling ?? 0, status.failed ?? 0],
    complete: `${complete?.status} ${complete?.reason}`,
    recheckAfterMs: recheckAfterMs ?? 0,
  };
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(found[name as keyof Expected], value, name);
}

test('a placement that chooses nobody waits', () =>
  check({}, { create: [], counts: [0, 0, 0, 0], complete: 'False NoNodes' }));

test('so many nodes begin as may pull at once', () =>
  check(
    { nodes: ['a', 'b', 'c'], spec: { concurrency: 2 } },
    { create: ['a', 'b'], counts: [3, 0, 0, 0], complete: 'False NodesAway' },
  ));

test('the next begins when one is done, well or not', () => {
  const spec = { concurrency: 2 };
  const nodes = ['a', 'b', 'c', 'd'];
  check({ nodes, spec, tasks: { a: 'Pulling', b: 'Pending' } }, { create: [], counts: [4, 0, 2, 0] });
  check({ nodes, spec, tasks: { a: 'Pulled', b: 'Pulling' } }, { create: ['c'], counts: [4, 1, 1, 0] });
  check({ nodes, spec, tasks: { a: 'Pulled', b: 'Failed' } }, { create: ['c', 'd'], counts: [4, 1, 0, 1] });
});

test('a node that is away is waited for, and takes no place', () =>
  check(
    { nodes: ['a', 'b', 'c'], spec: { concurrency: 1 }, tasks: { a: 'Pulling' }, away: ['a', 'b'] },
    { create: ['c'], counts: [3, 0, 0, 0], complete: 'False NodesAway' },
  ));

test('it is complete when every node holds the images', () =>
  check(
    { nodes: ['a', 'b'], tasks: { a: 'Pulled', b: 'Pulled' } },
    { counts: [2, 2, 0, 0], complete: 'True AllPulled' },
  ));

test('it says that nodes failed once none is left to wait for', () => {
  check({ nodes: ['a', 'b'], tasks: { a: 'Failed', b: 'Pulling' } }, { complete: 'False Pulling' });
  check({ nodes: ['a', 'b'], tasks: { a: 'Failed', b: 'Pulled' } }, { complete: 'False PullsFailed' });
});

test('what a node said of an earlier spec does not count', () =>
  check({ nodes: ['a'], tasks: { a: 'old' } }, { counts: [1, 0, 1, 0], complete: 'False Pulling' }));

test('a node that the placement no longer chooses loses its task', () =>
  check({ nodes: ['a'], tasks: { a: 'Pulled', z: 'Pulling' } }, { remove: ['z'], counts: [1, 1, 0, 0] }));

test('tasks follow the images', () => {
  const { update } = planOf({ nodes: ['a'], tasks: { a: 'Pulled' }, spec: { images: ['web:2'] } });
  assert.deepEqual(
    update.map(({ spec }) => spec),
    [{ nodeName: 'a', images: ['web:2'] }],
  );
});

test('at the deadline nodes that are not done are given up, and nobody begins', () => {
  const spec = { activeDeadlineSeconds: 60 };
  const nodes = ['a', 'b', 'c'];
  const tasks = { a: 'Pulled', b: 'Pulling' } as const;
  const startedAgo = (ms: number) => ({ startTime: formatTime(NOW - ms) });
  check({ nodes, spec, tasks, status: startedAgo(20_000) }, { create: ['c'], cancel: [], recheckAfterMs: 40_000 });
  check(
    { nodes, spec, tasks, status: startedAgo(60_000) },
    { create: [], cancel: ['b'], counts: [3, 1, 0, 2], complete: 'False DeadlineExceeded', recheckAfterMs: 0 },
  );
});

test('a new spec has its whole time before it', () =>
  check(
    {
      nodes: ['a'],
      tasks: { a: 'Pulling' },
      spec: { activeDeadlineSeconds: 60 },
      status: { observedGeneration: 0, startTime: formatTime(NOW - 90_000) },
    },
    { cancel: [], recheckAfterMs: 60_000 },
  ));

test('a status for many nodes shows failures first and stays small', () => {
  const nodes = Array.from({ length: 400 }, (_, index) => `n${index}`);
  const tasks = Object.fromEntries(nodes.map((node) => [node, 'Pulled' as PullPhase]));
  const { status } = planOf({ nodes, tasks: { ...tasks, n399: 'Failed', n398: 'Pulling' } });
  assert.equal(status.pulls?.length, MAX_SHOWN_PULLS);
  assert.deepEqual(
    status.pulls?.slice(0, 3).map(({ node, phase }) => [node, phase]),
    [
      ['n399', 'Failed'],
      ['n398', 'Pulling'],
      ['n0', 'Pulled'],
    ],
  );
});

test('whatever nodes do, no more begin than may, and a plan for what it planned changes nothing', () =>
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')),
      fc.dictionary(
        fc.constantFrom('a', 'b', 'c', 'd', 'z'),
        fc.constantFrom<PullPhase>('Pending', 'Pulling', 'Pulled', 'Failed'),
      ),
      fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')),
      fc.integer({ min: 1, max: 4 }),
      (nodes, tasks, away, concurrency) => {
        const { create, status } = planOf({ nodes, tasks, away, spec: { concurrency } });
        assert.ok(create.length === 0 || create.length + (status.pulling ?? 0) <= concurrency);
        const begun = Object.fromEntries(create.map(({ nodeName }) => [nodeName, 'Pending' as PullPhase]));
        const kept = Object.fromEntries(
          Object.entries({ ...tasks, ...begun }).filter(([node]) => nodes.some((each) => each === node)),
        );
        const next = planOf({ nodes, tasks: kept, away, spec: { concurrency } });
        assert.deepEqual([next.create, next.remove, next.update], [[], [], []]);
      },
    ),
  ));
