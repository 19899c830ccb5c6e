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
    ],
  });
  const memory = (value: unknown) => ({ signal: 'Memory', initial: { value } });
  await scratch.device('tank', {
    visitors: [
      { property: 'level', address: memory(1), scanClass: '50ms' },
      { property: 'pump', address: memory(false), scanClass: '50ms' },
    ],
  });
  const metadata = { name: 'loop', namespace: 'default' };
  const inputs = [{ name: 'level', device: 'tank', property: 'level' }];
  const loop = { apiVersion: 'devices.skerry.io/v1alpha1', kind: 'ControlLoop', metadata, spec: { inputs, ...spec } };
  await scratch.client.create(CONTROL_LOOPS, loop);
  await scratch.client.patch(REF, { status: { nodes: ['edge-1'] } }, { type: 'merge', subresource: 'status' });
}

const RULES = [{ name: 'full', when: 'level > 9', write: [{ device: 'tank', property: 'pump', value: true }] }];
const INTERLOCKS = [{ name: 'dry', when: 'level < 0', write: [{ device: 'tank', property: 'pump', value: false }] }];

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
