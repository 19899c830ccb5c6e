/** A node that looks after itself: static pods before there is any cloud, runtimes that come late, pods ended when the disk is full. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Node, Pod } from '@skerry/api/types';
import {
  CONTAINERD,
  eventually,
  PROCESS,
  pod,
  requireSystem,
  skipWithout,
  TestCloud,
  TestContainerd,
  TestEdge,
} from '@skerry/testkit/processes';

const work = mkdtempSync(join(tmpdir(), 'skerry-story-'));
const folder = join(work, 'static');
const skip = skipWithout('bubblewrap');
let cloud: TestCloud;
let edge: TestEdge;

before(async () => {
  if (skip !== false) return;
  mkdirSync(folder);
  writeManifest('lamp');
  cloud = await TestCloud.start();
  edge = await TestEdge.join(cloud, { name: 'edge-1', args: ['--static-pods', folder] });
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

function writeManifest(name: string): void {
  const containers = [{ name: 'main', image: 'host', command: ['sh', '-c', `echo ${name} is on; exec sleep 1000`] }];
  const spec = { terminationGracePeriodSeconds: 1, containers };
  writeFileSync(
    join(folder, `${name}.yaml`),
    JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }),
  );
}

function story(name: string, tell: () => Promise<void>): void {
  test(name, { skip }, tell);
}

async function isReady(side: TestCloud | TestEdge, name: string): Promise<Pod | false> {
  const { code, stdout } = await side.tryKubectl(['get', 'pod', name, '-o', 'json']);
  if (code !== 0) return false;
  const found = JSON.parse(stdout) as Pod;
  return found.status?.containerStatuses?.[0]?.ready === true && found;
}

story('a static pod is shown by the cloud, with its log, as its node’s own', async () => {
  const mirror = await eventually('the mirror is in the cloud', () => isReady(cloud, 'lamp-edge-1'));
  assert.equal(mirror.metadata?.ownerReferences?.[0]?.kind, 'Node');
  assert.equal(mirror.metadata?.annotations?.['kubernetes.io/config.source'], 'file');
  assert.equal(await cloud.kubectl(['logs', 'lamp-edge-1']), 'lamp is on\n');
});

story('deleting it in the cloud ends nothing', async () => {
  const before = await eventually('it runs', () => isReady(cloud, 'lamp-edge-1'));
  await cloud.kubectl(['delete', 'pod', 'lamp-edge-1', '--wait=false']);
  const after = await eventually('another mirror is there', async () => {
    const found = await isReady(cloud, 'lamp-edge-1');
    return found !== false && found.metadata?.uid !== before.metadata?.uid && found;
  });
  assert.equal(after.status?.containerStatuses?.[0]?.containerID, before.status?.containerStatuses?.[0]?.containerID);
});

story('with the cloud dead the agent comes back cold, and runs what is new in the folder, too', async () => {
  await cloud.process.kill9();
  await edge.process.kill9();
  writeManifest('pump');
  await edge.process.start();
  await eventually('both run', async () => (await isReady(edge, 'lamp-edge-1')) && isReady(edge, 'pump-edge-1'));
  await cloud.process.start();
  await eventually('the cloud hears of it', () => isReady(cloud, 'pump-edge-1'));
  rmSync(join(folder, 'pump.yaml'));
  await eventually('its mirror goes', async () => (await cloud.tryKubectl(['get', 'pod', 'pump-edge-1'])).code !== 0);
});

test('a container runtime that comes long after the agent is taken in, and runs what waited for it', async (t) => {
  if (!requireSystem(t, ...CONTAINERD.needs)) return;
  await using containerd = await TestContainerd.start();
  await containerd.kill9();
  containerd.hideSocket();
  await using _late = await TestEdge.join(cloud, { name: 'late', containerdSocket: containerd.socket });
  await cloud.kubectl(['wait', '--for=condition=Ready', 'node/late', '--timeout=60s']);
  const about = async () => {
    const { metadata, status } = await cloud.get<Node>(['node', 'late']);
    return { labels: metadata?.labels ?? {}, runtime: status?.nodeInfo?.containerRuntimeVersion };
  };
  const before = await about();
  assert.equal(before.runtime, 'process://1');
  assert.equal(before.labels['runtime.skerry.io/containerd'], undefined);
  const spec = { runtimeClassName: 'containerd' };
  await cloud.apply(pod(CONTAINERD, { name: 'waiting', script: 'exec sleep 1000', spec }));
  await containerd.start();
  await eventually('the node offers it', async () => {
    const { labels, runtime } = await about();
    return labels['runtime.skerry.io/containerd'] === 'true' && runtime?.startsWith('containerd://');
  });
  const running = await eventually('the pod runs', () => isReady(cloud, 'waiting'));
  assert.equal(running.spec?.nodeName, 'late');
  assert.match(running.status?.containerStatuses?.[0]?.containerID ?? '', /^containerd:/);
});

test('who fills the node’s disk is evicted, new pods stay away, and the taint goes with the shortage', async (t) => {
  if (!requireSystem(t, 'root', 'bubblewrap')) return;
  const disk = join(work, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300m', 'tmpfs', disk]);
  t.after(() => execFileSync('umount', ['--lazy', disk]));
  const rules = ['--eviction-hard', 'nodefs.available<30%', '--eviction-pressure-transition-period', '1s'];
  await using _small = await TestEdge.join(cloud, { name: 'small', dir: disk, ownsDir: false, args: rules });
  await cloud.kubectl(['wait', '--for=condition=Ready', 'node/small', '--timeout=60s']);
  const script = 'dd if=/dev/zero of=/scratch/f bs=1M count=250; exec sleep 1000';
  const spec = { nodeName: 'small', volumes: [{ name: 'scratch', emptyDir: {} }] };
  const container = { volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] };
  await cloud.apply(pod(PROCESS, { name: 'filler', script, spec, container }));
  const condition = async () => {
    const { status, spec: { taints = [] } = {} } = await cloud.get<Node>(['node', 'small']);
    const pressure = status?.conditions?.find(({ type }) => type === 'DiskPressure')?.status;
    return { pressure, isTainted: taints.some(({ key }) => key === 'node.kubernetes.io/disk-pressure') };
  };
  await eventually('the node is tainted', async () => (await condition()).isTainted);
  const evicted = await eventually('the pod is evicted', async () => {
    const found = await cloud.get<Pod>(['pod', 'filler']);
    return found.status?.reason === 'Evicted' && found;
  });
  assert.equal(evicted.status?.phase, 'Failed');
  assert.match(evicted.status?.message ?? '', /^The node was low on resource: ephemeral-storage\./);
  await eventually('the shortage is over', async () => {
    const { pressure, isTainted } = await condition();
    return pressure === 'False' && !isTainted;
  });
  assert.match(await cloud.kubectl(['get', 'events', '--field-selector', 'reason=Evicted']), /pod\/filler/);
});
