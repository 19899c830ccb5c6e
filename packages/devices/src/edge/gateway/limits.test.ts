import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { eventually } from '@skerry/testkit/processes';
import {
  AttributeIds,
  ClientMonitoredItem,
  type ClientSession,
  type ClientSubscription,
  DataType,
  type DataValue,
  MonitoringMode,
  TimestampsToReturn,
} from 'node-opcua-client';
import type { DeviceModelSpec } from '../../resources/device-model.ts';
import { planSpace } from './space-plan.ts';
import { visit } from './testing/opcua-peer.ts';
import { deviceOf, ENGINEER, modelOf, openScratchServer, type ScratchServer } from './testing/scratch-server.ts';

const METER: DeviceModelSpec = {
  properties: [
    { name: 'count', type: 'uint32' },
    { name: 'text', type: 'string', access: 'ReadWrite' },
  ],
  commands: [{ name: 'reset' }],
};

const LIMITS = {
  sessions: 2,
  subscriptionsPerSession: 2,
  monitoredItemsPerSubscription: 3,
  queueSize: 4,
  messageBytes: 512 * 1024,
};

const COUNT = { nodeId: 'ns=2;s=meter-1/count', attributeId: AttributeIds.Value };
const MAX_OPERATIONS = 10_000;
const MAX_CALLS = 100;

suite('what clients may take of a server', () => {
  let scratch: ScratchServer;
  before(async () => {
    scratch = await openScratchServer(LIMITS);
    const model = modelOf({ meter: METER }, 'meter');
    await scratch.server.space.apply(planSpace([deviceOf('meter-1', model)], () => model));
    set(0);
  });
  after(() => scratch[Symbol.asyncDispose]());

  const set = (value: number, quality = 192) =>
    scratch.server.space.set({ device: 'meter-1', property: 'count', value, time: 1_700_000_000_000 + value, quality });
  const name = async (answer: Promise<{ readonly name: string }>) => (await answer).name;
  const subscribe = (session: ClientSession, requestedPublishingInterval = 100) =>
    session.createSubscription2({
      requestedPublishingInterval,
      requestedLifetimeCount: 1000,
      requestedMaxKeepAliveCount: 10,
      maxNotificationsPerPublish: 0,
      publishingEnabled: true,
      priority: 1,
    });
  const watch = (subscription: ClientSubscription, queueSize: number) =>
    subscription.monitor(
      COUNT,
      { samplingInterval: 0, queueSize, discardOldest: true },
      TimestampsToReturn.Source,
      MonitoringMode.Reporting,
    );

  test('a client whose queue is full sees it at the value that came after, and the server counts what was lost', () =>
    visit(scratch.at(), async (session) => {
      const seen: DataValue[] = [];
      const item = ClientMonitoredItem.create(
        await subscribe(session, 300),
        COUNT,
        { samplingInterval: 0, queueSize: 1000, discardOldest: true },
        TimestampsToReturn.Source,
      );
      item.on('changed', (value: DataValue) => seen.push(value));
      await eventually('the first value', () => seen.length === 1);
      const before = scratch.server.figures().overflows;
      // Bad ones, too: their status says both what they are worth and that others were lost.
      for (let value = 1; value <= 10; value++) set(value, value < 7 ? 192 : 24);
      await eventually('the last value', () => seen.at(-1)?.sourceTimestamp?.getTime() === 1_700_000_000_010);
      // Ten values, of which a queue of four has kept the last ones.
      assert.equal(scratch.server.figures().overflows - before, 10 - LIMITS.queueSize);
      assert.equal(seen.length - 1, LIMITS.queueSize);
      const marked = seen.filter(({ statusCode }) => (statusCode.value & OVERFLOW) === OVERFLOW);
      assert.equal(marked.length, 1);
      assert.equal(marked[0], seen[1]);
    }));

  test('a session too many is refused, and comes in once another has left', async () => {
    const enter = () => visit(scratch.at(), async () => 'in');
    await visit(scratch.at(), () =>
      visit(scratch.at(), async () => {
        await assert.rejects(enter(), /BadTooManySessions/);
      }),
    );
    assert.equal(await enter(), 'in');
  });

  test('a subscription or an item too many is refused, and the others go on', () =>
    visit(scratch.at(), async (session) => {
      const subscription = await subscribe(session);
      await subscribe(session);
      await assert.rejects(subscribe(session), /BadTooManySubscriptions/);
      for (let item = 0; item < LIMITS.monitoredItemsPerSubscription; item++)
        assert.equal((await watch(subscription, 1)).statusCode.name, 'Good');
      assert.equal((await watch(subscription, 1)).statusCode.name, 'BadTooManyMonitoredItems');
      assert.deepEqual(figures(), { sessions: 1, subscriptions: 2, monitoredItems: 3 });
    }));
  const figures = () => {
    const { sessions, subscriptions, monitoredItems } = scratch.server.figures();
    return { sessions, subscriptions, monitoredItems };
  };

  test('a request for more than is allowed at once is refused whole', () =>
    visit(scratch.at({ user: ENGINEER }), async (session) => {
      const many = <T>(count: number, each: T) => Array.from({ length: count }, () => each);
      await assert.rejects(session.read(many(MAX_OPERATIONS + 1, { nodeId: 'i=84', attributeId: 1 })), TOO_MANY);
      assert.equal((await session.read(many(100, COUNT))).length, 100);
      await assert.rejects(session.browse(many(MAX_OPERATIONS + 1, 'i=84')), TOO_MANY);
      const reset = { objectId: 'ns=2;s=meter-1', methodId: 'ns=2;s=meter-1/reset' };
      await assert.rejects(session.call(many(MAX_CALLS + 1, reset)), TOO_MANY);
      assert.deepEqual(scratch.called, []);
    }));

  test('a message that is too long never comes to a device', async () => {
    const write = (length: number) =>
      visit(scratch.at({ user: ENGINEER }), (session) => {
        const value = { dataType: DataType.String, value: 'x'.repeat(length) };
        return name(session.write({ ...COUNT, nodeId: 'ns=2;s=meter-1/text', value: { value } }));
      });
    assert.equal(await write(LIMITS.messageBytes / 2), 'Good');
    assert.equal(scratch.written.splice(0).length, 1);
    await assert.rejects(write(LIMITS.messageBytes + 1));
    assert.deepEqual(scratch.written, []);
  });

  test('whoever would send without bounds is told the bounds, and cut off when it goes on', async () => {
    const [, port = ''] = /:(\d+)/.exec(scratch.server.endpointUrl) ?? [];
    const socket = connect(Number(port), '127.0.0.1');
    try {
      socket.write(hello(scratch.server.endpointUrl));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.equal(answer.toString('latin1', 0, 4), 'ACKF');
      const [, receive = 0, , message, chunks] = Array.from({ length: 5 }, (_, at) => answer.readUInt32LE(8 + at * 4));
      assert.ok(receive <= MAX_CHUNK_BYTES, String(receive));
      assert.deepEqual([message, chunks], [LIMITS.messageBytes, LIMITS.messageBytes / MIN_CHUNK_BYTES]);
      // It may be told that it is too long, or only be reset.
      const isCutOff = new Promise((resolve) => socket.resume().on('error', resolve).on('close', resolve));
      socket.write(framed('OPNF', Buffer.alloc(2 * MAX_CHUNK_BYTES)));
      await isCutOff;
    } finally {
      socket.destroy();
    }
  });
});

const MIN_CHUNK_BYTES = 8192;
const MAX_CHUNK_BYTES = 65_536;

/** Of a client that takes, and would send, whatever there is. */
function hello(url: string): Buffer {
  const numbers = Buffer.alloc(24);
  for (const [at, value] of [0, 0x7fff_ffff, 0x7fff_ffff, 0, 0, url.length].entries())
    numbers.writeUInt32LE(value, at * 4);
  return framed('HELF', Buffer.concat([numbers, Buffer.from(url)]));
}

function framed(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(kind, 'latin1');
  head.writeUInt32LE(body.length + head.length, 4);
  return Buffer.concat([head, body]);
}

/** Info type "data value" with the overflow bit. */
const OVERFLOW = 0x0480;
const TOO_MANY = /BadTooManyOperations/;
