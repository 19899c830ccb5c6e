import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { Quality } from '@skerry/streams/contract';
import { eventually } from '@skerry/testkit/processes';
import {
  AttributeIds,
  type ClientSession,
  constructEventFilter,
  TimestampsToReturn,
  type Variant,
} from 'node-opcua-client';
import type { DeviceModelSpec } from '../../resources/device-model.ts';
import type { SampleLine } from '../../telemetry/samples.ts';
import { ShownServer } from './shown-server.ts';
import { visit } from './testing/opcua-peer.ts';
import { deviceOf, modelOf, openScratchServer, type ScratchServer } from './testing/scratch-server.ts';

const METER: DeviceModelSpec = {
  properties: [{ name: 'power', type: 'float64' }],
  events: [{ name: 'overload', severity: 'Critical' }, { name: 'started' }],
};

const SERIES = 7;
const TIME = 1_700_000_000_123;

suite('what a server shows of the data worker', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-shown-'));
  const socketPath = join(folder, 'values.sock');
  /** Whoever asks for samples, one after another. */
  const asked: ServerResponse[] = [];
  const worker = createServer((_request, response) => {
    response.writeHead(200);
    response.flushHeaders();
    asked.push(response);
  });
  let scratch: ScratchServer;
  let shown: ShownServer;

  const say = (line: SampleLine) => asked.at(-1)?.write(`${JSON.stringify(line)}\n`);
  const sample = (value: number | null, quality: number, time = TIME) => {
    say({ series: { id: SERIES, namespace: 'hall', device: 'meter-1', property: 'power' } });
    say({ rows: { series: [SERIES], times: [time], values: [value], qualities: [quality] } });
  };
  const read = (session: ClientSession) =>
    session.read({ nodeId: 'ns=2;s=meter-1/power', attributeId: AttributeIds.Value });
  const reads = (session: ClientSession, status: string) =>
    eventually(`a value that is ${status}`, async () => {
      const seen = await read(session);
      return seen.statusCode.name === status && seen;
    });

  before(async () => {
    worker.listen(socketPath);
    await once(worker, 'listening');
    scratch = await openScratchServer();
    const log = silentLogger;
    const values = { socketPath, token: 'secret' };
    shown = new ShownServer(scratch.server, {
      namespace: 'hall',
      clock: systemClock,
      log,
      values,
      share: { index: 0, of: 1 },
    });
    const model = modelOf({ meter: METER }, 'meter');
    await shown.show({ devices: [deviceOf('meter-1', model)], models: () => model });
    await eventually('the question for samples', () => asked.length === 1);
  });
  after(async () => {
    await shown.close();
    worker.close();
    worker.closeAllConnections();
    rmSync(folder, { recursive: true });
    await scratch[Symbol.asyncDispose]();
  });

  const STATUS: readonly (readonly [number, string])[] = [
    [Quality.good, 'Good'],
    [Quality.localOverride, 'GoodLocalOverride'],
    [Quality.stale, 'UncertainLastUsableValue'],
    [Quality.sensorNotAccurate, 'UncertainSensorNotAccurate'],
    [Quality.outOfRange, 'UncertainEngineeringUnitsExceeded'],
    [Quality.uncertain, 'Uncertain'],
    [Quality.configurationError, 'BadConfigurationError'],
    [Quality.notConnected, 'BadNotConnected'],
    [Quality.deviceFailure, 'BadDeviceFailure'],
    [Quality.sensorFailure, 'BadSensorFailure'],
    [Quality.lastKnown, 'BadNoCommunication'],
    [Quality.communicationFailure, 'BadCommunicationError'],
    [Quality.outOfService, 'BadOutOfService'],
    [Quality.waitingForInitialData, 'BadWaitingForInitialData'],
    [Quality.bad, 'Bad'],
  ];
  test('each quality is a status of its own, and the time is that of the device', () =>
    visit(scratch.at(), async (session) => {
      for (const [at, [quality, status]] of STATUS.entries()) {
        sample(at, quality, TIME + at);
        const { value, sourceTimestamp } = await reads(session, status);
        assert.deepEqual([value.value, sourceTimestamp?.getTime()], [at, TIME + at]);
      }
      sample(null, Quality.notConnected);
      assert.equal((await reads(session, 'BadNotConnected')).value.value, STATUS.length - 1);
    }));

  test('an event of a device comes to whoever listens at its object, with its severity and what it says', () =>
    visit(scratch.at(), async (session) => {
      const heard: (readonly Variant[])[] = [];
      const item = await (await session.createSubscription2(SUBSCRIPTION)).monitor(
        { nodeId: 'ns=2;s=meter-1', attributeId: AttributeIds.EventNotifier },
        {
          samplingInterval: 0,
          queueSize: 100,
          filter: constructEventFilter(['Message', 'Severity', 'SourceName', 'Time']),
        },
        TimestampsToReturn.Both,
      );
      item.on('changed', (fields: unknown) => heard.push(fields as readonly Variant[]));
      assert.equal(item.statusCode.name, 'Good');
      const event = { namespace: 'hall', device: 'meter-1', time: TIME };
      say({ event: { ...event, event: 'overload', fields: { power: '51', phase: 'L1' } } });
      say({ event: { ...event, event: 'started', fields: {} } });
      await eventually('both events', () => heard.length === 2);
      const told = heard.map(([message, ...others]) => [message?.value?.text, ...others.map(({ value }) => value)]);
      assert.deepEqual(told, [
        ['overload power=51 phase=L1', 900, 'meter-1', new Date(TIME)],
        ['started', 100, 'meter-1', new Date(TIME)],
      ]);
    }));

  test('what the data worker had to drop is counted with what clients lost', () =>
    visit(scratch.at(), async () => {
      const { overflows } = shown.figures();
      say({ dropped: 12 });
      await eventually('the count', () => shown.figures().overflows === overflows + 12);
    }));

  test('while the data worker is away a value is the last one that was known, and good again with the next one', () =>
    visit(scratch.at(), async (session) => {
      sample(1, Quality.good);
      await reads(session, 'Good');
      const times = asked.length;
      asked.at(-1)?.destroy();
      assert.equal((await reads(session, 'UncertainLastUsableValue')).value.value, 1);
      await eventually('another question', () => asked.length > times);
      sample(2, Quality.good);
      assert.equal((await reads(session, 'Good')).value.value, 2);
    }));
});

const SUBSCRIPTION = {
  requestedPublishingInterval: 50,
  requestedLifetimeCount: 1000,
  requestedMaxKeepAliveCount: 10,
  maxNotificationsPerPublish: 0,
  publishingEnabled: true,
  priority: 1,
};
