import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { runDeviceControllers } from '../../cloud/controllers.ts';
import type { DeviceDiscovery, DeviceDiscoverySpec, DeviceProposal } from '../../resources/discovery.ts';
import { DEVICE_DISCOVERIES, DEVICE_PROPOSALS, DEVICES } from '../../resources/group.ts';
import type { DiscoveryRequest, Driver, FoundDevice } from '../driver.ts';
import { DriverError } from '../driver-error.ts';
import { createSimulator } from '../drivers/simulator/driver.ts';
import { type ScratchWorker, scratchWorker } from '../testing/scratch-worker.ts';

const REF = { gvr: DEVICE_DISCOVERIES, namespace: 'default', name: 'hall' };

/** A simulator that finds what the test says, and counts how often it looked. */
function finder(find: (time: number, signal: AbortSignal) => AsyncIterable<FoundDevice>) {
  const scans: DiscoveryRequest[] = [];
  const loader = async ({ clock }: { clock: Parameters<typeof createSimulator>[0] }): Promise<Driver> => ({
    ...createSimulator(clock),
    discover: (request, { signal }) => {
      scans.push(request);
      return find(scans.length, signal);
    },
  });
  return { scans, loaders: { simulator: loader } };
}

const tank = (number: number): FoundDevice => ({
  fingerprint: `tank ${number}`,
  name: `tank ${number}`,
  endpoint: '',
  variables: [
    { address: { signal: 'Constant', initial: { value: 5 } }, name: 'level', kind: 'Variable', type: 'int32' },
  ],
});

async function* found(...devices: readonly FoundDevice[]): AsyncGenerator<FoundDevice> {
  yield* devices;
}

async function discover(scratch: ScratchWorker, spec: Partial<DeviceDiscoverySpec> = {}): Promise<void> {
  const metadata = { name: 'hall', namespace: 'default' };
  await scratch.client.create(DEVICE_DISCOVERIES, {
    apiVersion: 'devices.skerry.io/v1alpha1',
    kind: 'DeviceDiscovery',
    metadata,
    spec: { protocol: 'simulator', ...spec },
  });
  await scratch.client.patch(REF, { status: { nodes: ['edge-1'] } }, { type: 'merge', subresource: 'status' });
}

const statusWhere = (scratch: ScratchWorker, isSo: (status: NonNullable<DeviceDiscovery['status']>) => boolean) =>
  scratch.until('the status', async () => {
    const { status } = await scratch.client.get<DeviceDiscovery>(REF);
    return status !== undefined && isSo(status) && status;
  });

const proposals = async (scratch: ScratchWorker) =>
  (await scratch.client.list<DeviceProposal>(DEVICE_PROPOSALS, { namespace: 'default' })).items;

test('what is found is proposed, once, however often it is looked for', async () => {
  const { scans, loaders } = finder(() => found(tank(1), tank(2)));
  await using scratch = await scratchWorker(loaders);
  await discover(scratch, { interval: '1m' });
  const { found: count } = await statusWhere(scratch, ({ phase }) => phase === 'Done');
  assert.equal(count, 2);
  await scratch.until('a second scan', async () => scans.length >= 2);
  await statusWhere(scratch, ({ phase }) => phase === 'Done');
  assert.equal((await proposals(scratch)).length, 2);
});

test('without an interval it is looked once, and again when the discovery changes', async () => {
  const { scans, loaders } = finder(() => found(tank(1)));
  await using scratch = await scratchWorker(loaders);
  await discover(scratch);
  await statusWhere(scratch, ({ phase }) => phase === 'Done');
  await scratch.clock.advance(600_000);
  assert.equal(scans.length, 1);
  await scratch.client.patch(REF, { spec: { maxProposals: 5 } }, { type: 'merge' });
  await scratch.until('another scan', async () => scans.length === 2);
});

test('a discovery that fails says why, and one that takes too long keeps what it has', async () => {
  const { loaders } = finder(async function* (time, signal) {
    if (time === 1) throw new DriverError('Unreachable', 'nobody is there');
    yield tank(1);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    throw new DriverError('Closed', 'stopped');
  });
  await using scratch = await scratchWorker(loaders);
  await discover(scratch);
  const failed = await statusWhere(scratch, ({ phase }) => phase === 'Failed');
  assert.match(failed.lastError ?? '', /nobody is there/);
  await scratch.client.patch(REF, { spec: { timeout: '5s' } }, { type: 'merge' });
  const done = await statusWhere(scratch, ({ phase }) => phase === 'Done');
  assert.deepEqual([done.found, done.lastError], [1, '']);
});

test('no more is proposed than the discovery permits, and the driver is told what it may look at', async () => {
  const { scans, loaders } = finder(() => found(...[1, 2, 3, 4].map(tank)));
  await using scratch = await scratchWorker(loaders);
  await discover(scratch, { maxProposals: 2, scan: { hall: 7 } });
  await statusWhere(scratch, ({ phase }) => phase === 'Done');
  assert.equal((await proposals(scratch)).length, 2);
  assert.deepEqual(
    scans.map(({ scan, limit }) => [scan, limit]),
    [[{ hall: 7 }, 2]],
  );
});

test('a policy makes devices of what is found, of the models that it names, and of nothing else', async () => {
  const { loaders } = finder(() => found(tank(1)));
  await using scratch = await scratchWorker(loaders);
  const ending = new AbortController();
  const { client, clock } = scratch;
  const controllers = runDeviceControllers({ client, clock, log: silentLogger, signal: ending.signal });
  await discover(scratch, { approval: { policy: 'Automatic', models: ['other'] } });
  await statusWhere(scratch, ({ phase }) => phase === 'Done');
  await clock.advance(10_000);
  assert.deepEqual((await client.list(DEVICES, { namespace: 'default' })).items, []);
  await client.patch(REF, { spec: { approval: { models: null } } }, { type: 'merge' });
  await scratch.until('the device', async () => {
    const { items } = await client.list(DEVICES, { namespace: 'default' });
    return items.some(({ metadata }) => metadata.name === 'tank-1');
  });
  ending.abort();
  await clock.settle();
  await controllers;
});

test('a proposal becomes a device with a person’s yes, and the device works', async () => {
  const { scans, loaders } = finder(() => found(tank(1)));
  await using scratch = await scratchWorker(loaders);
  const ending = new AbortController();
  const { client, clock } = scratch;
  const controllers = runDeviceControllers({ client, clock, log: silentLogger, signal: ending.signal });
  await discover(scratch, { interval: '1m' });
  await statusWhere(scratch, ({ phase }) => phase === 'Done');
  const [proposal] = await proposals(scratch);
  const name = proposal?.metadata.name ?? '';
  await assert.rejects(scratch.get('tank-1'), /not found/);
  const ref = { gvr: DEVICE_PROPOSALS, namespace: 'default', name };
  await client.patch(ref, { spec: { decision: 'Accepted' } }, { type: 'merge' });
  await scratch.until('the device', async () => (await client.get<DeviceProposal>(ref)).status?.device === 'tank-1');
  const device = {
    gvr: { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'devices' },
    namespace: 'default',
    name: 'tank-1',
  };
  await client.patch(device, { status: { nodes: ['edge-1'] } }, { type: 'merge', subresource: 'status' });
  await scratch.until('its value', async () => (await scratch.get('tank-1')).status?.reported?.['level']?.value === 5);
  await client.delete(ref);
  const before = scans.length;
  await scratch.until('another scan', async () => scans.length > before);
  await statusWhere(scratch, ({ phase }) => phase === 'Done');
  assert.deepEqual(await proposals(scratch), []);
  ending.abort();
  await clock.settle();
  await controllers;
});
