/** Pods come and go with their load: `kubectl autoscale`, real programs, metrics through the link. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Deployment, HorizontalPodAutoscaler } from '@skerry/api/types';
import { deployment, eventually, PROCESS, skipWithout, TestCloud, TestEdge } from '@skerry/testkit/processes';

/** The autoscaler looks every fifteen seconds, and a new pod's processor counts only after a whole window. */
const PATIENCE = { timeoutMs: 180_000, everyMs: 500 };

suite('autoscaling', { skip: skipWithout(...PROCESS.needs) }, () => {
  const work = mkdtempSync(join(tmpdir(), 'skerry-load-'));
  // Pods of an agent that is root have users of their own.
  chmodSync(work, 0o755);
  const load = join(work, 'on');
  let cloud: TestCloud;
  let edge: TestEdge;

  before(async () => {
    cloud = await TestCloud.start();
    edge = await TestEdge.join(cloud, { name: 'edge-1' });
    await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
    // A good part of a core while there is load, and next to nothing otherwise.
    const busy = 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done';
    const script = `trap "exit 0" TERM; while :; do if test -e /load/on; then ${busy}; sleep 0.2; else sleep 2; fi; done`;
    const resources = { requests: { cpu: '20m', memory: '8Mi' } };
    const volumeMounts = [{ name: 'load', mountPath: '/load', readOnly: true }];
    const volumes = [{ name: 'load', hostPath: { path: work } }];
    await cloud.apply(
      deployment(PROCESS, { name: 'web', script, container: { resources, volumeMounts }, spec: { volumes } }),
    );
    await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  });

  const hpa = () => cloud.get<HorizontalPodAutoscaler>(['hpa', 'web']);
  const hasReplicas = async (wanted: number) => {
    if ((await replicas()) === wanted) return true;
    throw new Error(JSON.stringify((await hpa()).status));
  };
  const replicas = async () => (await cloud.get<Deployment>(['deployment', 'web'])).spec?.replicas;

  for (const version of ['1.32', '1.35'] as const) {
    test(`kubectl ${version} makes an autoscaler, reads it in both versions and removes it`, async () => {
      await cloud.kubectl(['autoscale', 'deployment', 'web', '--min=1', '--max=3', '--cpu-percent=50'], { version });
      assert.match(await cloud.kubectl(['get', 'hpa', 'web'], { version }), /Deployment\/web +cpu: .*\/50% +1 +3/);
      const old = ['get', 'horizontalpodautoscalers.v1.autoscaling', 'web', '-o', 'jsonpath={.apiVersion} {.spec}'];
      const text = await cloud.kubectl(old, { version });
      assert.match(text, /^autoscaling\/v1 .*"targetCPUUtilizationPercentage":50/);
      assert.match(await cloud.kubectl(['describe', 'hpa', 'web'], { version }), /Min replicas: +1\nMax replicas: +3/);
      await cloud.kubectl(['delete', 'hpa', 'web'], { version });
    });
  }

  test('load brings more pods, up to the bound, and their silence lets them go', async () => {
    const scaleDown = { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 5, periodSeconds: 15 }] };
    await cloud.apply({
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        minReplicas: 1,
        maxReplicas: 3,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 100 } } },
        ],
        behavior: { scaleDown },
      },
    });
    writeFileSync(load, '');
    await eventually('three pods share the load', () => hasReplicas(3), PATIENCE);
    const { status } = await hpa();
    assert.ok((status?.currentMetrics?.[0]?.resource?.current.averageUtilization ?? 0) > 100);
    assert.match(await cloud.kubectl(['describe', 'hpa', 'web']), /SuccessfulRescale.*above target/);
    await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
    rmSync(load);
    await eventually('one pod is left', () => hasReplicas(1), PATIENCE);
  });

  test('while the node is away nothing is scaled, and the autoscaler says that it does not know', async () => {
    await edge.process.stop();
    await eventually(
      'the condition says so',
      async () => {
        const active = (await hpa()).status?.conditions?.find(({ type }) => type === 'ScalingActive');
        return active?.status === 'False' && active.reason === 'FailedGetResourceMetric';
      },
      PATIENCE,
    );
    assert.equal(await replicas(), 1);
    await edge.process.start();
  });
});
