import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControlLoop, ControlLoopSpec } from '../../resources/control-loop.ts';
import { CONTROL_LOOPS } from '../../resources/group.ts';
import { type ScratchWorker, scratchWorker } from '../testing/scratch-worker.ts';
import { JitterWindow } from './jitter.ts';

const REF = { gvr: CONTROL_LOOPS, namespace: 'default', name: 'loop' };
const never = new AbortController().signal;

/** A tank whose level a test sets, and a loop that reads it. */
async function world(scratch: ScratchWorker, spec: ControlLoopSpec): Promise<void> {
  await scratch.model('model', {
    properties: [
      { name: 'level', type: 'float64', access: 'ReadWrite' },
      { name: 'pump', type: 'bool', access: 'ReadWrite' },
      { name: 'valve', type: 'float64', access: 'ReadWrite' },
    ],
  });
  const memory = (value: unknown) => ({ signal: 'Memory', initial: { value } });
  await scratch.device('tank', {
    visitors: [
      { property: 'level', address: memory(1), scanClass: '50ms' },
      { property: 'pump', address: memory(false), scanClass: '50ms' },
      { property: 'valve', address: memory(6), scanClass: '50ms' },
    ],
  });
  const metadata = { name: 'loop', namespace: 'default' };
  const inputs = [{ name: 'level', device: 'tank', property: 'level' }];
  const loop = { apiVersion: 'devices.skerry.io/v1alpha1', kind: 'ControlLoop', metadata, spec: { inputs, ...spec } };
  await scratch.client.create(CONTROL_LOOPS, loop);
  await scratch.client.patch(REF, { status: { nodes: ['edge-1'] } }, { type: 'merge', subresource: 'status' });
}

const RULES = [{ name: 'full', when: 'level > 9', write: [{ device: 'tank', property: 'pump', value: true }] }];
const STOP_PUMP = [{ device: 'tank', property: 'pump', value: false }];
const INTERLOCKS = [{ name: 'dry', when: 'level < 0', write: STOP_PUMP }];

const statusWhere = (scratch: ScratchWorker, isSo: (status: NonNullable<ControlLoop['status']>) => boolean) =>
  scratch.until('the status', async () => {
    const { status } = await scratch.client.get<ControlLoop>(REF);
    return status !== undefined && isSo(status) && status;
  });

async function write(scratch: ScratchWorker, property: string, value: unknown, by = 'panel') {
  let result = '';
  const request = { namespace: 'default', device: 'tank', by, values: { [property]: value } };
  void scratch.worker.door.write(request, never).then((outcomes) => {
    const outcome = outcomes[property];
    result = `${outcome?.result}: ${outcome?.reason ?? ''}`;
  });
  await scratch.until('the outcome', async () => result !== '');
  return result;
}

const pumpIs = (scratch: ScratchWorker, value: boolean) =>
  scratch.until(`the pump to be ${value}`, async () => {
    const { status } = await scratch.get('tank');
    return status?.reported?.['pump']?.value === value;
  });

test('a loop writes when its condition begins to hold, and its status says what it did and how exact it is', async () => {
  await using scratch = await scratchWorker();
  await world(scratch, { rules: RULES, cycle: '100ms' });
  await statusWhere(scratch, ({ state }) => state === 'Running');
  await write(scratch, 'level', 10);
  await pumpIs(scratch, true);
  const status = await statusWhere(scratch, ({ lastAction }) => lastAction !== undefined);
  assert.equal(status.lastAction, 'rule full: tank.pump = true');
  assert.ok(status.cycles !== undefined && status.cycles > 1);
  assert.deepEqual(status.jitter, { p50Ms: 0, p99Ms: 0, maximumMs: 0 });
});

test('while an interlock holds, nobody else writes its properties', async () => {
  await using scratch = await scratchWorker();
  await world(scratch, { rules: RULES, interlocks: INTERLOCKS });
  await statusWhere(scratch, ({ state }) => state === 'Running');
  await write(scratch, 'level', -1);
  const { interlocks } = await statusWhere(scratch, ({ state }) => state === 'Interlocked');
  assert.deepEqual(interlocks, ['dry']);
  assert.match(await write(scratch, 'pump', true), /Rejected: interlock dry of loop loop holds the property/);
  await scratch.patch('tank', { desired: { pump: { value: true } } });
  const { reason } = await scratch.until('the end of the wish', async () => {
    const wish = (await scratch.get('tank')).status?.writes?.['pump'];
    return wish?.result === 'Rejected' && wish;
  });
  assert.match(reason ?? '', /interlock dry/);
  await write(scratch, 'level', 1);
  await statusWhere(scratch, ({ state }) => state === 'Running');
  assert.match(await write(scratch, 'pump', true), /^Confirmed/);
});

test('a property that two interlocks hold is free when the last of them lets go', async () => {
  await using scratch = await scratchWorker();
  const interlocks = [...INTERLOCKS, { name: 'empty', when: 'level < 5', write: STOP_PUMP }];
  await world(scratch, { interlocks });
  await statusWhere(scratch, ({ interlocks: [...names] = [] }) => names.join() === 'empty');
  await write(scratch, 'level', -1);
  await statusWhere(scratch, ({ interlocks: [...names] = [] }) => names.join() === 'dry,empty');
  await write(scratch, 'level', 1);
  await statusWhere(scratch, ({ interlocks: [...names] = [] }) => names.join() === 'empty');
  assert.match(await write(scratch, 'pump', true), /Rejected: interlock empty of loop loop holds the property/);
  await write(scratch, 'level', 6);
  await statusWhere(scratch, ({ state }) => state === 'Running');
  assert.match(await write(scratch, 'pump', true), /^Confirmed/);
});

test('an interlock whose write fails lets go of its property when its condition is over', async () => {
  await using scratch = await scratchWorker();
  const impossible = [{ device: 'tank', property: 'pump', value: 'off' }];
  await world(scratch, { interlocks: [{ name: 'dry', when: 'level < 0', write: impossible }] });
  await statusWhere(scratch, ({ state }) => state === 'Running');
  await write(scratch, 'level', -1);
  await statusWhere(scratch, ({ lastError = '' }) => lastError.includes('interlock dry: tank.pump not written'));
  await write(scratch, 'level', 1);
  await statusWhere(scratch, ({ state }) => state === 'Running');
  assert.match(await write(scratch, 'pump', true), /^Confirmed/);
});

/** What becomes of a wish for the pump that a node finds when it starts, and the level as it is then. */
async function wishAfterRestart(level: number): Promise<string> {
  await using scratch = await scratchWorker();
  await world(scratch, { interlocks: INTERLOCKS });
  await statusWhere(scratch, ({ state }) => state === 'Running');
  const device = scratch.simulator.device('default', 'tank');
  device.fault = 'Unreachable';
  for (const end of device.onCut) end();
  await scratch.patch('tank', { desired: { pump: { value: true } } });
  const wishWhere = (results: readonly string[]) =>
    scratch.until('the wish', async () => {
      const wish = (await scratch.get('tank')).status?.writes?.['pump'];
      return wish !== undefined && results.includes(wish.result) && wish;
    });
  await wishWhere(['Pending']);
  await scratch.restart();
  await statusWhere(scratch, ({ state }) => state === 'Holding');
  device.memory.set('level', level);
  device.fault = undefined;
  const { result, reason = '' } = await wishWhere(['Confirmed', 'Rejected']);
  return `${result}: ${reason}`;
}

test('after a restart no wish gets past an interlock before it is known whether it holds', async () => {
  assert.match(await wishAfterRestart(-1), /Rejected: interlock dry of loop loop holds the property/);
  assert.match(await wishAfterRestart(1), /^Confirmed/);
});

test('who comes to the door before it is known whether an interlock holds is told so', async () => {
  await using scratch = await scratchWorker();
  const inputs = [
    { name: 'level', device: 'tank', property: 'level' },
    { name: 'other', device: 'elsewhere', property: 'level' },
  ];
  await world(scratch, { inputs, interlocks: INTERLOCKS });
  await statusWhere(scratch, ({ state }) => state === 'Holding');
  await scratch.until('the device', async () => scratch.worker.devices.get('default', 'tank')?.isConnected === true);
  assert.match(await write(scratch, 'pump', true), /Rejected: loop loop holds the property until its inputs are known/);
});

test('a PID goes on from the output that it finds', async () => {
  await using scratch = await scratchWorker();
  const output = { device: 'tank', property: 'valve' };
  const pid = { input: 'level', setpoint: '1', kp: 2, ki: 0.5, output, minimum: 0, maximum: 10 };
  await world(scratch, { pid });
  await statusWhere(scratch, ({ state }) => state === 'Running');
  const device = scratch.simulator.device('default', 'tank');
  assert.equal(device.memory.get('valve'), undefined);
  await write(scratch, 'level', 0);
  await scratch.until('a step', async () => device.memory.has('valve'));
  // From 6, which it had: two for the error of one, and a little for its time.
  const first = Number(device.memory.get('valve'));
  assert.ok(first >= 8 && first < 9, `${first}`);
});

test('a loop whose device does not answer holds and says why, and goes on when it is back', async () => {
  await using scratch = await scratchWorker();
  await world(scratch, { rules: RULES });
  await statusWhere(scratch, ({ state }) => state === 'Running');
  const device = scratch.simulator.device('default', 'tank');
  device.fault = 'Unreachable';
  for (const end of device.onCut) end();
  const { lastError } = await statusWhere(scratch, ({ state }) => state === 'Holding');
  assert.match(lastError ?? '', /tank.level has no fresh value/);
  device.fault = undefined;
  await statusWhere(scratch, ({ state }) => state === 'Running');
});

test('a loop that cannot run says why, and one that is not enabled rests', async () => {
  await using scratch = await scratchWorker();
  await world(scratch, { rules: [{ name: 'full', when: 'depth > 9' }] });
  const { lastError } = await statusWhere(scratch, ({ state }) => state === 'Failed');
  assert.match(lastError ?? '', /spec.rules\[0\].when knows no variable depth/);
  await scratch.client.patch(REF, { spec: { enabled: false } }, { type: 'merge' });
  await statusWhere(scratch, ({ state }) => state === 'Disabled');
});

test('jitter is told of the last minute, by its middle, its tail and its worst', () => {
  const window = new JitterWindow(1000);
  assert.equal(window.summary, undefined);
  for (let late = 1; late <= 100; late++) window.add(late);
  assert.deepEqual(window.summary, { p50Ms: 71, p99Ms: 100, maximumMs: 100 });
});
