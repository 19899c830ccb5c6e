import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControllerRevision, DaemonSet, Pod } from '@skerry/api/types';
import { CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS } from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { daemonSetController } from './index.ts';
import { nodeOfPod } from './node-fit.ts';

const LOG = { gvr: DAEMON_SETS, namespace: 'shop', name: 'log' };

interface World extends ScratchCloud {
  /** `node image` of every pod, after everything has settled and each pod was bound and became ready. */
  readonly pods: () => Promise<string[]>;
  readonly status: () => Promise<DaemonSet['status']>;
}

/** Runs `story` on a cloud of two nodes with a DaemonSet. */
async function check(story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  cloud.run(daemonSetController(cloud.context));
  await cloud.addNode('a');
  await cloud.addNode('b');
  await cloud.client.create<DaemonSet>(DAEMON_SETS, {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'log', namespace: 'shop' },
    spec: {
      selector: { matchLabels: { app: 'log' } },
      template: template({ app: 'log' }, 'v1'),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
    },
  });
  await story({
    ...cloud,
    pods: async () => {
      for (let round = 0; round < 8; round++) {
        await cloud.calm();
        await liveOn(cloud);
      }
      const pods = await cloud.list<Pod>(PODS, 'shop');
      return pods.map(({ spec }) => `${spec?.nodeName} ${spec?.containers[0]?.image}`).sort();
    },
    status: async () => (await cloud.client.get<DaemonSet>(LOG)).status,
  });
}

/** What scheduler and nodes do: bind, run, and let go of what was deleted. */
async function liveOn(cloud: ScratchCloud): Promise<void> {
  for (const pod of await cloud.list<Pod>(PODS, 'shop')) {
    const { name = '', deletionTimestamp } = pod.metadata;
    if (deletionTimestamp !== undefined) {
      await cloud.client.delete({ gvr: PODS, namespace: 'shop', name }, { gracePeriodSeconds: 0 });
    } else if (pod.status?.phase === 'Pending') {
      await cloud.bind(pod, nodeOfPod(pod) ?? '');
      await cloud.setReady(pod);
    }
  }
}

test('every node has one pod, also one that comes later', () =>
  check(async ({ pods, addNode, status }) => {
    assert.deepEqual(await pods(), ['a v1', 'b v1']);
    await addNode('c');
    assert.deepEqual(await pods(), ['a v1', 'b v1', 'c v1']);
    const { desiredNumberScheduled, numberReady, updatedNumberScheduled } = (await status()) ?? {};
    assert.deepEqual([desiredNumberScheduled, numberReady, updatedNumberScheduled], [3, 3, 3]);
  }));

test('a new image rolls out node by node, and leaves a history to go back to', () =>
  check(async ({ pods, client, list }) => {
    await pods();
    const spec = { template: { spec: { containers: [{ name: 'main', image: 'v2' }] } } };
    await client.patch(LOG, { spec }, { type: 'strategic' });
    assert.deepEqual(await pods(), ['a v2', 'b v2']);
    const revisions = await list<ControllerRevision>(CONTROLLER_REVISIONS, 'shop');
    assert.deepEqual(new Set(revisions.map(({ revision }) => revision)), new Set([1, 2]));
    const first = revisions.find(({ revision }) => revision === 1);
    await client.patch(LOG, first?.data, { type: 'strategic' });
    assert.deepEqual(await pods(), ['a v1', 'b v1']);
  }));

test('a node that is cordoned keeps its pod; a label that is gone sends it away', () =>
  check(async ({ pods, client }) => {
    await pods();
    const node = { gvr: NODES, name: 'a' };
    await client.patch(node, { metadata: { labels: { zone: 'sea' } } }, { type: 'merge' });
    await client.patch(LOG, { spec: { template: { spec: { nodeSelector: { zone: 'sea' } } } } }, { type: 'strategic' });
    assert.deepEqual(await pods(), ['a v1']);
    await client.patch(node, { metadata: { labels: { zone: null } } }, { type: 'merge' });
    assert.deepEqual(await pods(), []);
  }));
