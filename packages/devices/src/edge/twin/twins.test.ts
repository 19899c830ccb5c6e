import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Desired, DeviceSpec, WriteStatus } from '../../resources/device.ts';
import type { DeviceModelSpec } from '../../resources/device-model.ts';
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
