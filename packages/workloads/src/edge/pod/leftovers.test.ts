import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ScratchNode, scratchNode } from '../testing/scratch-node.ts';
import type { Container } from './types.ts';

let node: ScratchNode;
before(async () => {
  node = await scratchNode();
});
after(() => node[Symbol.asyncDispose]());

const shell = (script: string): Partial<Container> => ({ command: ['sh', '-c', script] });

/** Waits, for at most three seconds. */
async function check(isTrue: () => boolean, promise: string): Promise<void> {
  for (let tries = 0; !isTrue() && tries < 300; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(isTrue(), promise);
}

test('what a pod left that was deleted while the agent was away is removed, secrets and logs', async () => {
  const uid = '00000000-0000-4000-8000-000000000001';
  const places = [
    join(node.directory, 'pods', uid),
    join(node.directory, 'logs', `default_lost_${uid}`),
    `/dev/shm/skerry-${uid}`,
  ];
  await node.run('kept', shell('exit 0'), { restartPolicy: 'Never' });
  const kept = await node.until('kept', ({ status }) => status?.phase === 'Succeeded');
  await node.restartAgent(async () => {
    for (const place of places) mkdirSync(join(place, 'token'), { recursive: true });
  });
  await check(() => !places.some((place) => existsSync(place)), 'nothing is left');
  const { name, uid: keptUid } = kept.metadata;
  assert.ok(
    existsSync(join(node.directory, 'logs', `default_${name}_${keptUid}`)),
    'the log of a pod that is there stays',
  );
});

test('a pod that a foreign finalizer holds keeps its last status, whatever is changed on it', async () => {
  await node.run('held', shell('exit 0'), { restartPolicy: 'Never' }, { finalizers: ['example.org/hold'] });
  await node.until('held', ({ status }) => status?.phase === 'Succeeded');
  await node.delete('held');
  await node.until('held', ({ metadata }) => metadata.deletionGracePeriodSeconds === 0);
  const ref = { gvr: { group: '', version: 'v1', resource: 'pods' }, namespace: 'default', name: 'held' };
  const isLeft = () => node.controller.pods.list().some(({ pod }) => pod.metadata.name === 'held');
  await check(() => !isLeft(), 'its worker is done');
  const before = await node.get('held');
  await node.client.patch(ref, { metadata: { labels: { touched: 'once' } } }, { type: 'merge' });
  await node.restartAgent();
  await node.client.patch(ref, { metadata: { labels: { touched: 'twice' } } }, { type: 'merge' });
  await node.run('later', shell('exit 0'), { restartPolicy: 'Never' });
  await node.until('later', ({ status }) => status?.phase === 'Succeeded');
  assert.deepEqual((await node.get('held'))?.status, before?.status);
  assert.equal(before?.status?.phase, 'Succeeded');
  await node.client.patch(ref, { metadata: { finalizers: null } }, { type: 'merge' });
  await node.gone('held');
});
