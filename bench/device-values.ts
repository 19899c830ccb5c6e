/** Values of devices on their way to the bus: decoded from registers, scaled, held against a deadband; and read from a driver in a thread. */
import { silentLogger, systemClock } from '@skerry/base';
import { createBus, SeriesTable } from '@skerry/streams/contract';
import { driverInThread } from '../packages/devices/src/edge/remote/thread.ts';
import { planDevice } from '../packages/devices/src/edge/worker/device-plan.ts';
import { Pipeline } from '../packages/devices/src/edge/worker/pipeline.ts';
import { createPublisher } from '../packages/devices/src/edge/worker/publisher.ts';
import { simulatorProtocol } from '../packages/devices/src/protocols/simulator.ts';
import type { Device } from '../packages/devices/src/resources/device.ts';
import type { DeviceModel } from '../packages/devices/src/resources/device-model.ts';
import { report, round } from './support/figures.ts';

const POINTS = 1000;
const DURATION_MS = 3000;

const API = 'devices.skerry.io/v1alpha1';
const properties = Array.from({ length: POINTS }, (_, at) => ({ name: `p${at}`, type: 'float32' }));
const model: DeviceModel = { apiVersion: API, kind: 'DeviceModel', metadata: { name: 'm' }, spec: { properties } };
const device: Device = {
  apiVersion: API,
  kind: 'Device',
  metadata: { name: 'd', namespace: 'default' },
  spec: {
    model: { name: 'm' },
    protocol: 'simulator',
    visitors: properties.map(({ name }) => ({
      property: name,
      address: { signal: 'Counter', period: '1ms' },
      encoding: { type: 'int16', scale: 0.1 },
      cleaning: { deadband: { absolute: 0.05 }, outOfRange: 'Flag' },
    })),
  },
};

const bus = createBus();
const plan = planDevice(device, {
  models: () => model,
  protocol: () => simulatorProtocol,
  series: new SeriesTable(),
});
if (typeof plan === 'string') throw new Error(plan);
const { points } = plan;
const publisher = createPublisher(systemClock, bus);
const pipeline = new Pipeline({ clock: systemClock, publisher, points });
const sink = pipeline.sinkFor(points);

const registers = Array.from({ length: 256 }, (_, at) => Uint8Array.of(at, (at * 7) & 0xff));

const bare = measure((turn) => {
  let sum = 0;
  for (let at = 0; at < POINTS; at++) {
    const bytes = registers[(turn + at) & 0xff];
    if (bytes !== undefined) sum += new DataView(bytes.buffer).getInt16(0) * 0.1;
  }
  if (Number.isNaN(sum)) throw new Error('not a number');
});
const cleaned = measure((turn) => {
  for (let at = 0; at < POINTS; at++) sink.value(at, registers[(turn + at) & 0xff] ?? 0, turn);
  publisher.flush();
});
report({
  name: 'values from registers onto the bus, one thread',
  value: Math.round(cleaned),
  unit: '/s',
  atLeast: 500_000,
  ratio: round(cleaned / bare, 3),
  of: 'reading and scaling an int16',
});

const program = new URL('../packages/devices/src/edge/remote/testing/simulator-thread.ts', import.meta.url);
const driver = driverInThread('simulator', { program, execArgv: ['--conditions=source'] });
const { signal } = new AbortController();
const settings = {
  namespace: 'default',
  name: 'd',
  endpoint: '',
  timeoutMs: 5000,
  retries: 0,
  options: {},
  secret: {},
  files: {},
};
const session = await driver.connect(settings, { clock: systemClock, log: silentLogger, signal });
const group = session.group(points.map(({ point }) => point));
const started = performance.now();
let readings = 0;
for (; performance.now() - started < DURATION_MS; readings++) {
  await group.read(sink, signal);
  publisher.flush();
}
const elapsed = performance.now() - started;
await session.close();
await driver.close?.();
report({
  name: 'values read from a driver in a thread onto the bus, 1,000 a reading',
  value: Math.round((readings * POINTS * 1000) / elapsed),
  unit: '/s',
  atLeast: 200_000,
  note: `${round(elapsed / readings, 2)} ms a reading`,
});

function measure(turn: (number: number) => void): number {
  const began = performance.now();
  let turns = 0;
  while (performance.now() - began < DURATION_MS) turn(turns++);
  return (turns * POINTS * 1000) / (performance.now() - began);
}
