import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../object.ts';
import { humanDuration } from './duration.ts';
import { cellsFor, columnsFor, toTable } from './table.ts';

const NOW = Date.UTC(2026, 0, 2);
const created = '2026-01-01T00:00:00Z';

function cells(type: string, body: Record<string, unknown>): unknown[] {
  const [group = '', kind = ''] = type.split('/');
  const object = {
    apiVersion: 'v1',
    kind,
    ...body,
    metadata: { name: 'a', creationTimestamp: created, ...(body['metadata'] as object | undefined) },
  } as KubeObject;
  const row = { gvk: { group, version: 'v1', kind } };
  const found = cellsFor(row, object, NOW);
  assert.equal(found.length, columnsFor(row).length);
  return found;
}

function check(type: string, body: Record<string, unknown>, expected: unknown[]): void {
  assert.deepEqual(cells(type, body), expected);
}

/** The ready, status and restart cells of a pod. */
function pod(body: Record<string, unknown>, expected: [ready: string, status: string, restarts: string]): void {
  const withSpec = { spec: { containers: [{ name: 'c' }] }, ...body };
  assert.deepEqual(cells('/Pod', withSpec).slice(1, 4), expected);
}

const running = { running: { startedAt: created } };

test('durations', () => {
  const second = 1000;
  const cases: [number, string][] = [
    [-5, '<invalid>'],
    [-1, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [330, '5m30s'],
    [600, '10m'],
    [10_799, '179m'],
    [3 * 3600, '3h'],
    [3 * 3600 + 300, '3h5m'],
    [8 * 3600, '8h'],
    [47 * 3600, '47h'],
    [48 * 3600, '2d'],
    [75 * 3600, '3d3h'],
    [8 * 86_400, '8d'],
    [729 * 86_400, '729d'],
    [730 * 86_400, '2y'],
    [800 * 86_400, '2y70d'],
    [3000 * 86_400, '8y'],
  ];
  for (const [seconds, expected] of cases) assert.equal(humanDuration(seconds * second), expected, String(seconds));
});

test('a running pod, with its wide columns', () => {
  check(
    '/Pod',
    {
      spec: { nodeName: 'n1', containers: [{ name: 'c' }], readinessGates: [{ conditionType: 'x' }] },
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        containerStatuses: [
          {
            ready: true,
            restartCount: 2,
            state: running,
            lastState: { terminated: { finishedAt: '2026-01-01T23:00:00Z' } },
          },
        ],
      },
    },
    ['a', '1/1', 'Running', '2 (60m ago)', '24h', '10.0.0.1', 'n1', '<none>', '0/1'],
  );
});

test('the status word of a pod', () => {
  pod({ status: { phase: 'Pending' } }, ['0/1', 'Pending', '0']);
  pod(
    {
      status: {
        phase: 'Running',
        containerStatuses: [{ restartCount: 5, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
      },
    },
    ['0/1', 'CrashLoopBackOff', '5'],
  );
  pod({ status: { phase: 'Succeeded', containerStatuses: [{ state: { terminated: { reason: 'Completed' } } }] } }, [
    '0/1',
    'Completed',
    '0',
  ]);
  pod({ status: { phase: 'Failed', containerStatuses: [{ state: { terminated: { exitCode: 3 } } }] } }, [
    '0/1',
    'ExitCode:3',
    '0',
  ]);
  pod({ status: { phase: 'Failed', containerStatuses: [{ state: { terminated: { signal: 9 } } }] } }, [
    '0/1',
    'Signal:9',
    '0',
  ]);
  pod({ status: { phase: 'Failed', reason: 'Evicted' } }, ['0/1', 'Evicted', '0']);
  pod({ metadata: { deletionTimestamp: created }, status: { phase: 'Running' } }, ['0/1', 'Terminating', '0']);
  pod({ metadata: { deletionTimestamp: created }, status: { phase: 'Running', reason: 'NodeLost' } }, [
    '0/1',
    'Unknown',
    '0',
  ]);
  pod({ metadata: { deletionTimestamp: created }, status: { phase: 'Succeeded' } }, ['0/1', 'Succeeded', '0']);
  pod({ status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', reason: 'SchedulingGated' }] } }, [
    '0/1',
    'SchedulingGated',
    '0',
  ]);
});

test('a pod with one container done and one running is Running when ready, NotReady otherwise', () => {
  const statuses = [{ state: { terminated: { reason: 'Completed' } } }, { ready: true, state: running }];
  const spec = { containers: [{ name: 'a' }, { name: 'b' }] };
  pod({ spec, status: { phase: 'Running', containerStatuses: statuses } }, ['1/2', 'NotReady', '0']);
  pod(
    {
      spec,
      status: { phase: 'Running', containerStatuses: statuses, conditions: [{ type: 'Ready', status: 'True' }] },
    },
    ['1/2', 'Running', '0'],
  );
});

test('init containers show how far they are', () => {
  const spec = { containers: [{ name: 'c' }], initContainers: [{ name: 'i' }, { name: 'j' }] };
  const init = (...initContainerStatuses: object[]) => ({ spec, status: { phase: 'Pending', initContainerStatuses } });
  const done = { state: { terminated: { exitCode: 0 } } };
  pod(init({ state: running }, {}), ['0/1', 'Init:0/2', '0']);
  pod(init(done, { state: running }), ['0/1', 'Init:1/2', '0']);
  pod(init({ restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } } }), [
    '0/1',
    'Init:CrashLoopBackOff',
    '3',
  ]);
  pod(init({ state: { terminated: { exitCode: 1, reason: 'Error' } } }), ['0/1', 'Init:Error', '0']);
  pod(init({ state: { terminated: { exitCode: 7 } } }), ['0/1', 'Init:ExitCode:7', '0']);
  pod(init({ state: { waiting: { reason: 'PodInitializing' } } }), ['0/1', 'Init:0/2', '0']);
});

test('a sidecar counts as a container', () => {
  pod(
    {
      spec: { containers: [{ name: 'c' }], initContainers: [{ name: 's', restartPolicy: 'Always' }] },
      status: {
        phase: 'Running',
        initContainerStatuses: [{ name: 's', started: true, ready: true, restartCount: 1, state: running }],
        containerStatuses: [{ ready: true, state: running }],
      },
    },
    ['2/2', 'Running', '1'],
  );
});

test('workloads', () => {
  const spec = {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: { spec: { containers: [{ name: 'c', image: 'i:1' }] } },
  };
  check('apps/Deployment', { spec, status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 } }, [
    'a',
    '2/3',
    3,
    2,
    '24h',
    'c',
    'i:1',
    'app=web',
  ]);
  check('apps/ReplicaSet', { spec, status: { replicas: 3 } }, ['a', 3, 3, 0, '24h', 'c', 'i:1', 'app=web']);
  check('apps/DaemonSet', { spec, status: { desiredNumberScheduled: 2 } }, [
    'a',
    2,
    0,
    0,
    0,
    0,
    '<none>',
    '24h',
    'c',
    'i:1',
    'app=web',
  ]);
  check(
    'batch/Job',
    {
      spec: { completions: 1 },
      status: {
        succeeded: 1,
        startTime: created,
        completionTime: '2026-01-01T00:01:05Z',
        conditions: [{ type: 'Complete', status: 'True' }],
      },
    },
    ['a', 'Complete', '1/1', '65s', '24h', '', '', '<none>'],
  );
  check(
    'apps/ControllerRevision',
    {
      revision: 2,
      metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', controller: true }] },
    },
    ['a', 'daemonset.apps/d', 2, '24h'],
  );
});

test('nodes, namespaces, configuration', () => {
  check(
    '/Node',
    {
      metadata: { labels: { 'node-role.kubernetes.io/edge': '' } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.9' }],
        nodeInfo: {
          kubeletVersion: 'v1',
          osImage: 'Debian',
          kernelVersion: '6',
          containerRuntimeVersion: 'process://1',
        },
      },
    },
    ['a', 'Ready,SchedulingDisabled', 'edge', '24h', 'v1', '10.0.0.9', '<none>', 'Debian', '6', 'process://1'],
  );
  check('/Namespace', { status: { phase: 'Active' } }, ['a', 'Active', '24h']);
  check('/ConfigMap', { data: { x: '1' }, binaryData: { y: '' } }, ['a', 2, '24h']);
  check('/Secret', { type: 'Opaque' }, ['a', 'Opaque', 0, '24h']);
  check('rbac.authorization.k8s.io/ClusterRole', {}, ['a', created]);
  check(
    'rbac.authorization.k8s.io/RoleBinding',
    {
      roleRef: { kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'User', name: 'u' },
        { kind: 'ServiceAccount', namespace: 'n', name: 's' },
      ],
    },
    ['a', 'Role/r', '24h', 'u', '', 'n/s'],
  );
});

test('services and slices', () => {
  check(
    '/Service',
    {
      spec: {
        type: 'NodePort',
        clusterIP: '10.1.1.1',
        ports: [{ port: 80, nodePort: 30_080, protocol: 'TCP' }],
        selector: { b: '2', a: '1' },
      },
    },
    ['a', 'NodePort', '10.1.1.1', '<none>', '80:30080/TCP', '24h', 'a=1,b=2'],
  );
  check('/Service', { spec: { type: 'LoadBalancer' } }, [
    'a',
    'LoadBalancer',
    '<none>',
    '<pending>',
    '<none>',
    '24h',
    '<none>',
  ]);
  check(
    'discovery.k8s.io/EndpointSlice',
    {
      addressType: 'IPv4',
      ports: [{ port: 80 }],
      endpoints: ['1', '2', '3', '4'].map((end) => ({ addresses: [`10.0.0.${end}`] })),
    },
    ['a', 'IPv4', '80', '10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...', '24h'],
  );
});

test('events', () => {
  check(
    '/Event',
    {
      type: 'Normal',
      reason: 'Started',
      message: 'started ',
      count: 3,
      involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec.containers{c}' },
      source: { component: 'kubelet', host: 'n' },
      firstTimestamp: created,
      lastTimestamp: '2026-01-01T23:59:00Z',
    },
    ['60s', 'Normal', 'Started', 'pod/p', 'spec.containers{c}', 'kubelet, n', 'started', '24h', 3, 'a'],
  );
});

test('custom kinds print the columns of their definition', () => {
  const gvk = { group: 'x.io', version: 'v1', kind: 'Thing' };
  const row = {
    gvk,
    printerColumns: [
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'N', type: 'integer', jsonPath: '.spec.n' },
      { name: 'Seen', type: 'date', jsonPath: '.status.seen' },
    ],
  };
  const object = {
    apiVersion: 'x.io/v1',
    kind: 'Thing',
    metadata: { name: 'a', creationTimestamp: created },
    spec: { n: 2 },
    status: { conditions: [{ type: 'Ready', status: 'True' }], seen: created },
  };
  assert.deepEqual(cellsFor(row, object, NOW), ['a', 'True', 2, '24h']);
  assert.deepEqual(cellsFor({ gvk, printerColumns: [] }, object, NOW), ['a', '24h']);
  assert.deepEqual(cellsFor({ gvk }, object, NOW), ['a', created]);
});

test('a table holds as much of each object as was asked for', () => {
  const row = { gvk: { group: '', version: 'v1', kind: 'Pod' } };
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, status: { phase: 'Succeeded' } };
  const objectOf = (includeObject?: 'None' | 'Object') =>
    toTable(row, [object], { now: NOW, ...(includeObject === undefined ? {} : { includeObject }) }).rows[0]?.object;
  assert.deepEqual(objectOf(), {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { name: 'a' },
  });
  assert.equal(objectOf('None'), undefined);
  assert.equal(objectOf('Object'), object);
  const table = toTable(row, [object], { now: NOW, includeColumns: false, metadata: { resourceVersion: '7' } });
  assert.deepEqual(table.columnDefinitions, []);
  assert.deepEqual(table.metadata, { resourceVersion: '7' });
  assert.equal(table.rows[0]?.conditions?.[0]?.type, 'Completed');
});

test('objects of any shape are printed without failing', () => {
  const rows = [
    '/Pod',
    '/Node',
    '/Service',
    'apps/Deployment',
    '/Event',
    'batch/Job',
    'discovery.k8s.io/EndpointSlice',
    'networking.k8s.io/Ingress',
  ];
  for (const type of rows) {
    cells(type, {});
    cells(type, { spec: 'x', status: [1], subsets: 'x', ports: { a: 1 }, endpoints: [null] });
  }
});

test('an autoscaler shows what is and what is wanted in the same unit', () => {
  const target = (type: string, amount: object) => ({ type, ...amount });
  const spec = {
    scaleTargetRef: { kind: 'Deployment', name: 'web' },
    minReplicas: 1,
    maxReplicas: 5,
    metrics: [
      { type: 'Resource', resource: { name: 'cpu', target: target('Utilization', { averageUtilization: 60 }) } },
      { type: 'Resource', resource: { name: 'memory', target: target('AverageValue', { averageValue: '64Mi' }) } },
      {
        type: 'ContainerResource',
        containerResource: { name: 'cpu', container: 'main', target: target('Utilization', { averageUtilization: 9 }) },
      },
    ],
  };
  const currentMetrics = [
    { type: 'Resource', resource: { name: 'memory', current: { averageValue: '12Mi', averageUtilization: 3 } } },
    { type: 'Resource', resource: { name: 'cpu', current: { averageValue: '70m', averageUtilization: 70 } } },
  ];
  const shown = 'cpu: 70%/60%, memory: 12Mi/64Mi, cpu of main: <unknown>/9%';
  check('autoscaling/HorizontalPodAutoscaler', { spec, status: { currentReplicas: 2, currentMetrics } }, [
    'a',
    'Deployment/web',
    shown,
    '1',
    5,
    2,
    '24h',
  ]);
  const { metrics: _, ...old } = { ...spec, targetCPUUtilizationPercentage: 60 };
  const status = { currentReplicas: 2, currentCPUUtilizationPercentage: 70 };
  assert.equal(cells('autoscaling/HorizontalPodAutoscaler', { spec: old, status })[2], 'cpu: 70%/60%');
});

test('metrics of a pod are those of its containers together', () => {
  const containers = [
    { name: 'main', usage: { cpu: '150m', memory: '96Ki' } },
    { name: 'helper', usage: { cpu: '70500u', memory: '32Ki' } },
  ];
  check('metrics.k8s.io/PodMetrics', { containers, window: '10s' }, ['a', '220500u', '128Ki', '10s']);
  check('metrics.k8s.io/NodeMetrics', { usage: { cpu: '1', memory: '2Mi' }, window: '10s' }, ['a', '1', '2Mi', '10s']);
});
