/** Values set in the cloud, written over Modbus at a node and confirmed by reading back, commands called, and a control loop of 10 ms at that node; all of it as real processes. */
import { execFile } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Gvr, KubeObject } from '@skerry/api';
import type { HttpClient } from '@skerry/kube/client';
import { eventually } from '@skerry/testkit/processes';
import { listenModbus, ModbusServer } from '../packages/devices/src/simulators/modbus/server.ts';
import { ModbusUnit } from '../packages/devices/src/simulators/modbus/unit.ts';
import { percentile, report, round } from './support/figures.ts';
import { startSite } from './support/site.ts';

const NODE = 'bench';
/** Enough for a p99 that is not three of them. */
const COMMANDS = 1200;
const READS = 300;
const LOOP_MS = 30_000;
const API = 'devices.skerry.io/v1alpha1';
const resource = (name: string): Gvr => ({ group: 'devices.skerry.io', version: 'v1alpha1', resource: name });
const [MODELS, DEVICES, LOOPS] = [resource('devicemodels'), resource('devices'), resource('controlloops')];
const CALLS: Gvr = { group: 'telemetry.skerry.io', version: 'v1alpha1', resource: 'devicecalls' };
/** Each waits for the one before: the wish in the cloud and at the node, that it is sent, what became of it at the node and in the cloud. */
const SYNCS = 5;
const RESET = { name: 'reset', input: [{ name: 'mode', type: 'uint16' }] };
const DEVICE = { gvr: DEVICES, namespace: 'default', name: 'drive' };

interface Device extends KubeObject {
  readonly status?: {
    readonly state?: string;
    readonly writes?: Readonly<Record<string, { readonly result: string; readonly at?: string }>>;
  };
}

interface Loop extends KubeObject {
  readonly status?: {
    readonly cycles?: number;
    readonly jitter?: { readonly p50Ms: number; readonly p99Ms: number; readonly maximumMs: number };
  };
}

await using meter = await listenModbus(new ModbusServer(new Map([[1, new ModbusUnit()]])));
await using site = await startSite(NODE);
const { client } = site;
await makeDevice(client, `tcp://127.0.0.1:${meter.port}`);
await eventually('the device', async () => (await client.get<Device>(DEVICE)).status?.state === 'Connected', {
  timeoutMs: 60_000,
});

const get = await timed(READS, async () => {
  await client.get(DEVICE);
});
using disk = openDisk();
const syncs: number[] = [];
const set = await commands(client, () => syncs.push(disk.sync(SYNCS)));
syncs.sort((a, b) => a - b);
const called = await calls(client);
const [jitter, timer] = await Promise.all([loop(client), bareTimer()]);
report(
  {
    name: 'a value set in the cloud, written over Modbus and confirmed: p99',
    value: round(percentile(set, 0.99)),
    unit: 'ms',
    atMost: 20,
    of: `${SYNCS} syncs of the same disk, one after another`,
    ratio: round(percentile(set, 0.99) / percentile(syncs, 0.99)),
    note: `median ${round(percentile(set, 0.5))} ms; the syncs meanwhile: median ${round(percentile(syncs, 0.5))} ms, p99 ${round(percentile(syncs, 0.99))} ms`,
  },
  {
    name: 'a command called through the cloud: p99',
    value: round(percentile(called, 0.99)),
    unit: 'ms',
    of: 'reading the device from the same API',
    ratio: round(percentile(called, 0.5) / percentile(get, 0.5)),
    note: `median ${round(percentile(called, 0.5))} ms; the ratio is that of the medians`,
  },
  {
    name: 'control loop of 10 ms beside it: jitter, p99',
    value: jitter.p99Ms,
    unit: 'ms',
    atMost: 3,
    of: 'a timer of 10 ms in a process that does nothing else',
    ratio: round(jitter.p99Ms / timer),
    note: `median ${jitter.p50Ms} ms, worst ${jitter.maximumMs} ms, over ${jitter.cycles} cycles`,
  },
);

/** From the request to the event that says Confirmed, one after another. */
async function commands(api: HttpClient, between: () => void): Promise<readonly number[]> {
  const ending = new AbortController();
  const waiting = new Map<string, () => void>();
  const watching = (async () => {
    const options = { namespace: 'default', fieldSelector: 'metadata.name=drive', signal: ending.signal };
    for await (const { object } of api.watch<Device>(DEVICES, options)) {
      const { result, at = '' } = object.status?.writes?.['speed'] ?? { result: '' };
      if (result === 'Confirmed') waiting.get(at)?.();
    }
  })().catch(() => {});
  let value = 0;
  const set = async () => {
    const at = new Date(Date.UTC(2026, 0, 1) + value).toISOString();
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(at, resolve);
    await api.patch(DEVICE, { spec: { desired: { speed: { value: value++, at } } } }, { type: 'merge' });
    await promise;
  };
  const times = await timed(COMMANDS, set, between);
  ending.abort();
  await watching;
  return times;
}

function calls(api: HttpClient): Promise<readonly number[]> {
  const call = {
    apiVersion: 'telemetry.skerry.io/v1alpha1',
    kind: 'DeviceCall',
    metadata: { namespace: 'default' },
    spec: { device: 'drive', command: 'reset', input: { mode: 1 } },
  };
  return timed(COMMANDS, async () => {
    await api.create(CALLS, call);
  });
}

/** A file that grows as a log does. */
function openDisk(): Disposable & { sync(times: number): number } {
  const file = join(tmpdir(), `skerry-bench-${process.pid}`);
  const handle = openSync(file, 'w');
  const page = Buffer.alloc(8192);
  return {
    sync: (times) => {
      const began = performance.now();
      for (let time = 0; time < times; time++) {
        writeSync(handle, page);
        fdatasyncSync(handle);
      }
      return performance.now() - began;
    },
    [Symbol.dispose]: () => {
      closeSync(handle);
      rmSync(file);
    },
  };
}

async function bareTimer(): Promise<number> {
  const program = fileURLToPath(new URL('support/bare-timer.ts', import.meta.url));
  const args = ['--conditions=source', program, String(LOOP_MS)];
  return Number((await promisify(execFile)(process.execPath, args)).stdout);
}

/** Milliseconds, sorted. People and programs that command devices do it now and then; `between` is done while nothing else is. */
async function timed(count: number, work: () => Promise<void>, between = () => {}): Promise<readonly number[]> {
  const times: number[] = [];
  for (let turn = 0; turn < count; turn++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
    await sleep(20 + (turn % 7));
    between();
    await sleep(10);
  }
  return times.toSorted((a, b) => a - b);
}

async function loop(api: HttpClient) {
  const ref = { gvr: LOOPS, namespace: 'default', name: 'drive' };
  await api.create(LOOPS, {
    apiVersion: API,
    kind: 'ControlLoop',
    metadata: { name: 'drive', namespace: 'default' },
    spec: {
      placement: { nodeName: NODE },
      cycle: '10ms',
      inputs: [{ name: 'level', device: 'drive', property: 'level' }],
      pid: {
        input: 'level',
        setpoint: '50',
        kp: 1,
        ki: 0.1,
        minimum: 0,
        maximum: 100,
        output: { device: 'drive', property: 'valve' },
      },
    },
  });
  await sleep(LOOP_MS);
  const { status } = await eventually(
    'the jitter',
    async () => {
      const found = await api.get<Loop>(ref);
      return (found.status?.cycles ?? 0) > LOOP_MS / 20 && found;
    },
    { timeoutMs: 90_000 },
  );
  const { cycles = 0, jitter: measured } = status ?? {};
  if (measured === undefined) throw new Error('no jitter');
  return { cycles, ...measured };
}

async function makeDevice(api: HttpClient, endpoint: string): Promise<void> {
  const properties = ['speed', 'level', 'valve'].map((name) => ({ name, type: 'uint16', access: 'ReadWrite' }));
  await api.create(MODELS, {
    apiVersion: API,
    kind: 'DeviceModel',
    metadata: { name: 'drive' },
    spec: { properties, commands: [RESET] },
  });
  await api.create(DEVICES, {
    apiVersion: API,
    kind: 'Device',
    metadata: { name: 'drive', namespace: 'default' },
    spec: {
      model: { name: 'drive' },
      protocol: 'modbus',
      placement: { nodeName: NODE },
      connection: { endpoint },
      visitors: properties.map(({ name }, address) => ({
        property: name,
        address: { table: 'HoldingRegister', address },
        scanClass: '100ms',
      })),
      commands: [{ name: RESET.name, address: { address: 10 } }],
    },
  });
}
