import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, PodDisruptionBudget, PriorityClass } from '@skerry/api/types';
import { PODS } from '../resources.ts';
import { scratchCloud } from '../testing/scratch-cloud.ts';
import { Cluster } from './cluster.ts';
import { runScheduler } from './index.ts';
import { planPreemption } from './preempt.ts';
import { fitsOn } from './schedule.ts';

interface Placed {
  readonly node: string;
  readonly priority: number;
  readonly cpu: string;
  readonly labels?: Record<string, string>;
}

const NODE = (name: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { allocatable: { cpu: '2', memory: '1Gi', pods: '10' } },
});

const podOf = (name: string, { priority, cpu, labels = {} }: Omit<Placed, 'node'>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', uid: name, labels, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { priority, containers: [{ name: 'main', image: 'host', resources: { requests: { cpu } } }] },
});

/** Who must go for a pod of priority 10 with one CPU. */
function check(
  placed: Readonly<Record<string, Placed>>,
  expected: string | undefined,
  { budgets = [], spec = {} }: { budgets?: PodDisruptionBudget[]; spec?: Partial<Pod['spec']> } = {},
): void {
  const cluster = new Cluster();
  for (const name of new Set(Object.values(placed).map(({ node }) => node))) cluster.setNode(NODE(name));
  for (const [name, each] of Object.entries(placed)) cluster.place(podOf(name, each), each.node);
  const before = cluster.views().map(({ requested }) => [...requested]);
  const wanted = podOf('wanted', { priority: 10, cpu: '1' });
  const pod = { ...wanted, spec: { containers: [], ...wanted.spec, ...spec } };
  const plan = planPreemption({ pod, cluster, fits: (node) => fitsOn(node, pod, cluster), budgets });
  const said =
    plan &&
    `${plan.node}: ${plan.victims
      .map(({ metadata }) => metadata.name)
      .sort((a = '', b = '') => (a < b ? -1 : 1))
      .join()}`;
  assert.equal(said, expected);
  assert.deepEqual(
    cluster.views().map(({ requested }) => [...requested]),
    before,
  );
}

test('only as many go as must, the least important first', () => {
  check({ one: { node: 'a', priority: 5, cpu: '1' }, two: { node: 'a', priority: 1, cpu: '1' } }, 'a: two');
});

test('the node whose victims matter least is chosen', () => {
  check({ one: { node: 'a', priority: 5, cpu: '2' }, two: { node: 'b', priority: 2, cpu: '2' } }, 'b: two');
});

test('pods of the same priority or a higher one stay', () => {
  check({ one: { node: 'a', priority: 10, cpu: '2' }, two: { node: 'b', priority: 11, cpu: '2' } }, undefined);
});

test('who never preempts waits', () => {
  check({ one: { node: 'a', priority: 1, cpu: '2' } }, undefined, { spec: { preemptionPolicy: 'Never' } });
});

test('a pod that a budget protects goes only where there is no other way', () => {
  const budget: PodDisruptionBudget = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b', namespace: 'shop' },
    spec: { selector: { matchLabels: { app: 'db' } }, minAvailable: 1 },
    status: { disruptionsAllowed: 0 },
  };
  const db: Placed = { node: 'a', priority: 1, cpu: '2', labels: { app: 'db' } };
  check({ db, other: { node: 'b', priority: 5, cpu: '2' } }, 'b: other', { budgets: [budget] });
  check({ db }, 'a: db', { budgets: [budget] });
});

test('the victims end, say why, and the room is kept for the one that made it', async () => {
  await using cloud = await scratchCloud();
  const { client, context, clock, calm } = cloud;
  const classes = { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' };
  const high: PriorityClass = {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'high' },
    value: 100,
  };
  await client.create(classes, high);
  await cloud.client.create({ group: '', version: 'v1', resource: 'nodes' }, NODE('a'));
  const ending = new AbortController();
  const scheduling = runScheduler({
    ...context,
    signal: ending.signal,
    recorder: context.recorder('default-scheduler'),
  });
  const make = async (name: string, more: object = {}) => {
    const containers = [{ name: 'main', image: 'host', resources: { requests: { cpu: '2' } } }];
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop' }, spec: { containers, ...more } };
    await client.create<Pod>(PODS, pod);
    await calm();
  };
  const ref = (name: string) => ({ gvr: PODS, namespace: 'shop', name });
  await make('low');
  assert.equal((await client.get<Pod>(ref('low'))).spec?.nodeName, 'a');
  await make('rival');
  await make('high', { priorityClassName: 'high' });
  const victim = await client.get<Pod>(ref('low'));
  assert.ok(victim.metadata.deletionTimestamp);
  assert.equal(
    victim.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason,
    'PreemptionByScheduler',
  );
  assert.equal((await client.get<Pod>(ref('high'))).status?.nominatedNodeName, 'a');
  await client.delete(ref('low'), { gracePeriodSeconds: 0 });
  await calm();
  await clock.advance(20_000);
  await calm();
  assert.equal((await client.get<Pod>(ref('high'))).spec?.nodeName, 'a');
  assert.equal((await client.get<Pod>(ref('rival'))).spec?.nodeName, undefined);
  ending.abort();
  await scheduling;
});
