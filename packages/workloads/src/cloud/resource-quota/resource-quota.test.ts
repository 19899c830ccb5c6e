import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import type { Pod, ReplicationController, ResourceQuota, ResourceQuotaSpec } from '@skerry/api/types';
import { canonicalJson } from '../canonical.ts';
import { findCondition } from '../conditions.ts';
import { replicationControllerController } from '../replica-set/index.ts';
import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  PODS,
  REPLICATION_CONTROLLERS,
  RESOURCE_QUOTAS,
} from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { refOf } from '../writes.ts';
import { resourceQuotaController } from './index.ts';

const QUOTA = { gvr: RESOURCE_QUOTAS, namespace: 'shop', name: 'q' };

interface World extends ScratchCloud {
  /** Waits until the status shows just this as taken. */
  readonly shows: (used: Record<string, string>) => Promise<ResourceQuota>;
}

async function check(spec: ResourceQuotaSpec, story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client } = cloud;
  cloud.run(resourceQuotaController(cloud.context), replicationControllerController(cloud.context));
  await client.create<ResourceQuota>(RESOURCE_QUOTAS, { ...named('ResourceQuota', 'q'), spec });
  const shows = async (used: Record<string, string>) => {
    const text = canonicalJson(used);
    return cloud.until(`used ${text}`, async () => {
      const quota = await client.get<ResourceQuota>(QUOTA);
      return canonicalJson(quota.status?.used ?? {}) === text && quota;
    });
  };
  await story({ ...cloud, shows });
}

function named(kind: string, name: string, apiVersion = 'v1'): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace: 'shop' } };
}

const pod = (name: string, requests: Record<string, string>): Pod => ({
  ...named('Pod', name),
  spec: { containers: [{ name: 'c', image: 'host', resources: { requests } }] },
});

test('the status follows what is made and what goes', () =>
  check({ hard: { pods: '5', 'requests.cpu': '2', configmaps: '3' } }, async ({ shows, client, list }) => {
    const { status } = await shows({ pods: '0', 'requests.cpu': '0', configmaps: '0' });
    assert.deepEqual(status?.hard, { pods: '5', 'requests.cpu': '2', configmaps: '3' });
    await client.create(PODS, pod('a', { cpu: '500m' }));
    await client.create(PODS, pod('b', { cpu: '250m' }));
    await client.create(CONFIG_MAPS, named('ConfigMap', 'm'));
    await shows({ pods: '2', 'requests.cpu': '750m', configmaps: '1' });
    const ended = { status: { phase: 'Succeeded' } };
    await client.patch({ ...QUOTA, gvr: PODS, name: 'a' }, ended, { type: 'merge', subresource: 'status' });
    await shows({ pods: '1', 'requests.cpu': '250m', configmaps: '1' });
    for (const each of await list<Pod>(PODS, 'shop')) await client.delete(refOf(PODS, each));
    await client.delete({ ...QUOTA, gvr: CONFIG_MAPS, name: 'm' });
    await shows({ pods: '0', 'requests.cpu': '0', configmaps: '0' });
  }));

test('what is allowed is shown when it changes; a status by hand stays a minute', () =>
  check({ hard: { pods: '1' } }, async ({ shows, client, clock, until, calm }) => {
    await shows({ pods: '0' });
    await client.patch(QUOTA, { spec: { hard: { pods: '2', secrets: '4' } } }, { type: 'merge' });
    assert.deepEqual((await shows({ pods: '0', secrets: '0' })).status?.hard, { pods: '2', secrets: '4' });
    await client.patch(QUOTA, { status: { hard: { pods: '9' } } }, { type: 'merge', subresource: 'status' });
    await calm();
    const hardPods = async () => (await client.get<ResourceQuota>(QUOTA)).status?.hard?.['pods'];
    assert.equal(await hardPods(), '9');
    await clock.advance(60_000);
    await until('the status is put right', async () => (await hardPods()) === '2');
  }));

test('custom kinds are counted as soon as they are there', () =>
  check({ hard: { 'count/boats.example.com': '2' } }, async ({ shows, client }) => {
    await shows({});
    const schema = { openAPIV3Schema: { type: 'object' } };
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'boats.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'boats', kind: 'Boat' },
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    });
    await shows({ 'count/boats.example.com': '0' });
    const boats = { group: 'example.com', version: 'v1', resource: 'boats' };
    await client.create(boats, named('Boat', 'a', 'example.com/v1'));
    await shows({ 'count/boats.example.com': '1' });
    await client.delete({ gvr: boats, namespace: 'shop', name: 'a' });
    await shows({ 'count/boats.example.com': '0' });
  }));

test('a controller whose pods do not fit into a quota says so, until they do', () =>
  check({ hard: { pods: '2' } }, async ({ shows, client, until }) => {
    await shows({ pods: '0' });
    const labels = { app: 'web' };
    const controller = { ...QUOTA, gvr: REPLICATION_CONTROLLERS, name: 'web' };
    await client.create<ReplicationController>(REPLICATION_CONTROLLERS, {
      ...named('ReplicationController', 'web'),
      spec: { replicas: 3, selector: labels, template: template(labels) },
    });
    const failure = async () => {
      const { status } = await client.get<ReplicationController>(controller);
      return findCondition(status?.conditions, 'ReplicaFailure');
    };
    const found = await until('a failure', failure);
    assert.match(found.message ?? '', /exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2/);
    await shows({ pods: '2' });
    await client.patch(controller, { spec: { replicas: 2 } }, { type: 'merge' });
    await until('no failure', async () => (await failure()) === undefined);
  }));
