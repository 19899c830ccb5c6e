import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../object.ts';
import { generationChanged, prepareForCreate, prepareForUpdate, qosClass } from './strategy.ts';

const row = {
  gvk: { group: 'apps', version: 'v1', kind: 'Deployment' },
  subresources: ['status'],
  tracksGeneration: true,
};

function object(body: Record<string, unknown>): KubeObject {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' }, ...body };
}

test('the quality of service follows requests and limits of cpu and memory', () => {
  const pod = (...resources: object[]) => ({ spec: { containers: resources.map((each) => ({ resources: each })) } });
  const full = { cpu: '1', memory: '1Gi' };
  assert.equal(qosClass(pod({})), 'BestEffort');
  assert.equal(qosClass(pod({ limits: full })), 'Guaranteed');
  assert.equal(qosClass(pod({ limits: full, requests: { cpu: '1000m', memory: '1024Mi' } })), 'Guaranteed');
  assert.equal(qosClass(pod({ limits: full }, {})), 'Burstable');
  assert.equal(qosClass(pod({ limits: full, requests: { cpu: '1m', memory: '1Gi' } })), 'Burstable');
  assert.equal(qosClass(pod({ requests: { 'example.com/gpu': '1' } })), 'BestEffort');
});

test('the generation rises with the spec, not with metadata or status', () => {
  const before = object({ spec: { replicas: 1 }, status: { replicas: 1 } });
  assert.equal(generationChanged(row, before, object({ spec: { replicas: 1 }, status: {} })), false);
  assert.equal(generationChanged(row, before, { ...before, metadata: { name: 'a', labels: { a: 'b' } } }), false);
  assert.equal(generationChanged(row, before, object({ spec: { replicas: 2 } })), true);
});

test('each endpoint writes its own half', () => {
  const old = object({ spec: { replicas: 1 }, status: { replicas: 1 } });
  const main = object({ spec: { replicas: 2 }, status: { replicas: 9 } });
  prepareForUpdate(row, main, old);
  assert.deepEqual(main, object({ spec: { replicas: 2 }, status: { replicas: 1 } }));
  const status = object({ spec: { replicas: 2 }, status: { replicas: 9 }, extra: 1 });
  prepareForUpdate(row, status, old, 'status');
  assert.deepEqual(status, object({ spec: { replicas: 1 }, status: { replicas: 9 } }));
});

test('a new object brings no status, a new pod is pending', () => {
  const deployment = object({ status: { replicas: 7 } });
  prepareForCreate(row, deployment);
  assert.equal('status' in deployment, false);
  const pod = object({ spec: { containers: [{}] } });
  prepareForCreate({ ...row, gvk: { group: '', version: 'v1', kind: 'Pod' } }, pod);
  assert.deepEqual(pod['status'], { phase: 'Pending', qosClass: 'BestEffort' });
});
