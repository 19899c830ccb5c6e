import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceModelSpec } from '../../resources/device-model.ts';
import type { DeviceStatus } from '../../resources/device-status.ts';
import { type ScratchWorker, scratchWorker } from '../testing/scratch-worker.ts';

const MODEL: DeviceModelSpec = {
  properties: [
    { name: 'level', type: 'float64', unit: 'm' },
    { name: 'limit', type: 'int16', access: 'ReadWrite', minimum: 0, maximum: 100 },
  ],
  events: [{ name: 'overflow', severity: 'Warning', fields: [{ name: 'count', type: 'uint32' }] }],
  commands: [{ name: 'echo', input: [{ name: 'x', type: 'int32' }], output: [{ name: 'x', type: 'int32' }] }],
};

const VISITORS = [
  { property: 'level', address: { signal: 'Counter', period: '1s', step: 1 }, scanClass: '100ms' as const },
  { property: 'limit', address: { signal: 'Memory', initial: { value: 7 } }, scanClass: '100ms' as const },
];

async function tank(scratch: ScratchWorker, more: object = {}): Promise<void> {
  await scratch.model('model', MODEL);
  await scratch.device('tank', { visitors: VISITORS, commands: [{ name: 'echo', address: {} }], ...more });
}

/** The status, once it is as `isSo` wants it. */
function statusWhere(
  scratch: ScratchWorker,
  what: string,
  isSo: (status: DeviceStatus) => boolean,
): Promise<DeviceStatus> {
  return scratch.until(what, async () => {
    const { status } = await scratch.get('tank');
    return status !== undefined && isSo(status) ? status : undefined;
  });
}

const never = new AbortController().signal;

test('a device that is placed here is read, and its values are in its status and on the bus', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  const status = await statusWhere(scratch, 'a value', ({ reported }) => reported?.['limit']?.value === 7);
  assert.deepEqual([status.state, status.lastError, status.observedGeneration], ['Connected', '', 1]);
  assert.equal(status.reported?.['limit']?.quality, 'Good');
  assert.deepEqual(status.nodes, ['edge-1']);
  const { series, last } = scratch.worker;
  const id = series.find({ namespace: 'default', object: 'tank', property: 'level' });
  assert.ok(id !== undefined && last.get(id)?.quality === 192);
  assert.deepEqual(series.describe(id)?.unit, 'm');
});

test('the status is written once in the interval, however often values change', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch, { reporting: { interval: '10s' } });
  await statusWhere(scratch, 'a value', ({ reported }) => reported !== undefined);
  const versions = new Set<string | undefined>();
  for (let second = 0; second < 60; second++) {
    await scratch.clock.advance(1000);
    versions.add((await scratch.get('tank')).metadata.resourceVersion);
  }
  assert.ok(versions.size >= 5 && versions.size <= 8, `${versions.size} writes in a minute`);
});

test('a status that would say the same is not written', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch, { visitors: VISITORS.slice(1) });
  await statusWhere(scratch, 'a value', ({ reported }) => reported?.['limit']?.value === 7);
  const before = (await scratch.get('tank')).metadata.resourceVersion;
  await scratch.clock.advance(60_000);
  assert.equal((await scratch.get('tank')).metadata.resourceVersion, before);
});

test('a device that goes away is Disconnected with the reason, and its values are bad; then it is back', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  await statusWhere(scratch, 'a value', ({ reported }) => reported?.['limit']?.value === 7);
  const device = scratch.simulator.device('default', 'tank');
  device.fault = 'Unreachable';
  for (const end of device.onCut) end();
  const lost = await statusWhere(scratch, 'the loss', ({ state }) => state === 'Disconnected');
  assert.match(lost.lastError ?? '', /switched off|cut/);
  const bad = await statusWhere(scratch, 'bad values', ({ reported }) => reported?.['limit']?.quality === 'Bad');
  assert.equal('value' in (bad.reported?.['limit'] ?? {}), false);
  device.fault = undefined;
  const back = await statusWhere(scratch, 'the return', ({ reported }) => reported?.['limit']?.quality === 'Good');
  assert.deepEqual([back.state, back.lastError], ['Connected', '']);
});

test('a device that refuses single properties is Degraded and says which', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  scratch.simulator.device('default', 'tank').fault = 'Refuses';
  const status = await statusWhere(scratch, 'the refusal', ({ state }) => state === 'Degraded');
  assert.match(status.lastError ?? '', /level: the device refuses \(and 1 more\)/);
});

test('values that cannot be understood are bad, counted and said', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  scratch.simulator.device('default', 'tank').fault = 'Garbage';
  const status = await statusWhere(
    scratch,
    'the garbage',
    ({ counters }) => (counters?.dropped?.['Undecodable'] ?? 0) > 0,
  );
  assert.match(status.lastError ?? '', /level: the value is not a number/);
});

test('a device that cannot be driven as it is written says what is wrong, until it is put right', async () => {
  await using scratch = await scratchWorker();
  await scratch.device('tank', { visitors: VISITORS });
  const missing = await statusWhere(scratch, 'the missing model', ({ state }) => state === 'Invalid');
  assert.match(missing.lastError ?? '', /model model does not exist/);
  await scratch.model('model', MODEL);
  await statusWhere(scratch, 'a value', ({ state }) => state === 'Connected');
  await scratch.patch('tank', { protocol: 'nothing' });
  const unknown = await statusWhere(scratch, 'the missing driver', ({ lastError }) => lastError !== '');
  assert.match(unknown.lastError ?? '', /no driver for nothing/);
});

test('a secret that is not there is said, and taken when it comes', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch, { connection: { secretName: 'login' } });
  const missing = await statusWhere(scratch, 'the missing secret', ({ state }) => state === 'Disconnected');
  assert.match(missing.lastError ?? '', /secrets "login" is not there/);
  const secrets = { group: '', version: 'v1', resource: 'secrets' };
  await scratch.client.create(secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'login', namespace: 'default' },
  });
  await statusWhere(scratch, 'the connection', ({ state }) => state === 'Connected');
});

test('a disabled device is left alone, and one that is deleted or placed elsewhere is let go', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  await statusWhere(scratch, 'a value', ({ state }) => state === 'Connected');
  await scratch.patch('tank', { disabled: true });
  await statusWhere(scratch, 'the rest', ({ state }) => state === 'Disabled');
  assert.deepEqual(scratch.worker.devices.all(), []);
  await scratch.patch('tank', { disabled: false });
  await scratch.until('a live device', async () => scratch.worker.devices.get('default', 'tank'));
  const ref = {
    gvr: { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'devices' },
    namespace: 'default',
    name: 'tank',
  };
  await scratch.client.patch(ref, { status: { nodes: ['edge-2'] } }, { type: 'merge', subresource: 'status' });
  await scratch.until('no live device', async () => scratch.worker.devices.all().length === 0);
});

test('what is desired ends no session', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  await statusWhere(scratch, 'a value', ({ state }) => state === 'Connected');
  await scratch.patch('tank', { desired: { limit: { value: 5 } } });
  await scratch.until('the newer device', async () => {
    const { device } = scratch.worker.devices.get('default', 'tank') ?? {};
    return device?.spec.desired?.['limit']?.value === 5;
  });
  assert.equal(scratch.worker.devices.get('default', 'tank')?.condition.counters.connects, 1);
});

test('values are written, read back and commands are called in terms of the model', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  await statusWhere(scratch, 'a value', ({ state }) => state === 'Connected');
  const device = scratch.worker.devices.get('default', 'tank');
  assert.ok(device !== undefined);
  const outcomes = await device.write(
    new Map([
      ['limit', 42],
      ['level', 1],
      ['nothing', 1],
    ]),
    never,
  );
  assert.deepEqual(Object.fromEntries([...outcomes].map(([name, error]) => [name, error?.kind])), {
    level: 'Rejected',
    limit: undefined,
    nothing: 'NotFound',
  });
  assert.deepEqual(await device.readBack(['limit'], never), new Map([['limit', 42]]));
  assert.deepEqual(await device.call('echo', new Map([['x', 5]]), never), new Map([['x', 5]]));
  await assert.rejects(device.call('other', new Map(), never), /no command other/);
});

test('ten thousand properties of one device are read, and their values are on the bus', async () => {
  await using scratch = await scratchWorker();
  const properties = Array.from({ length: 10_000 }, (_, at) => ({ name: `p${at}`, type: 'int32' }));
  await scratch.model('model', { properties });
  await scratch.device('tank', {
    visitors: properties.map(({ name }) => ({
      property: name,
      address: { signal: 'Constant', initial: { value: 3 } },
    })),
  });
  await statusWhere(scratch, 'values', ({ state }) => state === 'Connected');
  const { series, last } = scratch.worker;
  await scratch.until('the last of them', async () => {
    const id = series.find({ namespace: 'default', object: 'tank', property: 'p9999' });
    return id !== undefined && last.get(id)?.value === 3;
  });
  const status = await statusWhere(scratch, 'a report', ({ reported }) => reported !== undefined);
  assert.equal(Object.keys(status.reported ?? {}).length, 1000);
});

/** `reason: message` of each Event of the tank. */
async function eventsOf(scratch: ScratchWorker): Promise<string[]> {
  const { items } = await scratch.client.list({ group: '', version: 'v1', resource: 'events' });
  return items.map((event) => `${String(event['reason'])}: ${String(event['message'])}`);
}

test('what a device reports by itself is told to whoever listens, and to people as an Event', async () => {
  await using scratch = await scratchWorker();
  const heard: unknown[] = [];
  scratch.worker.devices.onEvent(({ device, event, fields }) => heard.push([device, event, fields.get('count')]));
  await tank(scratch, { events: [{ name: 'overflow', address: { period: '1s' } }] });
  await scratch.until('two of them', async () => heard.length >= 2);
  assert.deepEqual(heard.slice(0, 2), [
    ['tank', 'overflow', 1],
    ['tank', 'overflow', 2],
  ]);
  await scratch.until('an Event', async () => (await eventsOf(scratch)).includes('overflow: count=1'));
});

test('that a device is connected or lost is an Event, once each time', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  await scratch.until('the connection', async () =>
    (await eventsOf(scratch)).includes('Connected: driven by node edge-1'),
  );
  const device = scratch.simulator.device('default', 'tank');
  device.fault = 'Unreachable';
  for (const end of device.onCut) end();
  await scratch.until('the loss', async () =>
    (await eventsOf(scratch)).some((event) => event.startsWith('Disconnected: ')),
  );
  await scratch.clock.advance(60_000);
  assert.equal((await eventsOf(scratch)).filter((event) => event.startsWith('Disconnected: ')).length, 1);
});
