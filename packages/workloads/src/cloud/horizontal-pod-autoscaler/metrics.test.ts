import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HorizontalPodAutoscalerSpec, MetricSpec, Pod } from '@skerry/api/types';
import type { PodMetrics } from '../../usage/metrics-kinds.ts';
import { formatTime } from '../timestamps.ts';
import { judgeMetrics, type Readings } from './metrics.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const LONG_AGO = formatTime(NOW - 3_600_000);

const POD: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: {
    containers: [
      { name: 'main', resources: { requests: { cpu: '100m', memory: '64Mi' } } },
      { name: 'helper', resources: { requests: { cpu: '300m' } } },
    ],
  },
  status: {
    phase: 'Running',
    startTime: LONG_AGO,
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: LONG_AGO }],
  },
};

const METRICS: PodMetrics = {
  apiVersion: 'metrics.k8s.io/v1beta1',
  kind: 'PodMetrics',
  metadata: { name: 'web' },
  timestamp: formatTime(NOW),
  window: '15s',
  containers: [
    { name: 'main', usage: { cpu: '150m', memory: '96Mi' } },
    { name: 'helper', usage: { cpu: '50m', memory: '32Mi' } },
  ],
};

interface Expected {
  readonly replicas: number;
  /** `averageUtilization averageValue`, as far as they are there. */
  readonly current: string;
  readonly name: string;
}

function judge(metric: MetricSpec, more: Partial<HorizontalPodAutoscalerSpec> = {}, readings?: Readings) {
  const spec = { scaleTargetRef: { kind: 'Deployment', name: 'web' }, maxReplicas: 10, metrics: [metric], ...more };
  const [judged] = judgeMetrics({
    spec,
    current: 1,
    pods: [POD],
    readings: readings ?? { metrics: [METRICS] },
    now: NOW,
  });
  assert.ok(judged !== undefined);
  return judged;
}

function check(metric: MetricSpec, expected: Expected, more: Partial<HorizontalPodAutoscalerSpec> = {}): void {
  const judged = judge(metric, more);
  assert.ok('replicas' in judged, JSON.stringify(judged));
  const { averageUtilization = '', averageValue = '' } =
    (judged.status.resource ?? judged.status.containerResource)?.current ?? {};
  const current = `${averageUtilization} ${averageValue}`.trim();
  assert.deepEqual({ replicas: judged.replicas, current, name: judged.name }, expected);
}

const cpu = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

test('a resource is that of all containers together', () =>
  check(cpu(25), { replicas: 2, current: '50 200m', name: 'cpu resource utilization (percentage of request)' }));

test('a container resource is that of the one container', () =>
  check(
    {
      type: 'ContainerResource',
      containerResource: { name: 'cpu', container: 'main', target: { type: 'Utilization', averageUtilization: 50 } },
    },
    { replicas: 3, current: '150 150m', name: 'cpu container resource utilization (percentage of request)' },
  ));

test('an average value needs no request', () =>
  check(
    { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '32Mi' } } },
    { replicas: 4, current: '134217728', name: 'memory resource' },
  ));

test('behavior says how far off is still well', () => {
  const rules = (tolerance: string) => ({ behavior: { scaleUp: { tolerance }, scaleDown: { tolerance } } });
  const wanted = { current: '50 200m', name: 'cpu resource utilization (percentage of request)' };
  check(cpu(45), { ...wanted, replicas: 1 }, rules('0.2'));
  check(cpu(45), { ...wanted, replicas: 2 }, rules('0.05'));
});

test('what cannot be judged says why', () => {
  const why = (metric: MetricSpec, readings?: Readings) => {
    const judged = judge(metric, {}, readings);
    return 'problem' in judged ? [judged.reason, judged.problem] : judged;
  };
  const utilization = { type: 'Utilization', averageUtilization: 50 };
  assert.deepEqual(why({ type: 'Resource', resource: { name: 'memory', target: utilization } }), [
    'FailedGetResourceMetric',
    'failed to get memory utilization: missing request for memory in container helper of Pod web',
  ]);
  assert.deepEqual(why(cpu(50), { problem: 'the API is away' }), [
    'FailedGetResourceMetric',
    'failed to get cpu utilization: the API is away',
  ]);
  const missing = { name: 'cpu', container: 'nobody', target: utilization };
  assert.deepEqual(why({ type: 'ContainerResource', containerResource: missing }), [
    'FailedGetContainerResourceMetric',
    'failed to get cpu container utilization: no metrics returned from resource metrics API',
  ]);
});
