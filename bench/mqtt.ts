/** MQTT into one worker: messages of 113 bytes from raw publishers of another process through the site's broker onto the data bus, beside bare aedes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { silentLogger, systemClock } from '@skerry/base';
import { createBus, SeriesTable } from '@skerry/streams/contract';
import { Aedes } from '../packages/devices/src/edge/broker/testing/bare-broker.ts';
import { createMqtt } from '../packages/devices/src/edge/drivers/mqtt/driver.ts';
import { planDevice } from '../packages/devices/src/edge/worker/device-plan.ts';
import { Pipeline } from '../packages/devices/src/edge/worker/pipeline.ts';
import { createPublisher } from '../packages/devices/src/edge/worker/publisher.ts';
import { mqttProtocol } from '../packages/devices/src/protocols/mqtt.ts';
import type { Device } from '../packages/devices/src/resources/device.ts';
import type { DeviceModel } from '../packages/devices/src/resources/device-model.ts';
import { report, round } from './support/figures.ts';

const API = 'devices.skerry.io/v1alpha1';
const PUBLISHER = fileURLToPath(new URL('./support/mqtt-publisher.ts', import.meta.url));
const RUNS = [
  { qos: 0, messages: 200_000, atLeast: 100_000 },
  { qos: 1, messages: 80_000, atLeast: 35_000 },
] as const;
const LINES = 4;
const DEVICES = 10;
const NEVER = new AbortController().signal;

interface Measured {
  readonly perSecond: number;
  /** By the time that the process computed, whatever else the machine did. */
  readonly perCpuSecond: number;
}

for (const { qos, messages, atLeast } of RUNS) {
  const bare = await bareAedes(qos, messages);
  const ours = await ontoTheBus(qos, messages);
  report({
    name: `messages of quality ${qos} onto the bus`,
    value: Math.round(ours.perSecond),
    unit: '/s',
    atLeast,
    ratio: round(ours.perSecond / bare.perSecond, 2),
    of: 'bare aedes that counts them',
    note: `${Math.round(ours.perCpuSecond)} a second of its own computing; bare aedes ${Math.round(bare.perCpuSecond)}`,
  });
}

async function bareAedes(qos: number, messages: number): Promise<Measured> {
  const broker = await Aedes.createBroker();
  let count = 0;
  broker.subscribe(
    'bench/#',
    (_, done) => {
      count++;
      done();
    },
    () => {},
  );
  const server = createServer(broker.handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address === null || typeof address === 'string' ? 0 : address.port;
  const measured = await measure(port, qos, messages, () => count);
  server.close();
  broker.close();
  return measured;
}

async function ontoTheBus(qos: number, messages: number): Promise<Measured> {
  const driver = createMqtt();
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
  const context = { clock: systemClock, log: silentLogger, signal: NEVER };
  const limits = {
    clients: 100,
    messageBytes: 1e6,
    queuedMessagesPerClient: 1000,
    subscriptionsPerClient: 100,
    inflightPerClient: 1000,
    keptBytes: 1e8,
  };
  const listeners = [{ name: 'plain', address: '127.0.0.1', port: 0 }];
  const serve = {
    namespace: 'default',
    name: 'site',
    isKept: false,
    isAnonymousAllowed: true,
    users: [],
    listeners,
    limits,
  };
  const broker = await driver.connect({ ...settings, options: { serve } }, context);
  if (broker.call === undefined) throw new Error('the broker does not report');
  const answer = await broker.call({ command: 'report', address: {}, input: [], output: [] }, NEVER);
  const [endpoint = ''] = answer['endpoints'] as readonly string[];
  const session = await driver.connect({ ...settings, broker: 'site' }, context);
  const bus = createBus();
  const counting = bus.subscribe({ name: 'counting' });
  let count = 0;
  void (async () => {
    for await (const { length } of counting) count += length;
  })();
  const points = plannedPoints();
  const pipeline = new Pipeline({ clock: systemClock, publisher: createPublisher(systemClock, bus), points });
  await session.subscribe?.(
    points.map(({ point }) => point),
    pipeline.sinkFor(points),
    NEVER,
  );
  const measured = await measure(Number(new URL(endpoint).port), qos, messages, () => count);
  if (counting.dropped > 0) throw new Error(`${counting.dropped} rows lost`);
  await session.close();
  await broker.close();
  bus.close();
  return measured;
}

function plannedPoints() {
  const names = Array.from({ length: LINES * DEVICES }, (_, at) => `p${at}`);
  const properties = names.map((name) => ({ name, type: 'float64' }));
  const model: DeviceModel = { apiVersion: API, kind: 'DeviceModel', metadata: { name: 'm' }, spec: { properties } };
  const visitors = names.map((property, at) => ({
    property,
    mode: 'Subscribe' as const,
    address: { topic: `bench/line${Math.floor(at / DEVICES)}/device${at % DEVICES}`, path: 'value' },
  }));
  const device: Device = {
    apiVersion: API,
    kind: 'Device',
    metadata: { name: 'd', namespace: 'default' },
    spec: { model: { name: 'm' }, protocol: 'mqtt', connection: { broker: 'site' }, visitors },
  };
  const plan = planDevice(device, { models: () => model, protocol: () => mqttProtocol, series: new SeriesTable() });
  if (typeof plan === 'string') throw new Error(plan);
  return plan.points;
}

async function measure(port: number, qos: number, messages: number, seen: () => number): Promise<Measured> {
  const arguments_ = ['--conditions=source', PUBLISHER, String(port), String(qos), String(messages)];
  const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'inherit', 'inherit'] });
  while (seen() === 0) await systemClock.sleep(1);
  const [began, at, before] = [seen(), performance.now(), process.cpuUsage()];
  while (seen() < messages) await systemClock.sleep(5);
  const { user, system } = process.cpuUsage(before);
  const counted = messages - began;
  const measured = {
    perSecond: (counted * 1000) / (performance.now() - at),
    perCpuSecond: (counted * 1e6) / (user + system),
  };
  if (child.exitCode === null) await once(child, 'exit');
  return measured;
}
