import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Desired, DeviceSpec } from '../../resources/device.ts';
import type { DeviceModelSpec } from '../../resources/device-model.ts';
import type { WriteStatus } from '../../resources/device-status.ts';
import { type ScratchWorker, scratchWorker } from '../testing/scratch-worker.ts';

const MODEL: DeviceModelSpec = {
  properties: [
    { name: 'limit', type: 'int16', access: 'ReadWrite', minimum: 0, maximum: 100 },
    { name: 'code', type: 'int16', access: 'WriteOnly' },
    { name: 'level', type: 'float64' },
  ],
  commands: [
    { name: 'echo', input: [{ name: 'x', type: 'int32', maximum: 9 }], output: [{ name: 'x', type: 'int32' }] },
  ],
};

const VISITORS = [
  { property: 'limit', address: { signal: 'Memory', initial: { value: 7 } } },
  { property: 'code', address: { signal: 'Memory', initial: { value: 0 } }, mode: 'WriteOnly' as const },
  { property: 'level', address: { signal: 'Memory', initial: { value: 1 } } },
];

async function tank(scratch: ScratchWorker, spec: Partial<DeviceSpec> = {}): Promise<void> {
  await scratch.model('model', MODEL);
  await scratch.device('tank', { visitors: VISITORS, commands: [{ name: 'echo', address: {} }], ...spec });
  await scratch.until('the connection', async () => (await scratch.get('tank')).status?.state === 'Connected');
}

const desire = (scratch: ScratchWorker, desired: Readonly<Record<string, Desired>>) =>
  scratch.patch('tank', { desired });

/** What became of the wish for a property, once it is not Pending any more. */
function settled(scratch: ScratchWorker, property: string, value: unknown): Promise<WriteStatus> {
  return scratch.until(`the end of ${property}`, async () => {
    const write = (await scratch.get('tank')).status?.writes?.[property];
    return write !== undefined && write.result !== 'Pending' && write.value === value && write;
  });
}

/** Status, reason and message of the condition. */
async function inSync(scratch: ScratchWorker): Promise<readonly (string | undefined)[]> {
  const condition = (await scratch.get('tank')).status?.conditions?.find(({ type }) => type === 'InSync');
  return [condition?.status, condition?.reason, condition?.message];
}

async function cutOff(scratch: ScratchWorker): Promise<void> {
  scratch.simulator.device('default', 'tank').fault = 'Unreachable';
  await scratch.until('the cut', async () => (await scratch.get('tank')).status?.state === 'Disconnected');
}

const notAfter = ({ clock }: ScratchWorker, ms: number) => new Date(clock.now() + ms).toISOString();

const never = new AbortController().signal;

/** `RESULT: reason` of each property. */
async function writeAtDoor(scratch: ScratchWorker, values: Readonly<Record<string, unknown>>, by = 'gateway') {
  let outcomes: object | undefined;
  void scratch.worker.door.write({ namespace: 'default', device: 'tank', by, values }, never).then((found) => {
    outcomes = found;
  });
  const found = await scratch.until('the outcomes', async () => outcomes);
  return Object.fromEntries(
    Object.entries(found as Record<string, { result: string; reason?: string }>).map(([name, { result, reason }]) => [
      name,
      reason === undefined ? result : `${result}: ${reason}`,
    ]),
  );
}

test('what is desired is written, read back and Confirmed in the status', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  await desire(scratch, { limit: { value: 42, at: '2026-01-01T00:00:00Z', by: 'ann' } });
  const { result, at, version, time } = await settled(scratch, 'limit', 42);
  assert.deepEqual([result, at], ['Confirmed', '2026-01-01T00:00:00.000Z']);
  assert.match(version ?? '', /^[0-9a-f]{16}$/);
  assert.ok(time !== undefined);
});

test('what cannot be the property’s value, or is not to be written, is Rejected with the reason', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  await desire(scratch, { limit: { value: 101 }, level: { value: 2 } });
  assert.match((await settled(scratch, 'limit', 101)).reason ?? '', /must be between 0 and 100/);
  assert.match((await settled(scratch, 'level', 2)).reason ?? '', /read-only/);
});

test('what the device acknowledges and does not show is TimedOut, with what it shows', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  scratch.simulator.device('default', 'tank').fault = 'Ignores';
  await desire(scratch, { limit: { value: 42 } });
  const { result, reason } = await settled(scratch, 'limit', 42);
  assert.deepEqual([result, reason], ['TimedOut', 'the device says 7']);
  assert.deepEqual(await inSync(scratch), [
    'False',
    'NotConfirmed',
    'limit: 42 is desired, the device has 7, TimedOut (the device says 7)',
  ]);
});

test('a wish for a device that cannot be reached waits for it, or for its own time to be over', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  const simulated = scratch.simulator.device('default', 'tank');
  await cutOff(scratch);
  await desire(scratch, { limit: { value: 42 }, code: { value: 1, notAfter: notAfter(scratch, 10_000) } });
  assert.equal((await settled(scratch, 'code', 1)).result, 'Expired');
  assert.equal((await scratch.get('tank')).status?.writes?.['limit']?.result, 'Pending');
  assert.equal(simulated.memory.has('limit'), false);
  simulated.fault = 'None';
  assert.equal((await settled(scratch, 'limit', 42)).result, 'Confirmed');
  assert.deepEqual([simulated.memory.get('limit'), simulated.memory.has('code')], [42, false]);
});

for (const [writes, reason] of [
  [{ whileDisconnected: 'Expire' }, 'the device was not connected'],
  [{ whileDisconnected: 'Wait', expireAfter: '5s' }, 'the device was not connected for too long'],
] as const)
  test(`with ${JSON.stringify(writes)} what waits expires, and is not written later`, async () => {
    await using scratch = await scratchWorker();
    await tank(scratch, { writes });
    const simulated = scratch.simulator.device('default', 'tank');
    await cutOff(scratch);
    await desire(scratch, { limit: { value: 42 } });
    const write = await settled(scratch, 'limit', 42);
    assert.deepEqual([write.result, write.reason], ['Expired', reason]);
    simulated.fault = 'None';
    await scratch.until('the connection', async () => (await scratch.get('tank')).status?.state === 'Connected');
    await scratch.clock.advance(5000);
    assert.equal(simulated.memory.has('limit'), false);
  });

test('edge-wins: a local write stands against what is desired, until something is desired by force', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch, { visitors: VISITORS.map((each) => ({ ...each, writeRule: 'edge-wins' })) });
  assert.deepEqual(await writeAtDoor(scratch, { limit: 5 }, 'panel'), { limit: 'Confirmed' });
  await desire(scratch, { limit: { value: 42 } });
  const { result, reason } = await settled(scratch, 'limit', 42);
  assert.deepEqual([result, reason], ['Superseded', 'panel has written 5 (edge-wins)']);
  const [status, why] = await inSync(scratch);
  assert.deepEqual([status, why], ['False', 'LocalWrite']);
  await desire(scratch, { limit: { value: 43, force: true } });
  assert.equal((await settled(scratch, 'limit', 43)).result, 'Confirmed');
  await desire(scratch, { limit: { value: 44, force: false } });
  assert.equal((await settled(scratch, 'limit', 44)).result, 'Confirmed', 'the cloud leads again');
  assert.deepEqual(
    await writeAtDoor(scratch, { limit: 6 }, 'panel'),
    { limit: 'Confirmed' },
    'and the edge may win again',
  );
});

test('whether a device has what it is to have is a condition, which says how long and what is different', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  assert.equal((await scratch.get('tank')).status?.conditions, undefined);
  await desire(scratch, { limit: { value: 42 }, code: { value: 1 } });
  await settled(scratch, 'limit', 42);
  await scratch.until('that it is in sync', async () => (await inSync(scratch))[0] === 'True');
  const since = (await scratch.get('tank')).status?.conditions?.[0]?.lastTransitionTime;
  await scratch.clock.advance(20_000);
  assert.equal((await scratch.get('tank')).status?.conditions?.[0]?.lastTransitionTime, since);
  scratch.simulator.device('default', 'tank').memory.set('limit', 9);
  const found = await scratch.until('the drift', async () => {
    const [status, ...rest] = await inSync(scratch);
    return status === 'False' && rest;
  });
  assert.deepEqual(found, ['Drifted', 'limit: 42 is desired, the device has 9, Confirmed']);
  await scratch.patch('tank', { desired: { limit: null, code: null } });
  await scratch.until('its end', async () => (await scratch.get('tank')).status?.conditions === undefined);
});

test('who comes to the door is told what became of each value', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  assert.deepEqual(await writeAtDoor(scratch, { limit: 5, code: 3, nothing: 1 }), {
    limit: 'Confirmed',
    code: 'Confirmed: acknowledged; it cannot be read back',
    nothing: 'Rejected: the device has no visitor for nothing',
  });
});

test('a command is called in JSON and what it does not take is refused', async () => {
  await using scratch = await scratchWorker();
  await tank(scratch);
  const call = (command: string, input: object) =>
    scratch.worker.door.call(
      { namespace: 'default', device: 'tank', by: 'ann', command, input: input as Record<string, unknown> },
      never,
    );
  assert.deepEqual(await call('echo', { x: 5 }), { x: 5 });
  await assert.rejects(call('echo', { x: 10 }), /x must be between/);
  await assert.rejects(call('echo', {}), /needs x/);
  await assert.rejects(call('echo', { x: 1, y: 1 }), /takes no y/);
  await assert.rejects(call('other', {}), /no command other/);
});
