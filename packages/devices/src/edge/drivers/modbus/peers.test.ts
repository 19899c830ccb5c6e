/** Peers that others have made: mbpoll and libmodbus, over TCP and over serial lines. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { silentLogger, systemClock } from '@skerry/base';
import { requireSystem, type SystemNeed, serialCable } from '@skerry/testkit/processes';
import { listenModbus, ModbusServer, ModbusUnit } from '../../../simulators/index.ts';
import { pointOf, settingsOf } from '../../conformance/index.ts';
import type { DriverContext, Session } from '../../driver.ts';
import { serialSettings } from '../../transport/byte-stream.ts';
import { openSerial } from '../../transport/serial-stream.ts';
import { createModbus } from './driver.ts';

const run = promisify(execFile);
const BAUD = 19_200;
/** Of each answer: long enough for a machine with other things to do. */
const TIMEOUT_MS = 20_000;

function simulatedUnit(): ModbusUnit {
  const unit = new ModbusUnit({ size: 200 });
  for (let at = 0; at < 200; at++) unit.holdingRegisters.set([0, at], at * 2);
  unit.inputRegisters.set([0x12, 0x34], 10);
  unit.coils.set([1, 0, 1], 3);
  return unit;
}

/** The values that mbpoll prints, by its own references. */
async function mbpoll(
  target: readonly string[],
  ...wish: readonly string[]
): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await run('mbpoll', [
    ...wish.slice(0, -1),
    '-a',
    '1',
    '-0',
    '-1',
    '-q',
    '-o',
    '10',
    ...target,
    ...(wish.slice(-1)[0]?.split(' ').filter(Boolean) ?? []),
  ]);
  return Object.fromEntries([...stdout.matchAll(/^\[(\d+)\]:\s+(\S+)/gm)].map(([, at, value]) => [at, value]));
}

/** What any master may ask of our simulator: `target` is how mbpoll reaches it. */
async function checkSimulator(unit: ModbusUnit, target: readonly string[]): Promise<void> {
  const none = '';
  assert.deepEqual(await mbpoll(target, '-t', '4', '-r', '7', '-c', '3', none), { 7: '7', 8: '8', 9: '9' });
  assert.deepEqual(await mbpoll(target, '-t', '3:hex', '-r', '5', none), { 5: '0x1234' });
  assert.deepEqual(await mbpoll(target, '-t', '0', '-r', '3', '-c', '3', none), { 3: '1', 4: '0', 5: '1' });
  await mbpoll(target, '-t', '4', '-r', '20', '4660');
  await mbpoll(target, '-t', '4', '-r', '21', '1 2 3');
  await mbpoll(target, '-t', '0', '-r', '9', '1');
  assert.deepEqual(Array.from(unit.holdingRegisters.slice(40, 48)), [0x12, 0x34, 0, 1, 0, 2, 0, 3]);
  assert.equal(unit.coils[9], 1);
  await assert.rejects(mbpoll(target, '-t', '4', '-r', '300', none), /Illegal data address/);
}

test('mbpoll reads and writes our simulator over TCP', async (t) => {
  if (!requireSystem(t, 'mbpoll')) return;
  const unit = simulatedUnit();
  await using listening = await listenModbus(new ModbusServer(new Map([[1, unit]])));
  await checkSimulator(unit, ['-m', 'tcp', '-p', String(listening.port), '127.0.0.1']);
});

test('mbpoll reads and writes our simulator as RTU over a serial line', async (t) => {
  if (!requireSystem(t, 'mbpoll', 'socat')) return;
  const unit = simulatedUnit();
  await using cable = await serialCable();
  const stream = await openSerial(cable.ends[0], serialSettings({ baudRate: BAUD }));
  new ModbusServer(new Map([[1, unit]])).attach(stream, 'RTU');
  await checkSimulator(unit, ['-m', 'rtu', '-b', String(BAUD), '-P', 'none', cable.ends[1]]);
  stream.close();
});

// ——— our driver before libmodbus ———

const LIBMODBUS: readonly SystemNeed[] = ['gcc', 'libc6-dev', 'libmodbus-dev'];
const folder = await mkdtemp(join(tmpdir(), 'skerry-libmodbus-'));
after(() => rm(folder, { recursive: true }));

let compiling: Promise<string> | undefined;

function compiled(): Promise<string> {
  compiling ??= (async () => {
    const source = fileURLToPath(new URL('testing/libmodbus-server.c', import.meta.url));
    const program = join(folder, 'server');
    await run('gcc', ['-O1', '-Wall', '-o', program, source, '-lmodbus']);
    return program;
  })();
  return compiling;
}

interface Peer extends AsyncDisposable {
  readonly port: number;
}

async function libmodbus(...args: readonly string[]): Promise<Peer> {
  const child: ChildProcess = spawn(await compiled(), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  assert.ok(child.stdout !== null);
  const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), exited])) as [unknown];
  assert.match(String(line), /^\d+$/, 'libmodbus has started');
  return {
    port: Number(line),
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await exited;
    },
  };
}

const context: DriverContext = { clock: systemClock, log: silentLogger, signal: new AbortController().signal };

const POINTS = [
  pointOf('registers', 'uint16[3]', { address: 4 }),
  pointOf('input', 'int16', { table: 'InputRegister', address: 1 }),
  pointOf('coil', 'bool', { table: 'Coil', address: 3 }),
  pointOf('inputs', 'bool[4]', { table: 'DiscreteInput', address: 3 }),
  pointOf('cdab', 'float32', { address: 50 }, { wordOrder: 'little' }),
  pointOf('abcd', 'float32', { address: 52 }),
  pointOf('badc', 'float32', { address: 54 }, { byteOrder: 'little' }),
  pointOf('dcba', 'float32', { address: 56 }, { byteOrder: 'little', wordOrder: 'little' }),
  pointOf('absent', 'uint16', { address: 100 }),
];
const VALUES = [[12, 15, 18], -2, true, [true, false, false, true], 21.5, -3.25, 0.5, 1e6, 'NotFound'];

async function readAll(session: Session, points = POINTS): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  await session.group(points).read(
    {
      value: (index, raw) => (seen[index] = raw),
      fail: (index, { kind }) => (seen[index] = kind),
    },
    context.signal,
  );
  return seen;
}

/** Reads everything, writes in each way there is, and reads it back. */
async function checkDriver(endpoint: string, options: Readonly<Record<string, unknown>>): Promise<void> {
  const driver = createModbus({ clock: systemClock });
  const session = await driver.connect(settingsOf({ endpoint, options, timeoutMs: TIMEOUT_MS }), context);
  assert.deepEqual(await readAll(session), VALUES);
  const writes = [
    { point: pointOf('one', 'uint16', { address: 10 }), value: Uint8Array.of(1, 2) },
    { point: pointOf('two', 'uint16[2]', { address: 11 }), value: Uint8Array.of(3, 4, 5, 6) },
    { point: pointOf('coil', 'bool', { table: 'Coil', address: 20 }), value: Uint8Array.of(1) },
    { point: pointOf('coils', 'bool[3]', { table: 'Coil', address: 21 }), value: Uint8Array.of(0, 1, 1) },
    { point: pointOf('bit', 'uint16', { address: 12 }), value: Uint8Array.of(0, 0x80), mask: 0x80n },
  ];
  assert.deepEqual(
    await session.write?.(writes, context.signal),
    writes.map(() => undefined),
  );
  const back = await readAll(
    session,
    writes.map(({ point }) => point),
  );
  assert.deepEqual(back, [0x0102, [0x0304, 0x0586], true, [false, true, true], 0x0586]);
  await session.close();
  await driver.close?.();
}

test('our driver reads and writes a server of libmodbus over TCP', async (t) => {
  if (!requireSystem(t, ...LIBMODBUS)) return;
  await using peer = await libmodbus('tcp');
  await checkDriver(`tcp://127.0.0.1:${peer.port}`, {});
});

test('our driver reads and writes a server of libmodbus over a serial line', async (t) => {
  if (!requireSystem(t, ...LIBMODBUS, 'socat')) return;
  await using cable = await serialCable();
  await using _peer = await libmodbus('rtu', cable.ends[1]);
  await checkDriver(`serial://${cable.ends[0]}`, { serial: { baudRate: BAUD } });
});

test('our driver and our simulator speak ASCII over a serial line', async (t) => {
  if (!requireSystem(t, 'socat')) return;
  const unit = simulatedUnit();
  await using cable = await serialCable();
  const line = { baudRate: BAUD };
  const stream = await openSerial(cable.ends[1], serialSettings(line));
  new ModbusServer(new Map([[1, unit]])).attach(stream, 'ASCII');
  const driver = createModbus({ clock: systemClock });
  const endpoint = `serial://${cable.ends[0]}`;
  const settings = settingsOf({ endpoint, options: { framing: 'ASCII', serial: line }, timeoutMs: TIMEOUT_MS });
  const session = await driver.connect(settings, context);
  assert.deepEqual(await readAll(session, [pointOf('a', 'uint16[3]', { address: 7 })]), [[7, 8, 9]]);
  await driver.close?.();
  stream.close();
});
