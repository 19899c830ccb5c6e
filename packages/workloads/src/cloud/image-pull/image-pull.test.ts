import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  IMAGE_PULL_TASKS,
  IMAGE_PULLS,
  type ImagePull,
  type ImagePullTask,
  type ImagePullTaskStatus,
} from '../../image-kinds/index.ts';
import { imageCrds } from '../image-crds.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../resources.ts';
import { type ScratchCloud, scratchCloud } from '../testing/scratch-cloud.ts';
import { refOf } from '../writes.ts';
import { imagePullController } from './index.ts';

async function pullingCloud(): Promise<ScratchCloud> {
  const cloud = await scratchCloud();
  for (const definition of imageCrds()) await cloud.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition);
  await cloud.until('the kinds are served', () => cloud.client.list(IMAGE_PULL_TASKS).catch(() => undefined));
  for (const name of ['edge-1', 'edge-2', 'edge-3']) await cloud.addNode(name);
  cloud.run(imagePullController(cloud.context));
  return cloud;
}

async function applyPull(cloud: ScratchCloud, nodes: readonly string[]): Promise<ImagePull> {
  const pull = await cloud.client.create<ImagePull & { spec: { placement: object } }>(IMAGE_PULLS, {
    apiVersion: 'apps.skerry.io/v1alpha1',
    kind: 'ImagePull',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { images: ['web:1', 'api:2'], concurrency: 2, placement: { nodeSelector: {} } },
  });
  const patch = { status: { nodes } };
  return cloud.client.patch(refOf(IMAGE_PULLS, pull), patch, { type: 'merge', subresource: 'status' });
}

/** What a node would say. */
async function report(cloud: ScratchCloud, task: ImagePullTask, status: ImagePullTaskStatus): Promise<void> {
  const patch = { status: { observedGeneration: task.metadata.generation, ...status } };
  await cloud.client.patch(refOf(IMAGE_PULL_TASKS, task), patch, { type: 'merge', subresource: 'status' });
}

async function tasksOf(cloud: ScratchCloud): Promise<ImagePullTask[]> {
  await cloud.calm();
  return cloud.list<ImagePullTask>(IMAGE_PULL_TASKS, 'shop');
}

test('nodes get their tasks as others are done, and the pull sums it up', async () => {
  await using cloud = await pullingCloud();
  await applyPull(cloud, ['edge-1', 'edge-2', 'edge-3']);
  const first = await tasksOf(cloud);
  assert.deepEqual(
    first.map(({ metadata, spec }) => [metadata.name, spec.nodeName]),
    [
      ['web-edge-1', 'edge-1'],
      ['web-edge-2', 'edge-2'],
    ],
  );
  assert.equal(first[0]?.metadata.ownerReferences?.[0]?.kind, 'ImagePull');
  for (const task of first) await report(cloud, task, { phase: 'Pulled' });
  const [, , third] = await tasksOf(cloud);
  assert.equal(third?.spec.nodeName, 'edge-3');
  if (third !== undefined) await report(cloud, third, { phase: 'Pulled' });
  await cloud.calm();
  const [pull] = await cloud.list<ImagePull>(IMAGE_PULLS, 'shop');
  assert.deepEqual([pull?.status?.desired, pull?.status?.pulled], [3, 3]);
  assert.equal(pull?.status?.conditions?.find(({ type }) => type === 'Complete')?.status, 'True');
});

test('a failure shows with its node, its image and why', async () => {
  await using cloud = await pullingCloud();
  await applyPull(cloud, ['edge-1']);
  const [task] = await tasksOf(cloud);
  const images = [{ image: 'web:1', phase: 'Failed', reason: 'ErrImagePull', message: 'no such image' }] as const;
  if (task !== undefined) await report(cloud, task, { phase: 'Failed', images });
  await cloud.calm();
  const [pull] = await cloud.list<ImagePull>(IMAGE_PULLS, 'shop');
  assert.equal(pull?.status?.failed, 1);
  assert.deepEqual(pull?.status?.pulls?.[0], { node: 'edge-1', ...images[0] });
});
