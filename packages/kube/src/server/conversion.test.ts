import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scratchServer } from './testing/scratch-server.ts';

const V1 = '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers';
const V2 = V1.replace('v1', 'v2');
const SPEC = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 5 };
const CPU = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } };

function hpa(version: string, spec: object): object {
  return { apiVersion: `autoscaling/${version}`, kind: 'HorizontalPodAutoscaler', metadata: { name: 'web' }, spec };
}

test('what is written in one version is read in the other', async () => {
  const { ask } = scratchServer();
  const created = await ask('POST', V1, { body: hpa('v1', { ...SPEC, targetCPUUtilizationPercentage: 70 }) });
  assert.equal(created.status, 201);
  assert.equal(created.json.apiVersion, 'autoscaling/v1');
  assert.equal(created.json.spec.targetCPUUtilizationPercentage, 70);
  const { json } = await ask('GET', `${V2}/web`);
  assert.deepEqual(json.spec, { ...SPEC, minReplicas: 1, metrics: [CPU] });
  assert.equal(json.metadata.resourceVersion, created.json.metadata.resourceVersion);
  const [listed] = (await ask('GET', V1)).json.items;
  assert.deepEqual([listed.apiVersion, listed.spec], ['autoscaling/v1', created.json.spec]);
});

test('what its author left out in v1 gets the defaults of v2', async () => {
  const { ask } = scratchServer();
  const { json } = await ask('POST', V1, { body: hpa('v1', SPEC) });
  assert.equal(json.spec.targetCPUUtilizationPercentage, 80);
  const behavior = { scaleDown: { stabilizationWindowSeconds: 60 } };
  await ask('PATCH', `${V2}/web`, {
    body: { spec: { behavior } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  const { spec } = (await ask('GET', `${V2}/web`)).json;
  assert.deepEqual(spec.behavior.scaleDown.policies, [{ type: 'Percent', value: 100, periodSeconds: 15 }]);
});

test('patches, updates and watches speak the version they came in', async () => {
  const { ask, watch } = scratchServer();
  const { json } = await ask('POST', V2, { body: hpa('v2', { ...SPEC, metrics: [CPU] }) });
  const patched = await ask('PATCH', `${V1}/web`, {
    body: { spec: { targetCPUUtilizationPercentage: 30 } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.deepEqual([patched.status, patched.json.spec.targetCPUUtilizationPercentage], [200, 30]);
  const updated = await ask('PUT', `${V1}/web`, {
    body: { ...patched.json, spec: { ...patched.json.spec, maxReplicas: 9 } },
  });
  assert.deepEqual(
    [updated.status, updated.json.apiVersion, updated.json.spec.maxReplicas],
    [200, 'autoscaling/v1', 9],
  );
  const events = await watch(`${V1}?watch=1&resourceVersion=${json.metadata.resourceVersion}`, 2);
  assert.deepEqual(
    events.map((event) => (event as { object: { spec: object } }).object.spec),
    [
      { ...SPEC, minReplicas: 1, targetCPUUtilizationPercentage: 30 },
      { ...SPEC, minReplicas: 1, maxReplicas: 9, targetCPUUtilizationPercentage: 30 },
    ],
  );
});

test('bad autoscalers are refused by the field that is wrong', async () => {
  const { ask } = scratchServer();
  const refused = async (spec: object) => {
    const { status, json } = await ask('POST', V2, { body: hpa('v2', { ...SPEC, ...spec }) });
    assert.equal(status, 422);
    return json.details.causes.map(({ field }: { field: string }) => field);
  };
  const target = { type: 'Utilization', averageUtilization: 0 };
  assert.deepEqual(await refused({ metrics: [{ type: 'Resource' }] }), ['spec.metrics[0].resource']);
  assert.deepEqual(await refused({ metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }] }), [
    'spec.metrics[0].resource.target.averageUtilization',
  ]);
  assert.deepEqual(await refused({ metrics: [{ ...CPU, type: 'Weather' }] }), ['spec.metrics[0].type']);
  const scaleUp = { stabilizationWindowSeconds: 4000, policies: [{ type: 'Pods', value: 0, periodSeconds: 9 }] };
  assert.deepEqual(await refused({ behavior: { scaleUp } }), [
    'spec.behavior.scaleUp.stabilizationWindowSeconds',
    'spec.behavior.scaleUp.policies[0].value',
  ]);
});
