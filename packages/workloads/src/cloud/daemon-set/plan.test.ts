import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControllerRevision, DaemonSet, DaemonSetSpec, Node, Pod, Taint } from '@skerry/api/types';
import fc from 'fast-check';
import { diffHistory, hashOf, REVISION_HASH } from '../revisions.ts';
import { fitNode, nodeOfPod, pinnedSpec } from './node-fit.ts';
import { DAEMON_SET, limitsOf, planDaemons } from './plan.ts';

const NOW = Date.UTC(2026, 0, 1);

function daemonSetOf(spec: Partial<DaemonSetSpec> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'log', namespace: 'shop', uid: 'u', generation: 1 },
    spec: { template: { metadata: { labels: { app: 'log' } }, spec: { containers: [] } }, ...spec },
  };
}

function nodeOf(name: string, taints: readonly Taint[] = [], labels: Record<string, string> = {}): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: { taints: [...taints] } };
}

/** `node:new`, `node:old!` not ready, `node:old~` on its way out, `node:new#` failed; a second colon numbers them. */
function podOf(text: string): Pod {
  const [, node = '', generation = '', mark = ''] = /^(\w+):(new|old)\d?([!~#]?)$/.exec(text) ?? [];
  const age = text.includes('old') ? 10 : 5;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: text,
      labels: { [REVISION_HASH]: generation },
      creationTimestamp: new Date(NOW - age * 1000).toISOString(),
      ...(mark === '~' ? { deletionTimestamp: new Date(NOW).toISOString() } : {}),
    },
    spec: { containers: [], nodeName: node },
    status: {
      phase: mark === '#' ? 'Failed' : 'Running',
      conditions: [{ type: 'Ready', status: mark === '' ? 'True' : 'False' }],
    },
  };
}

function check(
  input: { spec?: Partial<DaemonSetSpec>; nodes: readonly (string | Node)[]; pods: readonly string[] },
  expected: { create?: string[]; remove?: string[] },
) {
  const plan = planDaemons({
    daemonSet: daemonSetOf(input.spec),
    nodes: input.nodes.map((node) => (typeof node === 'string' ? nodeOf(node) : node)),
    pods: input.pods.map(podOf),
    hash: 'new',
    now: NOW,
    isReachable: () => true,
    cutOffNode: () => undefined,
  });
  const removed = plan.remove.map(({ metadata }) => metadata.name);
  assert.deepEqual({ create: plan.create, remove: removed }, { create: [], remove: [], ...expected });
  return plan;
}

test('a node without a pod gets one', () => {
  check({ nodes: ['a', 'b'], pods: ['a:new'] }, { create: ['b'] });
});

test('a pod on its way out keeps its place until it is gone', () => {
  check({ nodes: ['a'], pods: ['a:old~'] }, {});
});

test('of two pods on a node the older one stays', () => {
  check({ nodes: ['a'], pods: ['a:new', 'a:old'] }, { remove: ['a:new'] });
});

test('a pod that ended goes, to be made anew', () => {
  const { ended } = check({ nodes: ['a'], pods: ['a:new#'] }, { remove: ['a:new#'] });
  assert.equal(ended.length, 1);
});

test('a node with a taint that is not tolerated gets no pod; only NoExecute sends one away', () => {
  const noSchedule = nodeOf('a', [{ key: 'mine', effect: 'NoSchedule' }]);
  const noExecute = nodeOf('a', [{ key: 'mine', effect: 'NoExecute' }]);
  check({ nodes: [noSchedule], pods: [] }, {});
  check({ nodes: [noSchedule], pods: ['a:new'] }, {});
  check({ nodes: [noExecute], pods: ['a:new'] }, { remove: ['a:new'] });
});

test('daemons stand a node in trouble', () => {
  const taints: Taint[] = [
    { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
    { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' },
  ];
  check({ nodes: [nodeOf('a', taints)], pods: [] }, { create: ['a'] });
});

test('a node selector says where daemons run', () => {
  const template = { spec: { containers: [], nodeSelector: { zone: 'sea' } } };
  check({ spec: { template }, nodes: [nodeOf('a', [], { zone: 'sea' }), 'b'], pods: [] }, { create: ['a'] });
});

test('a new template replaces one pod after the other', () => {
  check({ nodes: ['a', 'b'], pods: ['a:old', 'b:old'] }, { remove: ['a:old'] });
  check({ nodes: ['a', 'b'], pods: ['a:old~', 'b:old'] }, {});
  check({ nodes: ['a', 'b'], pods: ['a:new!', 'b:old'] }, {});
  check({ nodes: ['a', 'b'], pods: ['a:new', 'b:old'] }, { remove: ['b:old'] });
});

test('a pod that does not serve is replaced whatever the limit', () => {
  check({ nodes: ['a', 'b'], pods: ['a:old!', 'b:old!'] }, { remove: ['a:old!', 'b:old!'] });
});

test('with OnDelete a new template waits for whoever deletes the pods', () => {
  check({ spec: { updateStrategy: { type: 'OnDelete' } }, nodes: ['a'], pods: ['a:old'] }, {});
});

test('with a surge the new pod comes before the old one goes', () => {
  const spec: Partial<DaemonSetSpec> = { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };
  check({ spec, nodes: ['a', 'b'], pods: ['a:old', 'b:old'] }, { create: ['a'] });
  check({ spec, nodes: ['a', 'b'], pods: ['a:old', 'a:new!', 'b:old'] }, {});
  check({ spec, nodes: ['a', 'b'], pods: ['a:old', 'a:new', 'b:old'] }, { create: ['b'], remove: ['a:old'] });
});

test('status counts nodes, not pods', () => {
  const tainted = nodeOf('c', [{ key: 'mine', effect: 'NoSchedule' }]);
  const { status } = check({ nodes: ['a', 'b', tainted], pods: ['a:new', 'b:old!', 'c:old'] }, { remove: ['b:old!'] });
  assert.deepEqual(status, {
    currentNumberScheduled: 2,
    numberMisscheduled: 1,
    desiredNumberScheduled: 2,
    numberReady: 1,
    observedGeneration: 1,
    updatedNumberScheduled: 1,
    numberAvailable: 1,
    numberUnavailable: 1,
  });
});

test('a pinned pod fits its node, says so, and no other node', () => {
  const spec = pinnedSpec({ containers: [], nodeSelector: { zone: 'sea' } }, 'a');
  const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec };
  assert.equal(nodeOfPod(pod), 'a');
  const daemonSet = daemonSetOf({ template: { spec: { ...spec, nodeSelector: {} } } });
  assert.equal(fitNode(daemonSet, nodeOf('a')).shouldRun, true);
  assert.equal(fitNode(daemonSet, nodeOf('b')).shouldRun, false);
});

test('a rollout ends on every node, and never has more daemons missing than allowed', () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.record({ maxUnavailable: fc.integer({ min: 0, max: 3 }), maxSurge: fc.integer({ min: 0, max: 2 }) }),
      (count, rollingUpdate) => {
        const daemonSet = daemonSetOf({ updateStrategy: { rollingUpdate } });
        const names = Array.from({ length: count }, (_, index) => `n${index}`);
        const nodes = names.map((name) => nodeOf(name));
        let pods = names.map((name) => podOf(`${name}:old`));
        const limits = limitsOf(daemonSet, count);
        const world = () => ({
          daemonSet,
          nodes,
          pods,
          hash: 'new',
          now: NOW,
          isReachable: () => true,
          cutOffNode: () => undefined,
        });
        for (let round = 0; round < 60; round++) {
          const { create, remove, status } = planDaemons(world());
          assert.ok((status.numberUnavailable ?? 0) <= Math.max(limits.unavailable, 0));
          pods = pods.filter((pod) => !remove.includes(pod));
          pods.push(...create.map((name) => podOf(`${name}:new`)));
        }
        assert.equal(pods.length, count);
        assert.deepEqual(
          new Set(pods.map(({ metadata }) => metadata.name)),
          new Set(names.map((name) => `${name}:new`)),
        );
      },
    ),
  ));

test('each template is a revision; an old one that comes back becomes the newest', () => {
  const first = daemonSetOf();
  const one = historyOf(first, [], []);
  assert.deepEqual([one.create, one.current.revision], [true, 1]);
  const second = daemonSetOf({ template: { spec: { containers: [{ name: 'a', image: 'v2' }] } } });
  const two = historyOf(second, [one.current], []);
  assert.deepEqual([two.create, two.current.revision], [true, 2]);
  const back = historyOf(first, [one.current, two.current], []);
  assert.deepEqual([back.create, back.renumber, back.current.metadata.name], [false, 3, one.current.metadata.name]);
});

test('history beyond the limit goes, unless a pod still runs it', () => {
  const history = Array.from({ length: 4 }, (_, index) => {
    const template = { spec: { containers: [{ name: 'a', image: `v${index}` }] } };
    return historyOf(daemonSetOf({ template }), [], []).current;
  }).map((revision, index) => ({ ...revision, revision: index + 1 }));
  const daemonSet = daemonSetOf({ revisionHistoryLimit: 1 });
  const [oldest] = history;
  const pod: Pod = { ...podOf('a:old'), metadata: { labels: oldest?.metadata.labels ?? {} } };
  assert.deepEqual(
    historyOf(daemonSet, history, [pod]).remove.map(({ revision }) => revision),
    [2, 3],
  );
});

function historyOf(owner: DaemonSet, revisions: readonly ControllerRevision[], pods: readonly Pod[]) {
  const inUse = new Set(pods.map(hashOf));
  return diffHistory({ owner, gvk: DAEMON_SET, revisions, isInUse: (revision) => inUse.has(hashOf(revision)) });
}
