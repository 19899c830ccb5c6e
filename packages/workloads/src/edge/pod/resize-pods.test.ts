/** Resources of running pods that are changed, with both runtimes and their real control groups. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { CONTAINERD, eventually, PROCESS, type Runtime, skipWithout } from '@skerry/testkit/processes';
import { ContainerNode, isReady, SLEEP, shell } from '../testing/container-node.ts';
import { type ScratchNode, scratchNode } from '../testing/scratch-node.ts';
import type { Container, Pod, Resources } from './types.ts';

for (const runtime of [PROCESS, CONTAINERD]) {
  suite(`with runtime ${runtime.name}`, { skip: skipWithout('root', ...runtime.needs) }, () => tell(runtime));
}

const PODS = { group: '', version: 'v1', resource: 'pods' } as const;
const CGROUPS = '/sys/fs/cgroup';
const Mi = 1024 * 1024;

function tell(runtime: Runtime): void {
  let site: ContainerNode | undefined;
  let node: ScratchNode;
  before(async () => {
    site = runtime === CONTAINERD ? await ContainerNode.start() : undefined;
    node = site?.node ?? (await scratchNode());
  });
  after(async () => {
    if (site === undefined) await node?.[Symbol.asyncDispose]();
    else await site[Symbol.asyncDispose]();
  });

  const sleeper = (resources: Resources, more: Partial<Container> = {}): Partial<Container> => ({
    ...(site === undefined ? { command: ['sh', '-c', SLEEP] } : shell(SLEEP)),
    resources,
    ...more,
  });

  const resize = (name: string, resources: Resources): Promise<Pod> =>
    node.client.patch<Pod>(
      { gvr: PODS, namespace: 'default', name },
      { spec: { containers: [{ name: 'main', resources }] } },
      { type: 'strategic', subresource: 'resize' },
    );

  async function memoryLimit(name: string): Promise<number> {
    if (site === undefined) {
      const record = (await node.runtime.list()).find(({ labels, exit }) => labels.pod === name && exit === undefined);
      return limitOf(record?.pid ?? 0);
    }
    const id = (await node.get(name))?.status?.containerStatuses?.[0]?.containerID?.split('//')[1] ?? '-';
    const line = site.containerd
      .ctr('tasks', 'ls')
      .split('\n')
      .find((one) => one.startsWith(id));
    return limitOf(Number(line?.split(/\s+/)[1]));
  }

  test('a running container is given what its spec says by now, and its status says so', async () => {
    const resources = { requests: { memory: '64Mi' }, limits: { memory: '64Mi', cpu: '500m' } };
    await node.run('grows', sleeper(resources));
    const before = await node.until('grows', isReady);
    assert.deepEqual(before.status?.containerStatuses?.[0]?.resources?.limits, resources.limits);
    assert.equal(await memoryLimit('grows'), 64 * Mi);
    await resize('grows', {
      requests: { memory: '96Mi', cpu: '250m' },
      limits: { memory: '96Mi', cpu: '250m' },
    });
    const after = await node.until(
      'grows',
      ({ status }) => status?.containerStatuses?.[0]?.resources?.limits?.['memory'] === '96Mi',
    );
    assert.equal(await memoryLimit('grows'), 96 * Mi);
    const [status] = after.status?.containerStatuses ?? [];
    assert.equal(status?.restartCount, 0);
    assert.equal(status?.containerID, before.status?.containerStatuses?.[0]?.containerID);
    assert.equal(status?.allocatedResources?.['memory'], '96Mi');
    assert.equal(resizeConditionOf(after), undefined);
    await node.restartAgent();
    assert.equal((await node.until('grows', isReady)).status?.containerStatuses?.[0]?.restartCount, 0);
  });

  test('a container that does not bear it is restarted', async () => {
    const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
    await node.run('restarts', sleeper({ limits: { memory: '64Mi' } }, { resizePolicy }));
    await node.until('restarts', isReady);
    await resize('restarts', { limits: { memory: '80Mi' }, requests: { memory: '80Mi' } });
    await node.until('restarts', (pod) => isReady(pod) && pod.status?.containerStatuses?.[0]?.restartCount === 1);
    assert.equal(await memoryLimit('restarts'), 80 * Mi);
  });

  test('what the node has not got is said, and given up when the spec takes it back', async () => {
    await node.run('greedy', sleeper({ requests: { memory: '32Mi' } }));
    await node.until('greedy', isReady);
    await resize('greedy', { requests: { memory: '5Gi' } });
    const pending = await node.until('greedy', (pod) => resizeConditionOf(pod)?.type === 'PodResizePending');
    assert.equal(resizeConditionOf(pending)?.reason, 'Infeasible');
    await resize('greedy', { requests: { memory: '48Mi' } });
    const done = await node.until('greedy', (pod) => resizeConditionOf(pod) === undefined);
    assert.equal(done.status?.containerStatuses?.[0]?.allocatedResources?.['memory'], '48Mi');
  });

  test('a limit below what is in use is refused, and the container lives', async () => {
    const hog = 'x=$(head -c 20000000 /dev/zero | tr "\\0" x); while :; do sleep 0.1; done';
    const main = site === undefined ? { command: ['sh', '-c', hog] } : shell(hog);
    await node.run('full', { ...main, resources: { limits: { memory: '128Mi' } } });
    await eventually('it uses much', async () => {
      const lists = await Promise.all(node.runtimes.serving.map((one) => one.usage()));
      return lists.flat().some(({ workingSetBytes }) => workingSetBytes > 15 * Mi);
    });
    await resize('full', { limits: { memory: '8Mi' }, requests: { memory: '8Mi' } });
    const refused = await node.until('full', (pod) => resizeConditionOf(pod)?.reason === 'Error');
    assert.match(resizeConditionOf(refused)?.message ?? '', /uses \d+ bytes of memory, more than its new limit/);
    assert.equal(await memoryLimit('full'), 128 * Mi);
  });
}

const resizeConditionOf = ({ status }: Pod) => status?.conditions?.find(({ type }) => type.startsWith('PodResize'));

/** Of control groups of either version. */
function limitOf(pid: number): number {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const own = groups.find(([, names]) => names === 'memory')?.[2];
  if (own !== undefined) return Number(readFileSync(join(CGROUPS, 'memory', own, 'memory.limit_in_bytes'), 'utf8'));
  const unified = groups.find(([, names]) => names === '')?.[2] ?? '';
  const root =
    statSync(join(CGROUPS, 'unified'), { throwIfNoEntry: false }) === undefined ? CGROUPS : join(CGROUPS, 'unified');
  return Number(readFileSync(join(root, unified, 'memory.max'), 'utf8'));
}
