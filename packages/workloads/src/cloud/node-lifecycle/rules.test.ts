import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, Taint, Toleration } from '@skerry/api/types';
import { AUTONOMY_DURATION, EDGE_LABEL, parseAutonomy } from './autonomy.ts';
import { evictionTime } from './eviction.ts';
import { planTaints } from './taints.ts';

const NOW = Date.UTC(2026, 0, 1);

interface NodeFacts {
  readonly ready?: 'True' | 'False' | 'Unknown';
  /** Seconds since it has been so. */
  readonly since?: number;
  readonly edge?: boolean;
  readonly autonomy?: string;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  readonly pressure?: string;
}

function nodeOf({
  ready = 'Unknown',
  since = 0,
  edge = true,
  autonomy,
  taints = [],
  unschedulable,
  pressure,
}: NodeFacts): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: 'islet',
      labels: edge ? { [EDGE_LABEL]: 'true' } : {},
      annotations: autonomy === undefined ? {} : { [AUTONOMY_DURATION]: autonomy },
    },
    spec: { taints: [...taints], ...(unschedulable === undefined ? {} : { unschedulable }) },
    status: {
      conditions: [
        { type: 'Ready', status: ready, lastTransitionTime: new Date(NOW - since * 1000).toISOString() },
        ...(pressure === undefined ? [] : [{ type: pressure, status: 'True' }]),
      ],
    },
  };
}

/** Compares the taints a node should have, as `key:effect` with the common prefix left out, and when to look again. */
function checkTaints(facts: NodeFacts, expected: readonly string[] | undefined, recheckAfterMs?: number): void {
  const node = nodeOf(facts);
  const plan = planTaints(node, node.status?.conditions ?? [], NOW);
  const shown = plan.taints?.map(({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`);
  assert.deepEqual(shown, expected);
  assert.equal(plan.recheckAfterMs, recheckAfterMs);
}

test('a node that is ready has no taints of ours', () => {
  checkTaints({ ready: 'True' }, undefined);
  checkTaints({ ready: 'True', taints: [{ key: 'mine', effect: 'NoExecute' }] }, undefined);
  checkTaints({ ready: 'True', taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] }, []);
});

test('a plain node that is lost takes no new pods, and gives up those it has', () => {
  checkTaints({ edge: false }, ['unreachable:NoSchedule', 'unreachable:NoExecute']);
  checkTaints({ edge: false, ready: 'False' }, ['not-ready:NoSchedule', 'not-ready:NoExecute']);
});

test('an edge node that is lost takes no new pods and keeps those it has, without limit', () =>
  checkTaints({ since: 30 * 86_400 }, ['unreachable:NoSchedule']));

test('an edge node with a limit keeps its pods until then', () => {
  checkTaints({ autonomy: '5m', since: 299 }, ['unreachable:NoSchedule'], 1000);
  checkTaints({ autonomy: '5m', since: 300 }, ['unreachable:NoSchedule', 'unreachable:NoExecute']);
});

test('an edge node with autonomy 0 is a plain node', () =>
  checkTaints({ autonomy: '0' }, ['unreachable:NoSchedule', 'unreachable:NoExecute']));

test('pressure and cordoning keep new pods away', () => {
  checkTaints({ ready: 'True', pressure: 'DiskPressure' }, ['disk-pressure:NoSchedule']);
  checkTaints({ ready: 'True', unschedulable: true }, ['unschedulable:NoSchedule']);
});

test('durations are read as people write them, and what cannot be read gives up nothing', () => {
  const cases = { '0': 0, '90s': 90_000, '5m': 300_000, '1h30m': 5_400_000, '0.5s': 500, '2d': 172_800_000 };
  for (const [text, milliseconds] of Object.entries(cases)) assert.equal(parseAutonomy(text), milliseconds, text);
  for (const text of [undefined, '', 'soon', '5', '-5m', '5m!'])
    assert.equal(parseAutonomy(text), Number.POSITIVE_INFINITY, text);
});

interface PodFacts {
  readonly tolerations?: readonly Toleration[];
  readonly autonomy?: string;
}

/** Compares in how many seconds from now the pod is to leave the node. */
function checkEviction(node: NodeFacts, { tolerations = [], autonomy }: PodFacts, expected: number | undefined): void {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', annotations: autonomy === undefined ? {} : { [AUTONOMY_DURATION]: autonomy } },
    spec: { containers: [], tolerations: [...tolerations] },
  };
  const time = evictionTime(pod, nodeOf(node), NOW);
  assert.equal(time === undefined ? undefined : (time - NOW) / 1000, expected);
}

const FOREVER: readonly Toleration[] = ['not-ready', 'unreachable'].map((key) => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect: 'NoExecute',
}));

const DEFAULTS: readonly Toleration[] = FOREVER.map((toleration) => ({ ...toleration, tolerationSeconds: 300 }));

const lost = (secondsAgo: number): readonly Taint[] => [
  {
    key: 'node.kubernetes.io/unreachable',
    effect: 'NoExecute',
    timeAdded: new Date(NOW - secondsAgo * 1000).toISOString(),
  },
];

test('on a plain node patience counts from when the taint came', () => {
  checkEviction({ edge: false, taints: lost(100) }, { tolerations: DEFAULTS }, 200);
  checkEviction({ edge: false, taints: lost(100) }, {}, -100);
  checkEviction({ edge: false, taints: lost(100) }, { tolerations: FOREVER }, undefined);
  checkEviction({ edge: false }, {}, undefined);
});

test('the shortest patience counts, and one taint that is not tolerated is enough', () => {
  const mine: Taint = { key: 'mine', effect: 'NoExecute' };
  const minute: Toleration = { key: 'mine', operator: 'Exists', tolerationSeconds: 60 };
  checkEviction({ edge: false, taints: [mine, ...lost(0)] }, { tolerations: [...DEFAULTS, minute] }, 60);
  checkEviction({ edge: false, taints: [mine, ...lost(0)] }, { tolerations: DEFAULTS }, 0);
});

test('a pod of an autonomous node stays, however long the node is lost', () =>
  checkEviction({ since: 1_000_000 }, { tolerations: DEFAULTS }, undefined));

test('a pod of an edge node with a limit leaves when the limit is over, not later', () => {
  checkEviction({ autonomy: '5m', since: 100 }, { tolerations: DEFAULTS }, 200);
  checkEviction({ autonomy: '1m', since: 100, taints: lost(40) }, { tolerations: DEFAULTS }, -40);
  checkEviction({ autonomy: '5m', since: 1000, taints: lost(700) }, { tolerations: FOREVER }, undefined);
});

test("a pod's own word goes before its node's", () => {
  checkEviction({ since: 100 }, { autonomy: '5m', tolerations: DEFAULTS }, 200);
  checkEviction(
    { autonomy: '0', since: 100, taints: lost(100) },
    { autonomy: 'forever', tolerations: DEFAULTS },
    undefined,
  );
  checkEviction({ since: 100 }, { autonomy: '0', tolerations: DEFAULTS }, 200);
  checkEviction({ edge: false, taints: lost(100) }, { autonomy: 'forever', tolerations: DEFAULTS }, 200);
});

test('other NoExecute taints work at the edge as anywhere', () =>
  checkEviction({ ready: 'True', taints: [{ key: 'mine', effect: 'NoExecute' }] }, { tolerations: DEFAULTS }, 0));
