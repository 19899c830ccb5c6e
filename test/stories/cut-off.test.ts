/** Stories 2 and 3: the cloud dies, the agent dies, the machine reboots, and every pod is where it belongs. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Pod } from '@skerry/api/types';
import { newUid } from '@skerry/base';
import {
  COUNTING,
  deployment,
  eventually,
  GROUNDS,
  type Ground,
  type GroundKind,
  ownBootId,
  pod,
  powerOffPods,
  type Runtime,
  requireSystem,
  skipWithout,
  TcpProxy,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';

/** A machine that is busy with other things takes its time to start everything anew. */
const BACK_MS = 120_000;

for (const kind of GROUNDS) suite(`with ${kind.name}`, { skip: skipWithout(...kind.needs) }, () => tell(kind));

function tell(kind: GroundKind): void {
  const work = mkdtempSync(join(tmpdir(), 'skerry-story-'));
  const bootId = join(work, 'boot-id');
  let cloud: TestCloud;
  let edge: TestEdge;
  let cable: TcpProxy;
  let ground: Ground;
  let runtime: Runtime;

  const isRoot = process.getuid?.() === 0;

  before(async () => {
    writeFileSync(bootId, `${newUid()}\n`);
    cloud = await TestCloud.start();
    cable = await TcpProxy.start(cloud.linkAddress);
    ground = await kind.open();
    ({ runtime } = ground);
    edge = await TestEdge.join(cloud, {
      name: 'edge-1',
      args: ['--join', cable.address],
      ...ground.edge,
      ...(isRoot ? { wrapper: ownBootId(bootId) } : {}),
    });
    await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
    await cloud.apply(deployment(runtime, { name: 'web', replicas: 3, script: COUNTING }));
    await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await ground?.[Symbol.asyncDispose]();
    await cable?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  });

  /** The pods as one of the two APIs shows them, by name, all running. */
  async function running(side: TestCloud | TestEdge, selector = 'app=web'): Promise<readonly Sight[]> {
    const { items } = JSON.parse(await side.kubectl(['get', 'pods', '-l', selector, '-o', 'json'])) as { items: Pod[] };
    assert.ok(
      items.every(({ status }) => status?.phase === 'Running'),
      'all pods run',
    );
    return items.map(sightOf).sort((a, b) => a.name.localeCompare(b.name));
  }

  async function isReady(): Promise<boolean> {
    const { code } = await cloud.tryKubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=1s']);
    return code === 0;
  }

  test('the cloud is killed: pods run on, and the node answers for itself', async () => {
    const before = await running(cloud);
    await cloud.process.kill9();
    assert.deepEqual(await running(edge), before);
    const [first] = before;
    assert.match(await edge.kubectl(['logs', first?.name ?? '', '--tail=1']), /line \d+/);
    assert.equal(await edge.kubectl(['exec', first?.name ?? '', '--', 'echo', 'alone']), 'alone\n');
    assert.match(await edge.kubectl(['get', 'pods', '-o', 'wide']), /edge-1/);
  });

  test('what only the cloud may do is refused with the reason while it is away', async () => {
    const { code, stderr } = await edge.tryKubectl(['create', 'configmap', 'mine', '--from-literal=a=b']);
    assert.notEqual(code, 0);
    assert.match(stderr, /cut off/);
  });

  test('the agent is killed too and comes back with the cloud still dead: the same processes go on', async () => {
    const before = await running(edge);
    await edge.process.kill9();
    await edge.process.start();
    const back = await eventually('the local API shows the pods', () => running(edge));
    assert.deepEqual(back, before);
  });

  test('the cloud returns: no pod was restarted, none doubled, and its picture is current', async () => {
    const before = await running(edge);
    await cloud.process.start();
    // The link is back as soon as the cloud reaches into a pod again.
    const log = await eventually(
      'the cloud reaches the pods',
      () => cloud.kubectl(['logs', 'deployment/web', '--tail=1']),
      { everyMs: 50, timeoutMs: BACK_MS },
    );
    assert.match(log, /line \d+/);
    assert.deepEqual(await running(cloud), before);
    assert.ok(await isReady());
  });

  test('the machine reboots without the cloud: every pod is started anew from the replica', async (t) => {
    if (!requireSystem(t, 'root')) return;
    const before = await running(cloud);
    await cloud.process.kill9();
    await edge.process.kill9();
    powerOffPods(join(edge.dir, 'edge', 'edge-1'));
    await ground.containerd?.powerOff();
    writeFileSync(bootId, `${newUid()}\n`);
    // The container runtime comes up beside the agent, and may be the later one.
    await Promise.all([edge.process.start(), ground.containerd?.start()]);
    const isNew = ({ container }: Sight) => !before.some((old) => old.container === container);
    const allNew = async () => {
      const now = await running(edge);
      return now.length === 3 && now.every(isNew) && now;
    };
    const after = await eventually('all pods run again', allNew, { timeoutMs: BACK_MS });
    assert.deepEqual(
      after.map(({ uid }) => uid),
      before.map(({ uid }) => uid),
    );
    await cloud.process.start();
    await eventually('the node is ready', isReady);
    await eventually('the cloud knows the new containers', async () => {
      assert.deepEqual(await running(cloud), after);
      return true;
    });
  });

  test('what was deleted and made while the edge was away is exactly what happens on its return', async () => {
    await cloud.apply(pod(runtime, { name: 'old', script: COUNTING }));
    await cloud.kubectl(['wait', '--for=condition=Ready', 'pod/old', '--timeout=30s']);
    const before = await running(cloud);
    cable.cut();
    await cloud.kubectl(['delete', 'pod/old', '--wait=false']);
    await cloud.apply(pod(runtime, { name: 'new', script: COUNTING, spec: { nodeName: 'edge-1' } }));
    assert.match(await edge.kubectl(['get', 'pod', 'old', '-o', 'jsonpath={.status.phase}']), /Running/);
    cable.mend();
    await cloud.kubectl(['wait', '--for=condition=Ready', 'pod/new', '--timeout=60s']);
    await cloud.kubectl(['wait', '--for=delete', 'pod/old', '--timeout=60s']);
    assert.deepEqual(await running(cloud), before, 'the others were left alone');
    await cloud.kubectl(['delete', 'pod/new']);
  });
}

interface Sight {
  readonly name: string;
  readonly uid: string;
  readonly container: string;
  readonly restarts: number;
}

function sightOf({ metadata, status }: Pod): Sight {
  const [main] = status?.containerStatuses ?? [];
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    container: main?.containerID ?? '',
    restarts: main?.restartCount ?? 0,
  };
}
