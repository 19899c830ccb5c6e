/** Devices behind brokers: mosquitto, and the site's own in the same thread. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { type Logger, silentLogger, systemClock } from '@skerry/base';
import { skipWithout } from '@skerry/testkit/processes';
import * as cbor from 'cborg';
import { connectAsync, type MqttClient } from 'mqtt';
import type { RawValue } from '../../../values/encoding.ts';
import { openMosquitto } from '../../broker/testing/mosquitto.ts';
import { brokerConfig } from '../../broker/testing/scratch-broker.ts';
import { type ConformanceBench, conformanceTests, pointOf, settingsOf } from '../../conformance/index.ts';
import type { DeviceSettings, Driver, FoundDevice, Point, Session } from '../../driver.ts';
import { isDriverError } from '../../driver-error.ts';
import { testAuthority } from '../../testing/certificates.ts';
import { createMqtt } from './driver.ts';
import { recorder } from './testing/recorder.ts';

const log: Logger = silentLogger;
const NEVER = new AbortController().signal;
const CONTEXT = { clock: systemClock, log, signal: NEVER };

function settled<T>(promise: Promise<T>): Promise<T> {
  return promise;
}

const POINTS: readonly Point[] = [
  pointOf('a', 'float64', { topic: 'plant/{device}/{property}', write: { retain: true } }),
  pointOf('b', 'int32', { topic: 'plant/{device}/{property}', format: 'Text', write: { retain: true } }),
  pointOf('c', 'string', { topic: 'plant/{device}/{property}', format: 'Cbor', write: { retain: true } }),
  pointOf('d', 'uint16', { topic: 'plant/{device}/{property}', format: 'Raw', write: { retain: true } }),
];
const VALUES = [1.5, -7, 'on', 513];
const OTHERS = [2.5, 9, 'off', 7];

function bytesOf(index: number, value: RawValue): Uint8Array {
  const number = Number(value);
  if (index === 0) return Buffer.from(JSON.stringify(value));
  if (index === 1) return Buffer.from(String(value));
  return index === 2 ? cbor.encode(value) : Uint8Array.of(number >> 8, number & 0xff);
}

function valueFrom(index: number, payload: Uint8Array): RawValue {
  if (index === 0) return JSON.parse(String(payload)) as RawValue;
  if (index === 1) return String(payload);
  return index === 2 ? (cbor.decode(payload) as RawValue) : payload;
}

function topicOf(index: number): string {
  return `plant/press/${POINTS[index]?.property ?? ''}`;
}

/** Far above what a message needs: a retained one always comes. */
const PATIENT = { retainedWait: '20s' };

conformanceTests(
  (name, body) => test(name, { skip: skipWithout('mosquitto') }, body),
  'MQTT at mosquitto',
  ['writes', 'subscribes'],
  async (): Promise<ConformanceBench> => {
    const mosquitto = await openMosquitto();
    const publish = async (index: number, value: RawValue) => {
      await other.publishAsync(topicOf(index), Buffer.from(bytesOf(index, value)), { qos: 1, retain: true });
    };
    const endpoint = `mqtt://127.0.0.1:${mosquitto.port}`;
    let other = await connectAsync(endpoint);
    const fill = async () => {
      for (const [index, value] of VALUES.entries()) await publish(index, value);
    };
    await fill();
    let isDown = false;
    return {
      driver: createMqtt(),
      clock: systemClock,
      log,
      settings: settingsOf({ name: 'press', endpoint, timeoutMs: 2000, options: PATIENT }),
      points: POINTS,
      values: VALUES,
      others: OTHERS,
      set: publish,
      get: (index) => keptAt(other, index),
      settle: settled,
      cut: async () => {
        isDown = true;
        other.end(true);
        await mosquitto.kill();
      },
      silence: async () => mosquitto.pause(),
      heal: async () => {
        mosquitto.resume();
        if (!isDown) return;
        await mosquitto.start();
        other = await connectAsync(endpoint);
        await fill();
      },
      [Symbol.asyncDispose]: async () => {
        other.end(true);
        await mosquitto[Symbol.asyncDispose]();
      },
    };
  },
);

async function keptAt(client: MqttClient, index: number): Promise<RawValue> {
  const topic = topicOf(index);
  const payload = new Promise<Uint8Array>((resolve) => {
    const hear = (heard: string, bytes: Uint8Array) => {
      if (heard !== topic) return;
      client.off('message', hear);
      resolve(bytes);
    };
    client.on('message', hear);
  });
  await client.subscribeAsync(topic);
  return valueFrom(index, await payload);
}

async function endpointsOf(served: Session): Promise<readonly string[]> {
  assert.ok(served.call !== undefined);
  const report = await served.call({ command: 'report', address: {}, input: [], output: [] }, NEVER);
  return report['endpoints'] as readonly string[];
}

/** The site's broker and a device behind it, both in this thread. */
async function embedded(options: DeviceSettings['options'] = {}, points: readonly Point[] = POINTS) {
  const driver: Driver = createMqtt();
  const served = await driver.connect(settingsOf({ options: { serve: brokerConfig() } }), CONTEXT);
  const session = await driver.connect(settingsOf({ name: 'press', broker: 'site', options }), CONTEXT);
  const endpoints = await endpointsOf(served);
  const client = await connectAsync(endpoints[0] ?? '');
  const sink = recorder();
  await session.subscribe?.(points, sink, NEVER);
  return {
    driver,
    served,
    session,
    client,
    sink,
    [Symbol.asyncDispose]: async () => {
      client.end(true);
      await session.close();
      await served.close();
    },
  };
}

test('a device behind the site’s own broker is heard without a socket, and what is written reaches its clients', async () => {
  await using bench = await embedded();
  for (const index of POINTS.keys())
    await bench.client.publishAsync(topicOf(index), Buffer.from(bytesOf(index, VALUES[index] ?? 0)), { qos: 1 });
  const last = () => bench.sink.seen.map(({ value }) => value);
  assert.deepEqual(last().slice(0, 3), [1.5, '-7', 'on']);
  assert.deepEqual([...(last()[3] as Uint8Array)], [2, 1]);
  const [point] = POINTS;
  assert.ok(point !== undefined && bench.session.write !== undefined);
  assert.deepEqual(await bench.session.write([{ point, value: 4.25 }], NEVER), [undefined]);
  assert.equal(await keptAt(bench.client, 0), 4.25);
});

test('a session of a broker that is closed ends, and one of a broker that does not serve is not opened', async () => {
  await using bench = await embedded();
  await bench.served.close();
  assert.ok(isDriverError(await bench.session.ended, 'Unreachable'));
  const again = bench.driver.connect(settingsOf({ broker: 'site' }), CONTEXT);
  await assert.rejects(again, /MqttBroker "site" does not serve at this node/);
});

test('a device whose broker begins a moment later is connected by the same attempt', async () => {
  const driver = createMqtt();
  const connecting = driver.connect(settingsOf({ name: 'press', broker: 'site' }), CONTEXT);
  const served = await driver.connect(settingsOf({ options: { serve: brokerConfig() } }), CONTEXT);
  const session = await connecting;
  await session.close();
  await served.close();
});

test('several properties come out of one payload, with its own time', async () => {
  const points = [
    pointOf('speed', 'float64', { topic: 'm', path: 'motor.speed', timePath: 'at' }),
    pointOf('first', 'int32', { topic: 'm', path: 'values.0', timePath: 'at' }),
    pointOf('absent', 'int32', { topic: 'm', path: 'motor.torque' }),
  ];
  await using bench = await embedded({}, points);
  const payload = JSON.stringify({ at: '2026-01-01T00:00:00Z', motor: { speed: 12.5 }, values: [7] });
  await bench.client.publishAsync('m', payload, { qos: 1 });
  const time = Date.parse('2026-01-01T00:00:00Z');
  assert.deepEqual(bench.sink.seen.slice(0, 2), [
    { index: 0, value: 12.5, time },
    { index: 1, value: 7, time },
  ]);
  assert.ok(isDriverError(bench.sink.seen[2]?.value, 'Malformed'));
  await bench.client.publishAsync('m', 'not json', { qos: 1 });
  assert.ok(bench.sink.seen.slice(3).every(({ value }) => isDriverError(value, 'Malformed')));
});

test('a write with a topic of confirmation succeeds when the device answers, and times out when it does not', async () => {
  const point = pointOf('limit', 'float64', {
    topic: 'press/limit',
    write: { topic: 'press/limit/set', path: 'value', confirmTopic: 'press/limit/done' },
  });
  const driver = createMqtt();
  const served = await driver.connect(settingsOf({ options: { serve: brokerConfig() } }), CONTEXT);
  const session = await driver.connect(settingsOf({ name: 'press', broker: 'site', timeoutMs: 300 }), CONTEXT);
  const endpoints = await endpointsOf(served);
  const device = await connectAsync(endpoints[0] ?? '');
  try {
    assert.ok(session.write !== undefined);
    const [late] = await session.write([{ point, value: 5 }], NEVER);
    assert.ok(isDriverError(late, 'TimedOut'), String(late));
    await device.subscribeAsync('press/limit/set');
    device.on('message', (_, payload) => {
      assert.deepEqual(JSON.parse(String(payload)), { value: 6 });
      device.publish('press/limit/done', 'ok');
    });
    const patient = await driver.connect(settingsOf({ name: 'press', broker: 'site', timeoutMs: 30_000 }), CONTEXT);
    assert.deepEqual(await patient.write?.([{ point, value: 6 }], NEVER), [undefined]);
  } finally {
    device.end(true);
    await served.close();
  }
});

test('a wrong password is AccessDenied', async () => {
  const driver = createMqtt();
  const config = brokerConfig({ isAnonymousAllowed: false });
  const served = await driver.connect(settingsOf({ options: { serve: config } }), CONTEXT);
  const endpoints = await endpointsOf(served);
  const secret = { username: Buffer.from('alice'), password: Buffer.from('wrong') };
  const error = await driver
    .connect(settingsOf({ endpoint: endpoints[0] ?? '', secret, timeoutMs: 30_000 }), CONTEXT)
    .catch((thrown: unknown) => thrown);
  assert.ok(isDriverError(error, 'AccessDenied'), String(error));
  await served.close();
});

test('over TLS a broker that the TrustList does not know is refused before it hears a password, and shown', async () => {
  const driver = createMqtt();
  const authority = testAuthority();
  const tls = authority.issue(['127.0.0.1']);
  const listeners = [{ name: 'tls', address: '127.0.0.1', port: 0, tls }];
  const served = await driver.connect(settingsOf({ options: { serve: brokerConfig({ listeners }) } }), CONTEXT);
  const [endpoint = ''] = await endpointsOf(served);
  const shown: string[] = [];
  const context = {
    ...CONTEXT,
    onRejectedCertificate: (certificate: Uint8Array, reason: string) =>
      void shown.push(new X509Certificate(certificate).fingerprint256, reason),
  };
  const connect = (trust: DeviceSettings['trust'], secret: DeviceSettings['secret'] = {}) =>
    driver.connect(
      settingsOf({ endpoint, timeoutMs: 30_000, secret, ...(trust === undefined ? {} : { trust }) }),
      context,
    );
  const nobody = { trusted: [], issuers: [], revocationLists: [] };
  const refusal = /is in no TrustList/;
  await assert.rejects(connect(nobody), (error) => isDriverError(error, 'AccessDenied') && refusal.test(error.message));
  assert.equal(shown[0], new X509Certificate(tls.certificate).fingerprint256);
  assert.match(shown[1] ?? '', refusal);
  await assert.rejects(connect({ ...nobody, issuers: [authority.pem] }), /known, but not trusted/);
  await assert.rejects(connect(undefined), refusal);
  for (const session of [
    await connect(authority.trust),
    await connect({ ...nobody, trusted: [tls.certificate] }),
    await connect(undefined, { 'ca.crt': Buffer.from(authority.pem) }),
  ])
    await session.close();
  await served.close();
});

test('topics that are seen are proposed as devices with what their payloads hold', async () => {
  await using bench = await embedded();
  await bench.client.publishAsync('line/press/state', JSON.stringify({ speed: 3, name: 'p', deep: {} }), {
    retain: true,
    qos: 1,
  });
  await bench.client.publishAsync('line/press/on', 'true', { retain: true, qos: 1 });
  const request = {
    settings: settingsOf({ broker: 'site' }),
    scan: { filter: 'line/#', duration: '10ms' },
    limit: 10,
  };
  assert.ok(bench.driver.discover !== undefined);
  const found: FoundDevice[] = [];
  for await (const each of bench.driver.discover(request, CONTEXT)) found.push(each);
  assert.deepEqual(
    found.map(({ name, variables = [] }) => [name, variables.map((each) => `${each.name} ${each.type}`).sort()]),
    [['line/press', ['on bool', 'state_name string', 'state_speed float64']]],
  );
});
