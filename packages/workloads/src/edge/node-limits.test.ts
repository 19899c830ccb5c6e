import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@skerry/base';
import { eventually } from '@skerry/testkit/processes';
import type { Pod } from './pod/types.ts';
import { hasBubblewrap, type ScratchNode, type ScratchOptions, scratchNode } from './testing/scratch-node.ts';

const skip = hasBubblewrap ? false : 'bubblewrap is missing: apt-get install bubblewrap';

async function check(options: ScratchOptions, story: (node: ScratchNode) => Promise<void>): Promise<void> {
  await using node = await scratchNode(options);
  await story(node);
}

const waiting = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.waiting;
const isRunning = ({ status }: Pod) => status?.phase === 'Running';

test('without bubblewrap a pod with a volume says what is missing, and one without runs', () =>
  check({ withoutBubblewrap: true }, async (node) => {
    const volumes = [{ name: 'v', emptyDir: {} }];
    await node.run('mounted', { command: ['true'], volumeMounts: [{ name: 'v', mountPath: '/v' }] }, { volumes });
    const refused = await node.until('mounted', (pod) => waiting(pod)?.message !== undefined);
    assert.match(waiting(refused)?.message ?? '', /bubblewrap, which this node lacks: apt-get install bubblewrap/);
    await node.run('plain', { command: ['sleep', '1000'], workingDir: '/usr' });
    await node.until('plain', isRunning);
    await node.delete('plain', 0);
    await node.gone('plain');
  }));

test('while the API cannot be believed yet, what it does not show is not ended', { skip }, async () => {
  let gate = Promise.resolve();
  await check({ ready: () => gate }, async (node) => {
    await node.run('kept', { command: ['sleep', '1000'] });
    await node.until('kept', isRunning);
    const opened = Promise.withResolvers<void>();
    gate = opened.promise;
    await node.restartAgent(() => node.delete('kept', 0));
    await systemClock.sleep(300);
    const left = async () => (await node.runtime.list()).filter(({ exit }) => exit === undefined).length;
    assert.equal(await left(), 1);
    opened.resolve();
    await eventually('what was deleted has ended', async () => (await left()) === 0);
  });
});

test('pods stopped with their node run again at the next start, whatever their policy', { skip }, () =>
  check({}, async (node) => {
    await node.run('always', { command: ['sleep', '1000'] });
    await node.run('never', { command: ['sleep', '1000'] }, { restartPolicy: 'Never' });
    for (const name of ['always', 'never']) await node.until(name, isRunning);
    await node.restartWithPods();
    const alive = async () => (await node.runtime.list()).filter(({ exit }) => exit === undefined);
    await eventually('both run', async () => (await alive()).length === 2);
    assert.deepEqual((await alive()).map(({ labels }) => `${labels.pod} ${labels.attempt}`).sort(), [
      'always 1',
      'never 0',
    ]);
  }),
);

test('a pod for another runtime is told that this node has none', { skip }, () =>
  check({}, async (node) => {
    await node.client.create(
      { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' },
      { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'boxes' }, handler: 'containerd' },
    );
    await node.run('boxed', { command: ['true'] }, { runtimeClassName: 'boxes' });
    const said = await eventually('the event is there', async () =>
      (await node.events('boxed')).find((event) => event.includes('no runtime')),
    );
    assert.match(said, /FailedCreatePodSandBox no runtime for "containerd" is configured/);
  }),
);
