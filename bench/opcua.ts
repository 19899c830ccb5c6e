/** OPC UA: values read in batches, by the driver alone and by its thread through cleaning onto the bus, and changes told by subscription; beside the bare library on the same server. */
import { silentLogger, systemClock } from '@skerry/base';
import { createBus, SeriesTable } from '@skerry/streams/contract';
import { AttributeIds, ClientSubscription, OPCUAClient, TimestampsToReturn } from 'node-opcua-client';
import { pointOf } from '../packages/devices/src/edge/conformance/index.ts';
import type { SampleSink } from '../packages/devices/src/edge/driver.ts';
import { addressOf, contextOf, driver, settingsFor } from '../packages/devices/src/edge/drivers/opcua/testing/bench.ts';
import { Peer } from '../packages/devices/src/edge/drivers/opcua/testing/peer.ts';
import { driverInThread } from '../packages/devices/src/edge/remote/thread.ts';
import { planDevice } from '../packages/devices/src/edge/worker/device-plan.ts';
import { Pipeline } from '../packages/devices/src/edge/worker/pipeline.ts';
import { createPublisher } from '../packages/devices/src/edge/worker/publisher.ts';
import { opcuaProtocol } from '../packages/devices/src/protocols/opcua.ts';
import type { Device } from '../packages/devices/src/resources/device.ts';
import type { DeviceModel } from '../packages/devices/src/resources/device-model.ts';
import { report, round } from './support/figures.ts';

const API = 'devices.skerry.io/v1alpha1';
const NODES = 10_000;
const DURATION_MS = 5000;
/** Readings under way at once, in both. */
const AT_ONCE = 2;
/** A little more than is promised: the last ones are waited for. */
const CHANGES_PER_SECOND = 11_000;
const ROUNDS = 5;
/** So often it is looked whether the last ones have come. */
const MAX_RESTS = 500;

const peer = await Peer.start({ nodes: NODES, maxNodesPerRead: NODES });
const { signal } = new AbortController();
const session = await driver.connect(settingsFor(peer, { publishingInterval: '100ms' }), contextOf());
const points = Array.from({ length: NODES }, (_, at) =>
  pointOf(
    `n${at}`,
    'float64',
    addressOf(`nsu=urn:skerry:peer;i=${100_000 + at}`, { samplingInterval: '0s', queueSize: 100 }),
  ),
);
const client = OPCUAClient.create({ endpointMustExist: false });
await client.connect(peer.endpoint);
const bare = await client.createSession();

const bareRead = await measure(async () => {
  const nodes = Array.from({ length: NODES }, (_, at) => ({
    nodeId: `ns=1;i=${100_000 + at}`,
    attributeId: AttributeIds.Value,
  }));
  return (await bare.read(nodes)).length;
});
const group = session.group(points);
const driven = await measure(async () => {
  let count = 0;
  await group.read({ value: () => count++, fail: () => {} }, signal);
  return count;
});
report({
  name: 'values read in batches, one connection',
  value: Math.round(driven),
  unit: '/s',
  atLeast: 120_000,
  ratio: round(driven / bareRead, 3),
  of: 'read() of node-opcua-client',
});
const bareChanges = await watched(async (onValue) => {
  const subscription = ClientSubscription.create(bare, {
    requestedPublishingInterval: 100,
    publishingEnabled: true,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 20,
  });
  const items = points.map((_, at) => ({ nodeId: `ns=1;i=${100_000 + at}`, attributeId: AttributeIds.Value }));
  for (let at = 0; at < NODES; at += 500) {
    const part = await subscription.monitorItems(
      items.slice(at, at + 500),
      { samplingInterval: 0, queueSize: 100 },
      TimestampsToReturn.Source,
    );
    part.on('changed', onValue);
  }
  return { lost: () => 0, end: () => subscription.terminate() };
});
const told = await watched(async (onValue) => {
  let lost = 0;
  const ending = new AbortController();
  const sink: SampleSink = {
    value: onValue,
    fail: () => {},
    lost: (count) => {
      lost += count;
    },
  };
  await session.subscribe?.(points, sink, ending.signal);
  return { lost: () => lost, end: async () => ending.abort() };
});
report({
  name: 'changes told by subscription, of 10,000 variables',
  value: Math.round(told.perSecond),
  unit: '/s',
  atLeast: 10_000,
  ratio: round(told.perSecond / bareChanges.perSecond, 3),
  of: 'monitored items of node-opcua-client',
});
report({ name: 'changes that never came', value: told.missing + told.lost, unit: '', atMost: 0 });

const whole = await throughWorker();
report({
  name: 'values read in batches, by the thread of the driver and through cleaning onto the bus',
  value: Math.round(whole),
  unit: '/s',
  atLeast: 120_000,
  ratio: round(whole / bareRead, 3),
  of: 'read() of node-opcua-client',
});

await session.close();
await bare.close();
await client.disconnect();
await peer[Symbol.asyncDispose]();

async function measure(read: () => Promise<number>): Promise<number> {
  await read();
  const began = performance.now();
  let values = 0;
  const reader = async () => {
    while (performance.now() - began < DURATION_MS) {
      // Not in one expression: that would forget what the other reader has counted meanwhile.
      const count = await read();
      values += count;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, reader));
  return (values / (performance.now() - began)) * 1000;
}

/** As a data worker has it. Server, driver and cleaning are three threads, on two cores. */
async function throughWorker(): Promise<number> {
  const metadata = { name: 'd', namespace: 'default' };
  const properties = points.map(({ property: name }) => ({ name, type: 'float64' }));
  const model: DeviceModel = { apiVersion: API, kind: 'DeviceModel', metadata, spec: { properties } };
  const visitors = points.map(({ property, address: { nodeId } }) => ({ property, address: { nodeId } }));
  const spec = { model: { name: 'm' }, protocol: 'opcua', connection: { endpoint: peer.endpoint }, visitors };
  const device: Device = { apiVersion: API, kind: 'Device', metadata, spec };
  const plan = planDevice(device, { models: () => model, protocol: () => opcuaProtocol, series: new SeriesTable() });
  if (typeof plan === 'string') throw new Error(plan);
  const program = new URL('../packages/devices/src/edge/remote/testing/simulator-thread.ts', import.meta.url);
  const thread = driverInThread('opcua', { program, execArgv: ['--conditions=source'] });
  const bus = createBus();
  const publisher = createPublisher(systemClock, bus);
  const sink = new Pipeline({ clock: systemClock, publisher, points: plan.points }).sinkFor(plan.points);
  const settings = settingsFor(peer);
  const threaded = await thread.connect(settings, { clock: systemClock, log: silentLogger, signal });
  const all = threaded.group(plan.points.map(({ point }) => point));
  const perSecond = await measure(async () => {
    await all.read(sink, signal);
    publisher.flush();
    return NODES;
  });
  await threaded.close();
  await thread.close?.();
  if (bus.published < NODES) throw new Error('nothing came onto the bus');
  return perSecond;
}

interface Watching {
  readonly lost: () => number;
  readonly end: () => Promise<void>;
}

async function watched(watch: (onValue: () => void) => Promise<Watching>) {
  let seen = 0;
  const { lost, end } = await watch(() => seen++);
  while (seen < NODES) await rest();
  const [began, total] = [performance.now(), NODES * (ROUNDS + 1)];
  await peer.ask({ do: 'change', nodes: NODES, perSecond: CHANGES_PER_SECOND, rounds: ROUNDS });
  for (let idle = 0; seen < total && idle < MAX_RESTS; idle++) await rest();
  const perSecond = ((seen - NODES) / (performance.now() - began)) * 1000;
  await end();
  return { perSecond, missing: total - seen, lost: lost() };
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}
