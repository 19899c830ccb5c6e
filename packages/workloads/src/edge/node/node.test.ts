import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import { silentLogger, systemClock } from '@skerry/base';
import { createInProcessClient } from '@skerry/kube/client';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { fakeClock } from '@skerry/testkit';
import type { Pressure } from '../eviction/pressure.ts';
import type { PodRuntime } from '../runtime.ts';
import { createRuntimeSet } from '../runtime-set.ts';
import { findAccelerators } from './accelerators.ts';
import { allocatableOf, capacityOf } from './capacity.ts';
import { nodeConditions } from './conditions.ts';
import { hostAddresses } from './host-facts.ts';
import { eventsOf, startEvents } from './node-events.ts';
import { createNodeReporter } from './reporter.ts';

function within<T>(story: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-host-'));
  return Promise.resolve(story(directory)).finally(() => rmSync(directory, { recursive: true, force: true }));
}

type Pci = readonly [vendor: string, device: string, pciClass: string];

/** A machine with these devices on its PCI bus. */
function check(devices: readonly Pci[], expected: ReturnType<typeof findAccelerators>): Promise<void> {
  return within((root) => {
    devices.forEach(([vendor, device, pciClass], index) => {
      const at = join(root, 'sys/bus/pci/devices', `0000:0${index}:00.0`);
      mkdirSync(at, { recursive: true });
      writeFileSync(join(at, 'vendor'), `${vendor}\n`);
      writeFileSync(join(at, 'device'), `${device}\n`);
      writeFileSync(join(at, 'class'), `${pciClass}\n`);
    });
    assert.deepEqual(findAccelerators(root), expected);
  });
}

test('a machine without accelerators has none', () =>
  check([['0x8086', '0x100e', '0x020000']], { resources: {}, labels: {} }));

test('graphics processors are counted by vendor', () =>
  check(
    [
      ['0x10de', '0x2204', '0x030000'],
      ['0x10de', '0x20b0', '0x030200'],
      ['0x1234', '0x1111', '0x030000'],
    ],
    {
      resources: { 'nvidia.com/gpu': '2' },
      labels: {
        'hardware.skerry.io/gpu': 'true',
        'hardware.skerry.io/gpu-vendor': 'nvidia',
        'hardware.skerry.io/gpu-device': '20b0',
      },
    },
  ));

test('neural processors are found by class, or by a vendor that makes nothing else', () =>
  check(
    [
      ['0x8086', '0x7d1d', '0x120000'],
      ['0x1e60', '0x2864', '0x0b4000'],
      ['0x19e5', '0xd100', '0x120000'],
    ],
    {
      resources: { 'npu.intel.com/accel': '1', 'hailo.ai/npu': '1', 'huawei.com/Ascend': '1' },
      labels: {
        'hardware.skerry.io/npu': 'true',
        'hardware.skerry.io/npu-vendor': 'huawei',
        'hardware.skerry.io/npu-device': 'd100',
      },
    },
  ));

test('conditions are in a kubelet’s words, and the time of a transition is kept', () => {
  const of = (pressures: readonly Pressure[], known: Parameters<typeof nodeConditions>[3] = []) =>
    nodeConditions(new Set(pressures), { isReady: true, message: 'ok' }, [], known, 60_000);
  const words = (pressures: readonly Pressure[]) => of(pressures).map(({ status, reason }) => `${status} ${reason}`);
  assert.deepEqual(words([]), [
    'False KubeletHasSufficientMemory',
    'False KubeletHasNoDiskPressure',
    'False KubeletHasSufficientPID',
    'True KubeletReady',
  ]);
  assert.deepEqual(words(['MemoryPressure', 'DiskPressure', 'PIDPressure']), [
    'True KubeletHasInsufficientMemory',
    'True KubeletHasDiskPressure',
    'True KubeletHasInsufficientPID',
    'True KubeletReady',
  ]);
  const known = [{ type: 'Ready', status: 'True' as const, lastTransitionTime: 'before' }];
  assert.equal(of([], known).at(-1)?.lastTransitionTime, 'before');
});

test('a node tells of what changes, and of a boot that it did not know', () => {
  const changes = (before: string | undefined, after: string) => {
    const at = (status: string | undefined) =>
      status === undefined ? [] : [{ type: 'DiskPressure', status: status as 'True' }];
    return eventsOf('edge-1', at(before), at(after)).map(({ message }) => message);
  };
  assert.deepEqual(changes('False', 'True'), ['Node edge-1 status is now: NodeHasDiskPressure']);
  assert.deepEqual(changes(undefined, 'False'), ['Node edge-1 status is now: NodeHasNoDiskPressure']);
  assert.deepEqual(changes('True', 'True'), []);
  const starts = (before: string | undefined) => startEvents('edge-1', before, 'b').map(({ reason }) => reason);
  assert.deepEqual([undefined, 'b', 'a'].map(starts), [['Starting'], ['Starting'], ['Starting', 'Rebooted']]);
});

test('what eviction keeps free is not for pods', () => {
  const capacity = capacityOf({ usage: { memoryTotal: 1000 * 1024, diskTotal: 2000 * 1024 }, cpus: 2, maxPods: 7 }, {});
  assert.deepEqual(capacity, { cpu: '2', memory: '1000Ki', 'ephemeral-storage': '2000Ki', pods: '7' });
  const reserved = { cpuMillis: 100, memory: [{ units: 100 * 1024 }], disk: [{ share: 0.1 }] };
  assert.deepEqual(allocatableOf(capacity, reserved), {
    cpu: '1900m',
    memory: '900Ki',
    'ephemeral-storage': '1800Ki',
    pods: '7',
  });
});

test('addresses leave out loopback, link-local and container bridges', () => {
  const at = (address: string, family: 'IPv4' | 'IPv6' = 'IPv4', internal = false) =>
    ({ address, family, internal, netmask: '', mac: '', cidr: null, scopeid: 0 }) as never;
  assert.deepEqual(
    hostAddresses({
      lo: [at('127.0.0.1', 'IPv4', true)],
      docker0: [at('172.17.0.1')],
      eth0: [at('fe80::1', 'IPv6'), at('10.1.2.3'), at('fd00::3', 'IPv6')],
    }),
    ['10.1.2.3', 'fd00::3'],
  );
  assert.deepEqual(hostAddresses({}), ['127.0.0.1']);
});

interface ReportedNode extends KubeObject {
  spec: { unschedulable?: boolean };
  status: {
    conditions: { type: string; status: string }[];
    capacity: Record<string, string>;
    addresses: { address: string }[];
    nodeInfo: Record<string, string>;
  };
}

test('the node registers itself, keeps its status and lease, and heals what others wrote over', () =>
  within(async (directory) => {
    const store = openStore({ file: join(directory, 'store.db'), clock: systemClock, log: silentLogger });
    const server = createApiServer({
      store,
      clock: systemClock,
      log: silentLogger,
      authorizer: { authorize: () => ({ allowed: true }) },
    });
    const user = { username: 'test', groups: ['system:masters', 'system:authenticated'] };
    const client = createInProcessClient({ handle: (request) => server.handle(request), user });
    await client.create(
      { group: '', version: 'v1', resource: 'namespaces' },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-node-lease' } },
    );
    const clock = fakeClock();
    let ips = ['10.0.0.1'];
    let isServing = true;
    const pressures = new Set<Pressure>();
    const wakes = new Set<() => void>();
    const pressure = {
      pressures,
      onChange: (listener: () => void) => {
        wakes.add(listener);
        return { [Symbol.dispose]: () => void wakes.delete(listener) };
      },
    };
    const runtimes = createRuntimeSet({ name: 'process', version: 'process://1' } as PodRuntime);
    const containers = { name: 'containerd', version: 'containerd://1', isServing: () => isServing } as PodRuntime;
    const reporter = createNodeReporter({
      client,
      nodeName: 'edge-1',
      clock,
      log: silentLogger,
      runtimes,
      pressure,
      nodeIps: () => ips,
      directory,
      version: 'v1.36.0-skerry',
    });
    const abort = new AbortController();
    const running = reporter.run(abort.signal);
    const ref = { gvr: { group: '', version: 'v1', resource: 'nodes' }, name: 'edge-1' };
    const node = () => client.get<ReportedNode>(ref);
    const until = async (isDone: (one: ReportedNode) => boolean, seconds = 100): Promise<ReportedNode> => {
      for (let tries = 0; tries <= seconds; tries++) {
        const one = await node().catch(() => undefined);
        if (one !== undefined && isDone(one)) return one;
        await clock.advance(1000);
      }
      throw new Error(`node is ${JSON.stringify(await node(), null, 1)}`);
    };
    const ready = (one: ReportedNode) => one.status.conditions.find(({ type }) => type === 'Ready')?.status;
    const first = await until((one) => ready(one) === 'True');
    assert.equal(first.metadata.labels?.['runtime.skerry.io/process'], 'true');
    assert.equal(first.metadata.labels?.['skerry.io/edge'], 'true');
    assert.equal(first.status.nodeInfo['containerRuntimeVersion'], 'process://1');
    await client.patch(
      ref,
      { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } },
      { type: 'strategic', subresource: 'status' },
    );
    await until((one) => ready(one) === 'True', 1);
    ips = ['10.0.0.2'];
    const moved = await until((one) => one.status.addresses.some(({ address }) => address === '10.0.0.2'));
    assert.deepEqual(
      moved.status.addresses.map(({ address }) => address),
      ['10.0.0.2', 'edge-1'],
    );
    const health = (one: ReportedNode) =>
      one.status.conditions.find(({ type }) => type === 'ContainerRuntimeUnhealthy')?.status;
    const isLabelled = (one: ReportedNode) => one.metadata.labels?.['runtime.skerry.io/containerd'] === 'true';
    assert.equal(health(moved), undefined, 'a node without containers has nothing to say of them');
    runtimes.add(containers);
    const grown = await until((one) => health(one) === 'False', 1);
    assert.equal(grown.status.nodeInfo['containerRuntimeVersion'], 'containerd://1');
    assert.ok(isLabelled(grown), 'pods that ask for containers may come');
    isServing = false;
    const silent = await until((one) => health(one) === 'True');
    assert.equal(silent.status.nodeInfo['containerRuntimeVersion'], 'process://1');
    assert.ok(!isLabelled(silent), 'pods that ask for containers go elsewhere');
    assert.equal(ready(silent), 'True');
    isServing = true;
    await until((one) => health(one) === 'False' && isLabelled(one));
    pressures.add('DiskPressure');
    for (const wake of wakes) wake();
    await until(
      (one) => one.status.conditions.some(({ type, status }) => type === 'DiskPressure' && status === 'True'),
      1,
    );
    const before = (await node()).metadata.resourceVersion;
    await clock.advance(60_000);
    assert.equal((await node()).metadata.resourceVersion, before, 'nothing changed, nothing written');
    const lease = await client.get<KubeObject & { spec: { holderIdentity: string } }>({
      gvr: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
      namespace: 'kube-node-lease',
      name: 'edge-1',
    });
    assert.equal(lease.spec.holderIdentity, 'edge-1');
    assert.deepEqual(
      lease.metadata.ownerReferences?.map(({ uid }) => uid),
      [first.metadata.uid],
    );
    abort.abort();
    await running;
    server.close();
    await store.close();
  }));
