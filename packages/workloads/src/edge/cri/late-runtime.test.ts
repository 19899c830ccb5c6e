/** A containerd that is not there when the agent starts, and one that dies under it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CONTAINERD, eventually, skipWithout } from '@skerry/testkit/processes';
import type { Pod } from '../pod/types.ts';
import { ContainerNode, isReady, SLEEP, shell } from '../testing/container-node.ts';
import type { ScratchNode } from '../testing/scratch-node.ts';

const skip = skipWithout(...CONTAINERD.needs);

let site: ContainerNode;
let node: ScratchNode;
before(async () => {
  if (skip !== false) return;
  site = await ContainerNode.start();
  node = site.node;
  await node.client.create(
    { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' },
    {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: 'containerd' },
      handler: 'containerd',
    },
  );
});
after(() => site?.[Symbol.asyncDispose]());

function story(name: string, tell: () => Promise<void>): void {
  test(name, { skip }, tell);
}

const idOf = ({ status }: Pod) => status?.containerStatuses?.[0]?.containerID;
const isRunningThere = async (pod: string) =>
  ((await node.containers?.list()) ?? []).some(({ labels, exit }) => labels.pod === pod && exit === undefined);

story('pods of a containerd that is not there yet wait for it, untouched, and others run meanwhile', async () => {
  await node.run('held', shell(SLEEP));
  await node.run('deleted', shell(SLEEP));
  const held = await node.until('held', isReady);
  await node.until('deleted', isReady);
  await node.restartAgent(async () => {
    await site.containerd.kill9();
    site.containerd.hideSocket();
    await node.delete('deleted', 0);
  });
  assert.equal(node.containers, undefined);
  await node.run('native', { image: 'host', command: ['sleep', '1000'] });
  await node.until('native', isReady);
  await eventually('the wait is told', async () =>
    (await node.events('held')).some((event) => event.startsWith('Warning RuntimeNotReady Runtime containerd,')),
  );
  assert.deepEqual((await node.get('held'))?.status, held.status);

  await site.containerd.start();
  await node.containersCome();
  await node.run('fresh', shell(SLEEP));
  assert.match(idOf(await node.until('fresh', isReady)) ?? '', /^containerd:/);
  await eventually('what was deleted meanwhile is ended', async () => !(await isRunningThere('deleted')));
  const after = await node.until('held', isReady);
  assert.equal(idOf(after), idOf(held));
  assert.equal(after.status?.containerStatuses?.[0]?.restartCount, 0);
  await node.delete('held');
  await node.gone('held');
  assert.equal(await isRunningThere('held'), false);
});

story('a pod that asks for containers where there are none yet starts once there are', async () => {
  await node.restartAgent(async () => {
    await node.delete('fresh', 0);
    await site.containerd.kill9();
    site.containerd.hideSocket();
  });
  await node.run('early', shell(SLEEP), { runtimeClassName: 'containerd' });
  await eventually('why it waits is told', async () =>
    (await node.events('early')).some((event) => event.includes('no runtime for "containerd" is configured')),
  );
  await site.containerd.start();
  await node.containersCome();
  assert.match(idOf(await node.until('early', isReady)) ?? '', /^containerd:/);
});

story('a containerd that dies takes nothing along, and is served again when it is back', async () => {
  const before = await node.until('early', isReady);
  await site.containerd.kill9();
  await node.run('patient', shell(SLEEP));
  await eventually('the failure is told', async () => (await node.events('patient')).length > 0);
  await site.containerd.start();
  await node.until('patient', isReady);
  const after = await node.until('early', isReady);
  assert.equal(idOf(after), idOf(before));
  assert.equal(after.status?.containerStatuses?.[0]?.restartCount, 0);
});
