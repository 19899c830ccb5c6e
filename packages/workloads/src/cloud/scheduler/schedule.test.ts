import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, PodSpec } from '@skerry/api/types';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { allocatableOf, requestsOf } from '../../fit/requests.ts';
import { Cluster } from './cluster.ts';
import { schedule } from './schedule.ts';

interface NodeFacts {
  readonly labels?: Record<string, string>;
  readonly allocatable?: Record<string, string>;
  readonly spec?: Node['spec'];
}

function node(
  name: string,
  { labels = {}, allocatable = { cpu: '4', memory: '8Gi', pods: '110' }, spec = {} }: NodeFacts = {},
): Node {
  const metadata = { name, labels: { 'kubernetes.io/hostname': name, ...labels } };
  return { apiVersion: 'v1', kind: 'Node', metadata, spec, status: { allocatable } };
}

function pod(name: string, spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { containers: [{ name: 'c' }], ...spec },
  };
}

const asking = (requests: Record<string, string>): Partial<PodSpec> => ({
  containers: [{ name: 'c', resources: { requests } }],
});
const listening = (containerPort: number): Partial<PodSpec> => ({
  containers: [{ name: 'c', ports: [{ containerPort }] }],
});

interface Case {
  readonly nodes: readonly Node[];
  readonly placed?: readonly (readonly [Pod, string])[];
  readonly pod: Pod;
}

/** `expected` is the node's name, or the sentence that says why there is none. */
function check({ nodes, placed = [], pod: wanted }: Case, expected: string): void {
  const cluster = new Cluster();
  for (const each of nodes) cluster.setNode(each);
  for (const [each, on] of placed) cluster.place(each, on);
  const result = schedule(wanted, cluster);
  assert.equal(result.kind === 'fits' ? result.node : result.message, expected);
}

test('a pod goes where there is most room', () =>
  check({ nodes: [node('a'), node('b')], placed: [[pod('x', asking({ cpu: '2' })), 'a']], pod: pod('p') }, 'b'));

test('without nodes the reason says so', () =>
  check({ nodes: [], pod: pod('p') }, 'no nodes available to schedule pods'));

test('every reason is counted, in the words of Kubernetes', () =>
  check(
    {
      nodes: [
        node('a', { allocatable: { cpu: '1', memory: '1Gi', pods: '110' } }),
        node('b', { spec: { unschedulable: true } }),
        node('c', { spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } }),
      ],
      pod: pod('p', asking({ cpu: '2', memory: '2Gi' })),
    },
    '0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had untolerated taint {gpu: yes}, 1 node(s) were unschedulable.',
  ));

test('selectors, affinity and tolerations open the way', () => {
  const gpu = node('gpu', { labels: { pool: 'gpu' }, spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] } });
  const tolerations = [{ key: 'gpu', operator: 'Exists' as const }];
  check({ nodes: [node('a'), gpu], pod: pod('p', { nodeSelector: { pool: 'gpu' }, tolerations }) }, 'gpu');
  const terms = [{ matchExpressions: [{ key: 'pool', operator: 'NotIn' as const, values: ['gpu'] }] }];
  const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } };
  check({ nodes: [gpu, node('a')], pod: pod('p', { affinity, tolerations }) }, 'a');
});

test('extended resources that no node has are named', () =>
  check(
    { nodes: [node('a')], pod: pod('p', asking({ 'nvidia.com/gpu': '1' })) },
    '0/1 nodes are available: 1 Insufficient nvidia.com/gpu.',
  ));

test('on a node of host processes, container ports are host ports', () => {
  const host = node('a', { labels: { 'runtime.skerry.io/process': 'true' } });
  const message = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.";
  check({ nodes: [host], placed: [[pod('x', listening(80)), 'a']], pod: pod('p', listening(80)) }, message);
  check({ nodes: [node('a')], placed: [[pod('x', listening(80)), 'a']], pod: pod('p', listening(80)) }, 'a');
});

test('anti-affinity holds in both directions', () => {
  const term = { labelSelector: { matchLabels: { app: 'db' } }, topologyKey: 'kubernetes.io/hostname' };
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
  const db = (name: string) => pod(name, { affinity }, { app: 'db' });
  check({ nodes: [node('a'), node('b')], placed: [[db('x'), 'a']], pod: db('p') }, 'b');
  check(
    { nodes: [node('a')], placed: [[db('x'), 'a']], pod: pod('p', {}, { app: 'db' }) },
    "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
  );
});

test('affinity follows the other pod, and the first of a group may go anywhere', () => {
  const term = { labelSelector: { matchLabels: { app: 'web' } }, topologyKey: 'zone' };
  const affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
  const nodes = [node('a', { labels: { zone: 'north' } }), node('b', { labels: { zone: 'south' } })];
  check({ nodes, placed: [[pod('x', {}, { app: 'web' }), 'b']], pod: pod('p', { affinity }) }, 'b');
  check({ nodes, pod: pod('p', { affinity }, { app: 'web' }) }, 'a');
  check({ nodes, pod: pod('p', { affinity }) }, "0/2 nodes are available: 2 node(s) didn't match pod affinity rules.");
});

test('a spread constraint keeps the skew', () => {
  const topologySpreadConstraints = [
    {
      maxSkew: 1,
      topologyKey: 'zone',
      whenUnsatisfiable: 'DoNotSchedule' as const,
      labelSelector: { matchLabels: { app: 'web' } },
    },
  ];
  const web = (name: string) => pod(name, { topologySpreadConstraints }, { app: 'web' });
  const nodes = [
    node('a', { labels: { zone: 'n' } }),
    node('b', { labels: { zone: 's' }, allocatable: { cpu: '1', memory: '1Gi', pods: '5' } }),
  ];
  check({ nodes, placed: [[web('x'), 'a']], pod: web('p') }, 'b');
});

test('init containers and sidecars count as they run', () => {
  const spec: PodSpec = {
    initContainers: [
      { name: 'big', resources: { requests: { cpu: '3' } } },
      { name: 'side', restartPolicy: 'Always', resources: { requests: { cpu: '500m' } } },
    ],
    containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }],
  };
  assert.equal(requestsOf({ ...pod('p'), spec }).get('cpu'), 3000);
});

test('whatever comes, no node is ever given more than it has', () => {
  const amounts = fc.record({ cpu: fc.integer({ min: 0, max: 3000 }), memory: fc.integer({ min: 0, max: 4096 }) });
  const asked = amounts.map(({ cpu, memory }) => asking({ cpu: `${cpu}m`, memory: `${memory}Mi` }));
  fc.assert(
    fc.property(fc.array(asked, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (specs, count) => {
      const cluster = new Cluster();
      const nodes = Array.from({ length: count }, (_, index) => node(`n${index}`));
      for (const each of nodes) cluster.setNode(each);
      specs.forEach((spec, index) => {
        const wanted = pod(`p${index}`, spec);
        const result = schedule(wanted, cluster);
        if (result.kind === 'fits') cluster.place(wanted, result.node);
      });
      for (const view of cluster.views()) {
        const has = allocatableOf(view.node);
        for (const [resource, amount] of view.requested)
          assert.ok(amount <= (has.get(resource) ?? 0), `${resource} on ${view.name}`);
      }
    }),
    { numRuns: runs(50) },
  );
});
