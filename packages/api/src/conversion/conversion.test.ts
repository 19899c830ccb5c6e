import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from '../object.ts';
import { autoscalerV1, eventsV1 } from './index.ts';

const CPU = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } };
const MEMORY = {
  type: 'Resource',
  resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '64Mi' } },
};
const TARGET = { kind: 'Deployment', name: 'web' };

function hpa(spec: object, rest: object = {}): KubeObject {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web' },
    spec: { scaleTargetRef: TARGET, maxReplicas: 3, ...spec },
    ...rest,
  };
}

test('v1 has a field for the utilization of the processor, and annotations for the rest', () => {
  const behavior = { scaleDown: { stabilizationWindowSeconds: 5 } };
  const status = {
    desiredReplicas: 2,
    currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 7 } } }],
    conditions: [{ type: 'AbleToScale', status: 'True' }],
  };
  assert.deepEqual(autoscalerV1.toServed(hpa({ metrics: [MEMORY, CPU], behavior }, { status })), {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: {
      name: 'web',
      annotations: {
        'autoscaling.alpha.kubernetes.io/metrics':
          '[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"64Mi"}}]',
        'autoscaling.alpha.kubernetes.io/conditions': '[{"type":"AbleToScale","status":"True"}]',
        'autoscaling.alpha.kubernetes.io/behavior': '{"scaleDown":{"stabilizationWindowSeconds":5}}',
      },
    },
    spec: { scaleTargetRef: TARGET, maxReplicas: 3, targetCPUUtilizationPercentage: 60 },
    status: { desiredReplicas: 2, currentCPUUtilizationPercentage: 7 },
  });
});

test('what was written as v1 is stored as v2', () => {
  const { spec, metadata } = autoscalerV1.toStored({
    ...hpa({ targetCPUUtilizationPercentage: 60 }),
    apiVersion: 'autoscaling/v1',
    metadata: { name: 'web', annotations: { mine: 'stays', 'autoscaling.alpha.kubernetes.io/metrics': 'no JSON' } },
  });
  assert.deepEqual(spec, { scaleTargetRef: TARGET, maxReplicas: 3, metrics: [CPU] });
  assert.deepEqual(metadata, { name: 'web', annotations: { mine: 'stays' } });
});

const name = fc.stringMatching(/^[a-z]{1,8}$/);
const quantity = fc.nat().map(String);
const averageValue = fc.record({ type: fc.constant('AverageValue'), averageValue: quantity });
const value = fc.record({ type: fc.constant('Value'), value: quantity });
const utilization = fc.record({
  type: fc.constant('Utilization'),
  averageUtilization: fc.integer({ min: 1, max: 500 }),
});
const metric = fc.record({ name, selector: fc.record({ matchLabels: fc.record({ app: name }) }) });
const metrics = fc.array(
  fc.oneof(
    fc
      .record({ name, target: fc.oneof(averageValue, utilization) })
      .map((resource) => ({ type: 'Resource', resource })),
    fc
      .record({ name, container: name, target: fc.oneof(averageValue, utilization) })
      .map((containerResource) => ({ type: 'ContainerResource', containerResource })),
    fc.record({ metric, target: averageValue }).map((pods) => ({ type: 'Pods', pods })),
    fc
      .record({ metric, target: fc.oneof(value, averageValue), describedObject: fc.constant(TARGET) })
      .map((object) => ({ type: 'Object', object })),
    fc.record({ metric, target: fc.oneof(value, averageValue) }).map((external) => ({ type: 'External', external })),
    fc.constant(CPU),
  ),
  { minLength: 1, maxLength: 5 },
);

test('by way of v1 nothing of v2 is lost, save for the order of metrics', () => {
  fc.assert(
    fc.property(metrics, (given) => {
      const object = JSON.parse(JSON.stringify(hpa({ metrics: given })));
      const { spec, ...rest } = autoscalerV1.toStored(autoscalerV1.toServed(object));
      const { metrics: found, ...others } = spec as { metrics: object[] };
      const { metrics: wanted, ...expected } = object.spec;
      const sorted = (list: object[]) => list.map((each) => JSON.stringify(sortKeys(each))).toSorted();
      assert.deepEqual(sorted(found), sorted(wanted));
      assert.deepEqual({ ...rest, spec: others }, { ...object, spec: expected });
    }),
  );
});

function sortKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sortKeys);
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}

test('an event has the same fields in both groups, under other names', () => {
  const field = fc.constantFrom(
    'involvedObject',
    'message',
    'source',
    'count',
    'reportingComponent',
    'reason',
    'series',
  );
  fc.assert(
    fc.property(fc.dictionary(field, fc.nat()), (fields) => {
      const event: KubeObject = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e' }, ...fields };
      const served = eventsV1.toServed(event);
      assert.equal(served['note'], event['message']);
      assert.equal(served['message'], undefined);
      assert.deepEqual(eventsV1.toStored(served), event);
    }),
  );
});
