/** Modbus devices as the data worker drives them: what is wrong with one is in its status, and nobody else's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { eventually } from '@skerry/testkit/processes';
import type { Visitor } from '../../../resources/device.ts';
import type { DeviceStatus } from '../../../resources/device-status.ts';
import { listenModbus, ModbusServer, ModbusUnit } from '../../../simulators/index.ts';
import { pointOf, settingsOf } from '../../conformance/index.ts';
import type { DriverContext, Session } from '../../driver.ts';
import { isDriverError } from '../../driver-error.ts';
import { driverInThread } from '../../remote/thread.ts';
import { memoryCable } from '../../testing/memory-stream.ts';
import { type ScratchWorker, scratchWorker } from '../../testing/scratch-worker.ts';
import { createDrivers } from '../../worker/drivers.ts';
import { createModbus } from './driver.ts';

interface Meter extends AsyncDisposable {
  readonly scratch: ScratchWorker;
  readonly server: ModbusServer;
  readonly unit: ModbusUnit;
  place(visitors: readonly Visitor[], options?: object): Promise<void>;
  /** The status, once it is as `isSo` wants it. */
  status(what: string, isSo: (status: DeviceStatus) => boolean): Promise<DeviceStatus>;
}

/** 230.5 in two registers, the low word first. */
const VOLTAGE = Uint8Array.of(0x80, 0x00, 0x43, 0x66);

async function meter(): Promise<Meter> {
  const unit = new ModbusUnit({ size: 10_000 });
  unit.holdingRegisters.set(VOLTAGE);
  const server = new ModbusServer(new Map([[1, unit]]));
  const scratch = await scratchWorker({
    modbus: async ({ clock }) =>
      createModbus({
        clock,
        openStream: async () => {
          const { ends } = memoryCable();
          server.attach(ends[1], 'TCP');
          return ends[0];
        },
      }),
  });
  await scratch.model('model', {
    properties: [
      { name: 'voltage', type: 'float32', unit: 'V', minimum: 0, maximum: 500 },
      { name: 'registers', type: 'uint16[]' },
    ],
  });
  return {
    scratch,
    server,
    unit,
    place: (visitors, options = {}) =>
      scratch.device('meter', {
        protocol: 'modbus',
        visitors,
        connection: { endpoint: 'tcp://meter:502', timeout: '1s', retries: 0, options: { ...options } },
      }),
    status: (what, isSo) =>
      scratch.until(what, async () => {
        const { status } = await scratch.get('meter');
        return status !== undefined && isSo(status) ? status : undefined;
      }),
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  };
}

test('a wrong order of words is not believed: the value is out of range, and good once the order is right', async () => {
  await using bench = await meter();
  await bench.place([{ property: 'voltage', address: { address: 0 }, encoding: {} }]);
  const wrong = await bench.status('a value', ({ reported }) => reported?.['voltage'] !== undefined);
  assert.notEqual(wrong.reported?.['voltage']?.quality, 'Good');
  await bench.scratch.patch('meter', {
    visitors: [{ property: 'voltage', address: { address: 0 }, encoding: { wordOrder: 'little' } }],
  });
  const right = await bench.status('a good value', ({ reported }) => reported?.['voltage']?.quality === 'Good');
  assert.equal(right.reported?.['voltage']?.value, 230.5);
});

test('a slow device is read as often as it can be, and what that left out is counted', async () => {
  await using bench = await meter();
  const { clock } = bench.scratch;
  bench.server.delay = (send) => {
    // A status that would say the same is not written: each answer brings another value.
    bench.unit.holdingRegisters[1] = ((bench.unit.holdingRegisters[1] ?? 0) + 1) % 256;
    clock.after(400, send);
  };
  const visitor = { property: 'voltage', address: {}, encoding: { wordOrder: 'little' }, scanClass: '100ms' } as const;
  await bench.place([visitor]);
  const { counters } = await bench.status('missed readings', (status) => (status.counters?.missedReads ?? 0) > 5);
  assert.ok((counters?.reads ?? 0) > 1 && counters?.readErrors === 0);
});

test('a device that falls silent is Disconnected with the reason, and Connected only once it answers', async () => {
  await using bench = await meter();
  await bench.place([{ property: 'voltage', address: {}, encoding: { wordOrder: 'little' } }]);
  await bench.status('a value', ({ reported }) => reported?.['voltage']?.quality === 'Good');
  bench.server.fault = 'Silent';
  const lost = await bench.status('the loss', ({ state }) => state === 'Disconnected');
  assert.match(lost.lastError ?? '', /no answer from unit 1 within 1000 ms/);
  const { connects } = lost.counters ?? {};
  await bench.scratch.clock.advance(60_000);
  assert.equal((await bench.scratch.get('meter')).status?.counters?.connects, connects);
  bench.server.fault = 'None';
  await bench.status('the return', ({ state }) => state === 'Connected');
});

test('a list of two thousand registers is one property', async () => {
  await using bench = await meter();
  bench.unit.holdingRegisters.set([0x12, 0x34], 19_998);
  const visitor = { property: 'registers', address: { count: 2000, address: 8000 } };
  await bench.place([visitor]);
  const status = await bench.status('the values', ({ reported }) => reported?.['registers'] !== undefined);
  const value = status.reported?.['registers']?.value;
  assert.ok(Array.isArray(value));
  assert.deepEqual([value.length, value.at(-1)], [2000, 0x1234]);
});

test('ten thousand properties of one device are read, all of them, in eighty requests', async () => {
  await using bench = await meter();
  const names = Array.from({ length: 10_000 }, (_, at) => `p${at}`);
  await bench.scratch.model('large', { properties: names.map((name) => ({ name, type: 'uint16' })) });
  bench.unit.holdingRegisters.set([0x12, 0x34], 19_998);
  const { worker } = bench.scratch;
  let asked = 0;
  bench.server.intercept = () => void asked++;
  await bench.scratch.device('meter', {
    model: { name: 'large' },
    protocol: 'modbus',
    connection: { endpoint: 'tcp://meter:502' },
    visitors: names.map((property, address) => ({ property, address: { address } })),
    sampling: { scanClass: '60s' },
  });
  const last = await bench.scratch.until('the last value', async () => {
    const id = worker.series.find({ namespace: 'default', object: 'meter', property: 'p9999' });
    return id === undefined ? undefined : worker.last.get(id);
  });
  assert.equal(last.value, 0x1234);
  assert.equal(asked, 80);
});

// ——— threads ———

const context: DriverContext = { clock: systemClock, log: silentLogger, signal: new AbortController().signal };
const CRASHING = new URL('../../remote/testing/crashing-thread.ts', import.meta.url);
const STEADY = new URL('../../remote/testing/simulator-thread.ts', import.meta.url);
const CRASH_CHANNEL = 'crash-of-a-driver';

async function readOne(session: Session, address: Readonly<Record<string, unknown>>): Promise<unknown> {
  let seen: unknown;
  const sink = {
    value: (_index: number, raw: unknown) => (seen = raw),
    fail: (_index: number, error: Error) => (seen = error),
  };
  await session.group([pointOf('a', 'uint16', address)]).read(sink, context.signal);
  return seen;
}

test('a driver that crashes ends its own sessions, and no others; the next device starts it again', async () => {
  const unit = new ModbusUnit({ size: 10 });
  unit.holdingRegisters.set([0, 7]);
  await using listening = await listenModbus(new ModbusServer(new Map([[1, unit]])));
  const execArgv = ['--conditions=source'];
  const drivers = createDrivers({
    clock: systemClock,
    isolate: (protocol) => driverInThread(protocol, { program: protocol === 'modbus' ? CRASHING : STEADY, execArgv }),
  });
  const settings = settingsOf({ endpoint: `tcp://127.0.0.1:${listening.port}`, timeoutMs: 20_000 });
  const modbus = await (await drivers.open('modbus')).connect(settings, context);
  const steady = await (await drivers.open('simulator')).connect(settingsOf({ name: 'steady' }), context);
  assert.equal(await readOne(modbus, {}), 7);
  const channel = new BroadcastChannel(CRASH_CHANNEL);
  channel.postMessage('now');
  assert.ok(isDriverError(await modbus.ended, 'Unreachable'));
  channel.close();
  assert.equal(await readOne(steady, { signal: 'Constant', initial: { value: 3 } }), 3);
  await eventually('the driver is started again', async () => {
    const again = await (await drivers.open('modbus')).connect(settings, context);
    return (await readOne(again, {})) === 7;
  });
  await drivers.close();
});
