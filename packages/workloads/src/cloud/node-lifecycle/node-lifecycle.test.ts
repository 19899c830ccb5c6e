import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease, Node, Pod } from '@skerry/api/types';
import { LEASES, NAMESPACES, NODES, PODS } from '../resources.ts';
import { type ScratchCloud, scratchCloud } from '../testing/scratch-cloud.ts';
import { taintEvictionController } from './evict.ts';
import { nodeLifecycleController } from './index.ts';

const ISLET = { gvr: NODES, name: 'islet' };
const WEB = { gvr: PODS, namespace: 'shop', name: 'web' };

interface World extends ScratchCloud {
  /** Time passes while the node renews its lease every ten seconds, or stays silent. */
  readonly pass: (seconds: number, how: 'alive' | 'silent') => Promise<void>;
  readonly node: () => Promise<{ ready: string; taints: string[] }>;
  readonly pod: () => Promise<'running' | 'terminating' | 'gone'>;
}

/** Runs `story` with a node that has one ready pod which tolerates a lost or flooded node for five minutes. */
async function check(
  annotations: Record<string, string> | 'plain',
  story: (world: World) => Promise<void>,
): Promise<void> {
  await using cloud = await scratchCloud();
  const { client, clock } = cloud;
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-node-lease' } });
  await cloud.addNode('islet', annotations === 'plain' ? {} : { labels: { 'skerry.io/edge': 'true' }, annotations });
  const lease = { gvr: LEASES, namespace: 'kube-node-lease', name: 'islet' };
  await client.create<Lease>(LEASES, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'islet', namespace: 'kube-node-lease' },
    spec: { holderIdentity: 'islet', leaseDurationSeconds: 40 },
  });
  const pod = await client.create<Pod>(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      nodeName: 'islet',
      containers: [{ name: 'main', image: 'host' }],
      tolerations: [
        { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
        { key: 'flood', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
    },
  });
  await cloud.setReady(pod);
  cloud.run(nodeLifecycleController(cloud.context), taintEvictionController(cloud.context));
  await cloud.calm();
  await story({
    ...cloud,
    pass: async (seconds, how) => {
      for (let passed = 0; passed < seconds; passed += 10) {
        const renewTime = new Date(clock.now()).toISOString();
        if (how === 'alive') await client.patch(lease, { spec: { renewTime } }, { type: 'merge' });
        await clock.advance(10_000);
        await cloud.calm();
      }
    },
    node: async () => {
      const { status, spec } = await client.get<Node>(ISLET);
      return {
        ready: status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? '',
        taints: (spec?.taints ?? []).map(({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`),
      };
    },
    pod: async () => {
      const found = await cloud.find<Pod>(WEB);
      if (found === undefined) return 'gone';
      return found.metadata.deletionTimestamp === undefined ? 'running' : 'terminating';
    },
  });
}

test('a node that renews its lease stays ready', () =>
  check({}, async ({ pass, node }) => {
    await pass(300, 'alive');
    assert.deepEqual(await node(), { ready: 'True', taints: [] });
  }));

test('a node that falls silent is Unknown after forty seconds, and says so in an event', () =>
  check({}, async ({ pass, node, events }) => {
    await pass(40, 'silent');
    assert.equal((await node()).ready, 'True');
    await pass(10, 'silent');
    assert.deepEqual(await node(), { ready: 'Unknown', taints: ['unreachable:NoSchedule'] });
    assert.deepEqual(await events('islet'), ['NodeNotReady: Node islet status is now: NodeNotReady']);
  }));

test('without limit, the pods of an edge node are never given up', () =>
  check({}, async ({ pass, pod, client, node }) => {
    await pass(3600, 'silent');
    assert.equal(await pod(), 'running');
    assert.deepEqual((await node()).taints, ['unreachable:NoSchedule']);
    const { status } = await client.get<Pod>(WEB);
    assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  }));

test('a deleted pod of a lost node stays until the node is back, or it is forced', () =>
  check({}, async ({ pass, pod, client }) => {
    await pass(60, 'silent');
    await client.delete(WEB);
    await pass(600, 'silent');
    assert.equal(await pod(), 'terminating');
    await client.delete(WEB, { gracePeriodSeconds: 0 });
    assert.equal(await pod(), 'gone');
  }));

test('with a limit, they are given up when it is over', () =>
  check({ 'skerry.io/autonomy-duration': '5m' }, async ({ pass, pod, node }) => {
    await pass(330, 'silent');
    assert.equal(await pod(), 'running');
    await pass(20, 'silent');
    assert.equal(await pod(), 'terminating');
    assert.deepEqual((await node()).taints, ['unreachable:NoSchedule', 'unreachable:NoExecute']);
  }));

test('a limit that is lengthened during the outage counts for the pods that wait', () =>
  check({ 'skerry.io/autonomy-duration': '5m' }, async ({ pass, pod, client }) => {
    await pass(120, 'silent');
    await client.patch(
      ISLET,
      { metadata: { annotations: { 'skerry.io/autonomy-duration': '12h' } } },
      { type: 'merge' },
    );
    await pass(240, 'silent');
    assert.equal(await pod(), 'running');
  }));

test('a taint that does not say since when it is there counts from when it was first seen', () =>
  check('plain', async ({ pass, pod, client }) => {
    const taint = { key: 'flood', effect: 'NoExecute' };
    await client.patch(ISLET, { spec: { taints: [taint] } }, { type: 'merge' });
    await pass(200, 'alive');
    await client.patch(ISLET, { metadata: { labels: { touched: 'yes' } } }, { type: 'merge' });
    await pass(90, 'alive');
    assert.equal(await pod(), 'running');
    await pass(20, 'alive');
    assert.equal(await pod(), 'terminating');
  }));

test('with autonomy 0 an edge node is as any other: tainted at once, its pods leave when their patience ends', () =>
  check({ 'skerry.io/autonomy-duration': '0' }, async ({ pass, pod, node, client, events }) => {
    await pass(50, 'silent');
    assert.deepEqual((await node()).taints, ['unreachable:NoSchedule', 'unreachable:NoExecute']);
    const { status } = await client.get<Pod>(WEB);
    assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
    await pass(280, 'silent');
    assert.equal(await pod(), 'running');
    await pass(30, 'silent');
    assert.equal(await pod(), 'terminating');
    assert.deepEqual(await events('web'), ['TaintManagerEviction: Marking for deletion Pod shop/web']);
  }));

test('a plain node that comes back in time keeps its pods', () =>
  check('plain', async ({ pass, pod, node, client }) => {
    await pass(200, 'silent');
    await client.patch(
      ISLET,
      { status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T00:03:20Z' }] } },
      { type: 'strategic', subresource: 'status' },
    );
    await pass(600, 'alive');
    assert.equal(await pod(), 'running');
    assert.deepEqual(await node(), { ready: 'True', taints: [] });
  }));

test('a cordoned node carries its taint only while it is cordoned', () =>
  check('plain', async ({ node, client, calm }) => {
    await client.patch(ISLET, { spec: { unschedulable: true } }, { type: 'merge' });
    await calm();
    assert.deepEqual((await node()).taints, ['unschedulable:NoSchedule']);
    await client.patch(ISLET, { spec: { unschedulable: null } }, { type: 'merge' });
    await calm();
    assert.deepEqual((await node()).taints, []);
  }));
