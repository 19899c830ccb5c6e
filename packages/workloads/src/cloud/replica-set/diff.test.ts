import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, PodCondition, ReplicaSet } from '@skerry/api/types';
import fc from 'fast-check';
import { diffReplicaSet, MAX_BURST, replicaSetStatus } from './diff.ts';

const NOW = Date.UTC(2026, 0, 1);

interface PodFacts {
  readonly name: string;
  readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
  readonly node?: string;
  /** Seconds before now. */
  readonly readyFor?: number;
  readonly age?: number;
  readonly going?: boolean;
  readonly cost?: string;
  readonly restarts?: number;
  readonly labels?: Record<string, string>;
}

function podOf({ name, phase = 'Running', node, readyFor, age = 100, going, cost, restarts, labels }: PodFacts): Pod {
  const at = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();
  const ready: PodCondition[] =
    readyFor === undefined ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: at(readyFor) }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      creationTimestamp: at(age),
      ...(labels === undefined ? {} : { labels }),
      ...(going === true ? { deletionTimestamp: at(0) } : {}),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [], ...(node === undefined ? {} : { nodeName: node }) },
    status: {
      phase,
      conditions: ready,
      ...(restarts === undefined
        ? {}
        : { containerStatuses: [{ name: 'a', image: '', imageID: '', ready: true, restartCount: restarts }] }),
    },
  };
}

function setOf(replicas: number, more: Partial<ReplicaSet> = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', generation: 3 },
    spec: { replicas, template: { metadata: { labels: { app: 'web' } } } },
    ...more,
  };
}

/** Compares what a ReplicaSet of `replicas` does about `pods`. */
function check(
  replicas: number,
  pods: readonly PodFacts[],
  expected: { readonly create?: number; readonly remove?: readonly string[] },
  neighbours: Readonly<Record<string, number>> = {},
): void {
  const diff = diffReplicaSet(setOf(replicas), pods.map(podOf), ({ spec }) => neighbours[spec?.nodeName ?? ''] ?? 0);
  assert.deepEqual(
    { create: diff.create, remove: diff.remove.map(({ metadata }) => metadata.name) },
    { create: expected.create ?? 0, remove: expected.remove ?? [] },
  );
}

test('pods that are missing are made', () => check(3, [{ name: 'a' }], { create: 2 }));

test('pods that ended or are going do not count', () =>
  check(
    2,
    [{ name: 'a' }, { name: 'b', phase: 'Failed' }, { name: 'c', phase: 'Succeeded' }, { name: 'd', going: true }],
    {
      create: 1,
    },
  ));

test('no more than a burst is made at once', () => check(2000, [], { create: MAX_BURST }));

test('a pod without a node goes before one with', () =>
  check(
    1,
    [
      { name: 'a', node: 'n', phase: 'Pending' },
      { name: 'b', phase: 'Pending' },
    ],
    { remove: ['b'] },
  ));

test('a pending pod goes before a running one', () =>
  check(
    1,
    [
      { name: 'a', node: 'n' },
      { name: 'b', node: 'n', phase: 'Pending' },
    ],
    { remove: ['b'] },
  ));

test('a pod that is not ready goes before one that is', () =>
  check(
    1,
    [
      { name: 'a', node: 'n', readyFor: 10 },
      { name: 'b', node: 'n' },
    ],
    { remove: ['b'] },
  ));

test('of two ready ones the cheaper goes', () =>
  check(
    1,
    [
      { name: 'a', node: 'n', readyFor: 9, cost: '1' },
      { name: 'b', node: 'n', readyFor: 10, cost: '-1' },
    ],
    {
      remove: ['b'],
    },
  ));

test('then the one whose node has more of the kind', () =>
  check(
    2,
    [
      { name: 'a', node: 'full', readyFor: 99 },
      { name: 'b', node: 'full', readyFor: 98 },
      { name: 'c', node: 'free', readyFor: 1 },
    ],
    { remove: ['b'] },
    { full: 2, free: 1 },
  ));

test('then the one that was ready for a shorter time, then the one that restarted more, then the younger', () => {
  check(
    1,
    [
      { name: 'a', node: 'n', readyFor: 9 },
      { name: 'b', node: 'n', readyFor: 8 },
    ],
    { remove: ['b'] },
  );
  check(
    1,
    [
      { name: 'a', node: 'n', readyFor: 9, restarts: 1 },
      { name: 'b', node: 'n', readyFor: 9, restarts: 2 },
    ],
    {
      remove: ['b'],
    },
  );
  check(
    1,
    [
      { name: 'a', node: 'n', readyFor: 9, age: 50 },
      { name: 'b', node: 'n', readyFor: 9, age: 40 },
    ],
    {
      remove: ['b'],
    },
  );
});

test('applying the difference makes the number right, in one step when it is within a burst', () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 20 }),
      fc.array(
        fc.record({
          name: fc.uuid(),
          phase: fc.constantFrom('Pending' as const, 'Running' as const, 'Failed' as const),
          going: fc.boolean(),
        }),
        { maxLength: 20 },
      ),
      (replicas, facts) => {
        const pods = facts.map(podOf);
        const { create, remove } = diffReplicaSet(setOf(replicas), pods);
        const active = pods.filter(
          ({ metadata, status }) => status?.phase !== 'Failed' && metadata.deletionTimestamp === undefined,
        );
        assert.equal(active.length + create - remove.length, replicas);
        assert.ok(create === 0 || remove.length === 0);
        assert.ok(remove.every((pod) => active.includes(pod)));
      },
    ),
  ));

function checkStatus(
  input: { readonly minReadySeconds?: number; readonly pods: readonly PodFacts[]; readonly lost?: string },
  expected: object,
): void {
  const replicaSet = setOf(3);
  const { status, recheckAfterMs } = replicaSetStatus({
    replicaSet: { ...replicaSet, spec: { ...replicaSet.spec, minReadySeconds: input.minReadySeconds ?? 0 } },
    pods: input.pods.map(podOf),
    now: NOW,
    isReachable: ({ spec }) => input.lost === undefined || spec?.nodeName !== input.lost,
    failure: undefined,
  });
  assert.deepEqual({ ...status, recheckAfterMs }, { observedGeneration: 3, ...expected });
}

test('status counts what is there, labelled, ready and available', () =>
  checkStatus(
    {
      minReadySeconds: 10,
      pods: [
        { name: 'a', readyFor: 10, labels: { app: 'web', more: 'x' } },
        { name: 'b', readyFor: 4, labels: { app: 'other' } },
        { name: 'c' },
        { name: 'd', readyFor: 100, going: true },
      ],
    },
    { replicas: 3, fullyLabeledReplicas: 1, readyReplicas: 2, availableReplicas: 1, recheckAfterMs: 6000 },
  ));

test('a pod on a node that is not heard of stays a replica, but nobody counts on it', () =>
  checkStatus(
    {
      pods: [
        { name: 'a', node: 'lost', readyFor: 10 },
        { name: 'b', node: 'n', readyFor: 10 },
      ],
      lost: 'lost',
    },
    { replicas: 2, fullyLabeledReplicas: 0, readyReplicas: 1, availableReplicas: 1, recheckAfterMs: undefined },
  ));
