/** Ends that nobody may have to wait for: by force, and with the node. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '@skerry/testkit/processes';
import type { Pod } from './pod/types.ts';
import { hasBubblewrap, type ScratchNode, scratchNode } from './testing/scratch-node.ts';

const skip = hasBubblewrap ? false : 'bubblewrap is missing: apt-get install bubblewrap';

let node: ScratchNode;
before(async () => {
  if (skip === false) node = await scratchNode();
});
after(() => node?.[Symbol.asyncDispose]());

/** Ignores every request to end, and would be given ten minutes. */
async function stubborn(name: string): Promise<void> {
  const command = ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'];
  await node.run(name, { command }, { terminationGracePeriodSeconds: 600 });
  await node.until(name, ({ status }: Pod) => status?.containerStatuses?.[0]?.ready === true);
}

async function isRunning(name: string): Promise<boolean> {
  return (await node.runtime.list()).some(({ labels, exit }) => labels.pod === name && exit === undefined);
}

test('a pod deleted by force does not get a grace that nobody waits for', { skip }, async () => {
  await stubborn('forced');
  await node.delete('forced', 0);
  await eventually('it has ended', async () => !(await isRunning('forced')));
});

test('a node that stops waits no longer than it may, also for what was ending already', { skip }, async () => {
  await stubborn('lingering');
  await node.delete('lingering', 600);
  await node.until('lingering', ({ metadata }) => metadata.deletionTimestamp !== undefined);
  await eventually('it is told', async () => (await node.events('lingering')).some((text) => text.includes('Killing')));
  await node.controller.stopAll(1);
  assert.equal(await isRunning('lingering'), false);
  await node.restartAgent();
  await node.gone('lingering');
});
