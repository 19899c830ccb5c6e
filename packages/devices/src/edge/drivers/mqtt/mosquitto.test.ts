/** Another broker than ours: what MQTT 5 and sessions that last bring, also when it is killed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { eventually, requireSystem } from '@skerry/testkit/processes';
import { connect, connectAsync, type IConnackPacket } from 'mqtt';
import type { RawValue } from '../../../values/encoding.ts';
import { openMosquitto } from '../../broker/testing/mosquitto.ts';
import { pointOf, settingsOf } from '../../conformance/index.ts';
import type { Session } from '../../driver.ts';
import { createMqtt } from './driver.ts';
import { recorder, type Seen } from './testing/recorder.ts';
import { openRelay } from './testing/relay.ts';

const NEVER = new AbortController().signal;
const CONTEXT = { clock: systemClock, log: silentLogger, signal: NEVER };

/** What a session has heard once there are so many. */
async function heardOf(session: Session, sink: Seen, count: number): Promise<readonly RawValue[]> {
  await session.subscribe?.([pointOf('x', 'int32', { topic: 'q/x' })], sink, NEVER);
  await eventually('all have come', async () => sink.seen.length >= count);
  return sink.seen.map(({ value }) => value as RawValue);
}

for (const version of ['3.1.1', '5']) {
  test(`MQTT ${version}: messages of quality 1 that came while the connection was gone come with the next, also after the broker was killed`, async (t) => {
    if (!requireSystem(t, 'mosquitto')) return;
    await using mosquitto = await openMosquitto({ isKept: true });
    const endpoint = `mqtt://127.0.0.1:${mosquitto.port}`;
    const driver = createMqtt();
    const settings = settingsOf({ name: 'press', endpoint, timeoutMs: 30_000, options: { version, persistent: true } });
    const publish = async (texts: readonly string[]) => {
      const other = await connectAsync(endpoint);
      for (const text of texts) await other.publishAsync('q/x', text, { qos: 1 });
      await other.endAsync();
    };
    const first = await driver.connect(settings, CONTEXT);
    await first.subscribe?.([pointOf('x', 'int32', { topic: 'q/x' })], recorder(), NEVER);
    await first.close();
    await publish(['1', '2', '3']);
    const second = await driver.connect(settings, CONTEXT);
    assert.deepEqual(await heardOf(second, recorder(), 3), [1, 2, 3]);
    await second.close();
    await publish(['4', '5', '6']);
    await mosquitto.save();
    await mosquitto.kill();
    await mosquitto.start();
    const third = await driver.connect(settings, CONTEXT);
    assert.deepEqual(await heardOf(third, recorder(), 3), [4, 5, 6]);
    await third.close();
  });
}

test('MQTT 5: a session is kept for a day, and one that is not to last ends with its connection', async (t) => {
  if (!requireSystem(t, 'mosquitto')) return;
  await using mosquitto = await openMosquitto();
  const endpoint = `mqtt://127.0.0.1:${mosquitto.port}`;
  for (const [persistent, expected] of [
    [true, { expiry: 86_400, isClean: false, isThere: true }],
    [false, { expiry: undefined, isClean: true, isThere: false }],
  ] as const) {
    await using relay = await openRelay(mosquitto.port);
    const options = { version: '5', persistent, clientId: `press-${persistent}` };
    const settings = settingsOf({ endpoint: `mqtt://127.0.0.1:${relay.port}`, timeoutMs: 30_000, options });
    const session = await createMqtt().connect(settings, CONTEXT);
    await session.close();
    const { clean, properties } = relay.connects[0] ?? {};
    const [expiry, isClean] = [properties?.sessionExpiryInterval, clean];
    const again = connect(endpoint, { protocolVersion: 5, clean: false, clientId: `press-${persistent}` });
    const { sessionPresent } = await new Promise<IConnackPacket>((resolve) => again.once('connect', resolve));
    assert.deepEqual({ expiry, isClean, isThere: sessionPresent }, expected);
    await again.endAsync();
  }
});

test('MQTT 5: messages with user properties, content types and topic aliases are heard like any others', async (t) => {
  if (!requireSystem(t, 'mosquitto')) return;
  await using mosquitto = await openMosquitto();
  const endpoint = `mqtt://127.0.0.1:${mosquitto.port}`;
  const settings = settingsOf({ endpoint, timeoutMs: 30_000, options: { version: '5' } });
  const session = await createMqtt().connect(settings, CONTEXT);
  const sink = recorder();
  await session.subscribe?.([pointOf('x', 'int32', { topic: 'q/x' })], sink, NEVER);
  const other = await connectAsync(endpoint, { protocolVersion: 5 });
  const properties = {
    userProperties: { line: ['1', '2'] },
    contentType: 'application/json',
    messageExpiryInterval: 60,
  };
  await other.publishAsync('q/x', '1', { qos: 1, properties: { ...properties, topicAlias: 1 } });
  await other.publishAsync('', '2', { qos: 1, properties: { ...properties, topicAlias: 1 } });
  await eventually('both have come', async () => sink.seen.length === 2);
  assert.deepEqual(
    sink.seen.map(({ value }) => value),
    [1, 2],
  );
  await other.endAsync();
  await session.close();
});

test('a shared subscription divides the messages of a topic among its members', async (t) => {
  if (!requireSystem(t, 'mosquitto')) return;
  await using mosquitto = await openMosquitto();
  const endpoint = `mqtt://127.0.0.1:${mosquitto.port}`;
  const options = { version: '5', sharedGroup: 'readers' };
  const driver = createMqtt();
  const members: { readonly session: Session; readonly sink: Seen }[] = [];
  for (const name of ['one', 'two']) {
    const session = await driver.connect(settingsOf({ name, endpoint, timeoutMs: 30_000, options }), CONTEXT);
    const sink = recorder();
    await session.subscribe?.([pointOf('x', 'int32', { topic: 'shared/x' })], sink, NEVER);
    members.push({ session, sink });
  }
  const other = await connectAsync(endpoint);
  for (let value = 0; value < 20; value++) await other.publishAsync('shared/x', String(value), { qos: 1 });
  const seen = () => members.flatMap(({ sink }) => sink.seen.map(({ value }) => Number(value)));
  await eventually('all have come', async () => seen().length === 20);
  assert.deepEqual(
    seen().sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, at) => at),
  );
  assert.ok(members.every(({ sink }) => sink.seen.length > 0));
  other.end(true);
  for (const { session } of members) await session.close();
});
