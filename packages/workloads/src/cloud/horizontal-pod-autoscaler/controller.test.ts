import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatApiVersion, type Gvr, type KubeList, type KubeObject } from '@skerry/api';
import type { Deployment, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, Pod } from '@skerry/api/types';
import type { Client } from '@skerry/kube/client';
import { METRICS_GROUP } from '../../usage/metrics-kinds.ts';
import { deploymentController } from '../deployment/index.ts';
import { replicaSetController } from '../replica-set/index.ts';
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  DEPLOYMENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  STATEFUL_SETS,
} from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { formatTime } from '../timestamps.ts';
import { horizontalPodAutoscalerController } from './index.ts';

const HALF_OF_CPU = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
};

interface Shop extends AsyncDisposable {
  readonly cloud: ScratchCloud;
  /** What every pod uses of its 100m; undefined: its node is away. */
  load: string | undefined;
  autoscale(spec?: Partial<HorizontalPodAutoscalerSpec>, name?: string): Promise<void>;
  deploy(replicas: number): Promise<void>;
  /** The next look at the metrics. */
  sync(): Promise<void>;
  hpa(name?: string): Promise<HorizontalPodAutoscaler>;
  replicas(): Promise<number | undefined>;
}

/** A deployment whose pods are ready at once and use what the test says. */
async function shop(): Promise<Shop> {
  const cloud = await scratchCloud();
  const client: Client = {
    ...cloud.client,
    list: async <T extends KubeObject>(gvr: Gvr, options?: Parameters<Client['list']>[1]) => {
      if (gvr.group !== METRICS_GROUP.group) return cloud.client.list<T>(gvr, options);
      const pods = opened.load === undefined ? [] : (await cloud.client.list<Pod>(PODS, options)).items;
      return { items: pods.map(metricsOf) } as unknown as KubeList<T>;
    },
  };
  const metricsOf = ({ metadata }: Pod) => ({
    metadata: { name: metadata.name },
    timestamp: formatTime(cloud.clock.now()),
    window: '0s',
    containers: [{ name: 'main', usage: { cpu: opened.load, memory: '64Mi' } }],
  });
  const context = { ...cloud.context, client };
  cloud.run(deploymentController(context), replicaSetController(context), horizontalPodAutoscalerController(context));
  const at = (gvr: Gvr, name: string) => ({ gvr, namespace: 'shop', name });
  const settle = async () => {
    await cloud.calm();
    for (const pod of await cloud.list<Pod>(PODS)) {
      if (pod.status?.startTime !== undefined) continue;
      await cloud.setReady(pod);
      const status = { startTime: formatTime(cloud.clock.now()) };
      await cloud.client.patch(at(PODS, pod.metadata.name ?? ''), { status }, { type: 'merge', subresource: 'status' });
    }
    await cloud.calm();
  };
  const opened: Shop = {
    cloud,
    load: '0m',
    autoscale: async (spec = {}, name = 'web') => {
      await cloud.client.create<HorizontalPodAutoscaler>(HORIZONTAL_POD_AUTOSCALERS, {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name, namespace: 'shop' },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
          minReplicas: 1,
          maxReplicas: 6,
          metrics: [HALF_OF_CPU],
          ...spec,
        },
      });
      await settle();
    },
    deploy: async (replicas) => {
      const resources = { requests: { cpu: '100m', memory: '128Mi' } };
      const pod = template({ app: 'web' }, 'host', { containers: [{ name: 'main', image: 'host', resources }] });
      await cloud.client.create<Deployment>(DEPLOYMENTS, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'shop' },
        spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: pod },
      });
      await settle();
    },
    sync: async () => {
      await cloud.clock.advance(15_000);
      await settle();
    },
    hpa: (name = 'web') => cloud.client.get<HorizontalPodAutoscaler>(at(HORIZONTAL_POD_AUTOSCALERS, name)),
    replicas: async () => (await cloud.client.get<Deployment>(at(DEPLOYMENTS, 'web'))).spec?.replicas,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  };
  return opened;
}

/** `type=status/reason` of each condition. */
function conditionsOf({ status }: HorizontalPodAutoscaler): Record<string, string> {
  return Object.fromEntries(
    (status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status}/${reason}`] as const),
  );
}

test('a loaded deployment grows to what the load asks for, and says why', async () => {
  await using own = await shop();
  own.load = '150m';
  await own.deploy(1);
  await own.autoscale();
  assert.equal(await own.replicas(), 3);
  const { status, ...hpa } = await own.hpa();
  assert.deepEqual(conditionsOf({ status, ...hpa } as HorizontalPodAutoscaler), {
    AbleToScale: 'True/SucceededRescale',
    ScalingActive: 'True/ValidMetricFound',
    ScalingLimited: 'False/DesiredWithinRange',
  });
  assert.equal(status?.desiredReplicas, 3);
  assert.deepEqual(status?.currentMetrics, [
    { type: 'Resource', resource: { name: 'cpu', current: { averageValue: '150m', averageUtilization: 150 } } },
  ]);
  const why = 'New size: 3; reason: cpu resource utilization (percentage of request) above target';
  await own.cloud.until('the event', async () => (await own.cloud.events('web')).includes(`SuccessfulRescale: ${why}`));
});

test('it shrinks after five quiet minutes, and not before', async () => {
  await using own = await shop();
  await own.deploy(4);
  own.load = '50m';
  await own.autoscale();
  await own.sync();
  own.load = '5m';
  for (let seconds = 0; seconds < 285; seconds += 15) await own.sync();
  assert.equal(await own.replicas(), 4);
  assert.equal(conditionsOf(await own.hpa())['AbleToScale'], 'True/ScaleDownStabilized');
  for (let seconds = 0; seconds < 60; seconds += 15) await own.sync();
  assert.equal(await own.replicas(), 1);
});

test('without metrics the size stays, and the condition says what is missing', async () => {
  await using own = await shop();
  await own.deploy(2);
  own.load = undefined;
  await own.autoscale();
  await own.sync();
  assert.equal(await own.replicas(), 2);
  const hpa = await own.hpa();
  assert.equal(conditionsOf(hpa)['ScalingActive'], 'False/FailedGetResourceMetric');
  assert.match(
    hpa.status?.conditions?.find(({ type }) => type === 'ScalingActive')?.message ?? '',
    /failed to get cpu utilization: no metrics returned from resource metrics API/,
  );
});

test('the bounds count without any metric, and a size of zero turns it off', async () => {
  await using own = await shop();
  own.load = undefined;
  await own.deploy(9);
  await own.autoscale({ maxReplicas: 4 });
  await own.sync();
  assert.equal(await own.replicas(), 4);
  const { client } = own.cloud;
  const ref = { gvr: DEPLOYMENTS, namespace: 'shop', name: 'web' };
  await client.patch(ref, { spec: { replicas: 0 } }, { type: 'merge' });
  await own.sync();
  assert.equal(await own.replicas(), 0);
  assert.equal(conditionsOf(await own.hpa())['ScalingActive'], 'False/ScalingDisabled');
});

test('several metrics: the one that wants most decides, and an unknown one only keeps it from shrinking', async () => {
  await using own = await shop();
  await own.deploy(2);
  own.load = '10m';
  const memory = {
    type: 'Resource',
    resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '16Mi' } },
  };
  const unknown = {
    type: 'Pods',
    pods: { metric: { name: 'visits' }, target: { type: 'AverageValue', averageValue: '1' } },
  };
  const scaleDown = { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 9, periodSeconds: 15 }] };
  await own.autoscale({ metrics: [HALF_OF_CPU, memory], behavior: { scaleDown }, maxReplicas: 7 });
  await own.sync();
  assert.equal(await own.replicas(), 7);
  const { client } = own.cloud;
  const ref = { gvr: HORIZONTAL_POD_AUTOSCALERS, namespace: 'shop', name: 'web' };
  await client.patch(ref, { spec: { metrics: [HALF_OF_CPU, unknown] } }, { type: 'merge' });
  await own.sync();
  assert.equal(await own.replicas(), 7);
  assert.equal(conditionsOf(await own.hpa())['ScalingActive'], 'False/FailedGetPodsMetric');
  await client.patch(ref, { spec: { metrics: [HALF_OF_CPU] } }, { type: 'merge' });
  await own.sync();
  assert.equal(await own.replicas(), 1);
});

test('a target that is not there, and two autoscalers of one target, are said', async () => {
  await using own = await shop();
  await own.autoscale();
  await own.sync();
  assert.equal(conditionsOf(await own.hpa())['AbleToScale'], 'False/FailedGetScale');
  await own.deploy(1);
  await own.autoscale({}, 'rival');
  await own.sync();
  assert.equal(conditionsOf(await own.hpa())['ScalingActive'], 'False/AmbiguousSelector');
  assert.equal(conditionsOf(await own.hpa('rival'))['ScalingActive'], 'False/AmbiguousSelector');
});

for (const [gvr, kind] of [
  [REPLICA_SETS, 'ReplicaSet'],
  [STATEFUL_SETS, 'StatefulSet'],
  [REPLICATION_CONTROLLERS, 'ReplicationController'],
] as const) {
  test(`a ${kind} is scaled by its scale subresource`, async () => {
    await using own = await shop();
    const labels = { app: 'web' };
    const apiVersion = formatApiVersion(gvr);
    const selector = kind === 'ReplicationController' ? labels : { matchLabels: labels };
    await own.cloud.client.create<KubeObject>(gvr, {
      apiVersion,
      kind,
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        replicas: 9,
        selector,
        template: template(labels),
        ...(kind === 'StatefulSet' ? { serviceName: 'web' } : {}),
      },
    });
    await own.autoscale({ scaleTargetRef: { apiVersion, kind, name: 'web' } });
    const scaled = await own.cloud.client.get<KubeObject & { spec: object }>({ gvr, namespace: 'shop', name: 'web' });
    assert.equal((scaled.spec as { replicas?: number }).replicas, 6);
  });
}

test('a custom kind with a scale subresource is scaled like any other', async () => {
  await using own = await shop();
  const { client } = own.cloud;
  await client.create(CUSTOM_RESOURCE_DEFINITIONS, DEFINITION);
  const gvr = { group: 'example.com', version: 'v1', resource: 'fleets' };
  const fleet = { apiVersion: 'example.com/v1', kind: 'Fleet', metadata: { name: 'web', namespace: 'shop' } };
  await own.cloud.calm();
  await client.create(gvr, { ...fleet, spec: { ships: 12 } });
  await own.autoscale({ scaleTargetRef: { apiVersion: 'example.com/v1', kind: 'Fleet', name: 'web' } });
  await own.sync();
  const { spec } = await client.get<KubeObject & { spec: { ships: number } }>({ gvr, namespace: 'shop', name: 'web' });
  assert.equal(spec.ships, 6);
});

test('an autoscaler at rest writes nothing', async () => {
  await using own = await shop();
  await own.deploy(2);
  own.load = '50m';
  await own.autoscale();
  await own.sync();
  const { metadata } = await own.hpa();
  for (let turn = 0; turn < 4; turn++) await own.sync();
  assert.equal((await own.hpa()).metadata.resourceVersion, metadata.resourceVersion);
});

const FLEET_SCHEMA = {
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { ships: { type: 'integer' } } },
    status: { type: 'object', properties: { ships: { type: 'integer' }, selector: { type: 'string' } } },
  },
};
const DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'fleets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'fleets', kind: 'Fleet' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: FLEET_SCHEMA },
        subresources: {
          scale: {
            specReplicasPath: '.spec.ships',
            statusReplicasPath: '.status.ships',
            labelSelectorPath: '.status.selector',
          },
        },
      },
    ],
  },
};
