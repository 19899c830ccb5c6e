/** For tests: what MQTT 3.1.1 demands of a broker, by the numbers of its sentences. */
import assert from 'node:assert/strict';
import {
  acksInOrder,
  comesAgain,
  exactlyOnce,
  idAgain,
  lesserQuality,
  messagesInOrder,
  noWill,
  overlapping,
  resumesExactlyOnce,
  retained,
  retainedAgain,
  retainedTakenAway,
  retainedWill,
  sessionForgotten,
  sessionLasts,
  sessionPresent,
  takeover,
  unsubscribed,
  will,
} from './flows.ts';
import { RawClient } from './raw-client.ts';

export interface Demand {
  readonly demand: string;
  readonly keep: (port: number) => Promise<void>;
}

const PUBLISH = { cmd: 'publish' as const, qos: 0 as const, dup: false, retain: false };

function refusesFirst(packet: Parameters<RawClient['send']>[0] | Uint8Array): Demand['keep'] {
  return async (port) => {
    await using client = await RawClient.open(port);
    if (packet instanceof Uint8Array) client.sendBytes(packet);
    else client.send(packet);
    await client.closed();
  };
}

/** Cut off after it was taken in. */
function refusesBytes(...bytes: readonly number[]): Demand['keep'] {
  return async (port) => {
    await using client = await RawClient.connect(port);
    client.sendBytes(Uint8Array.from(bytes));
    await client.closed();
  };
}

function matches(filter: string, topic: string, isMatch: boolean): Demand['keep'] {
  return async (port) => {
    await using reader = await RawClient.connect(port);
    await reader.subscribe(filter);
    await reader.subscribe('the/end');
    await using writer = await RawClient.connect(port);
    writer.send({ ...PUBLISH, topic, payload: 'it' });
    if (isMatch) {
      assert.equal((await reader.message()).text, 'it');
      return;
    }
    // Ours cuts off whoever publishes to `$…`; then that has been heard, too.
    await writer.flushed().catch(() => {});
    reader.send({ ...PUBLISH, topic: 'the/end', payload: 'end' });
    assert.equal((await reader.message()).text, 'end');
  };
}

export const DEMANDS: readonly Demand[] = [
  { demand: 'the first packet is CONNECT, or the connection ends [3.1.0-1]', keep: refusesFirst({ cmd: 'pingreq' }) },
  {
    demand: 'a second CONNECT ends the connection [3.1.0-2]',
    keep: async (port) => {
      await using client = await RawClient.connect(port);
      client.sendConnect();
      await client.closed();
    },
  },
  {
    demand: 'an unknown protocol version is refused with code 1 [3.1.2-2]',
    keep: async (port) => {
      await using client = await RawClient.open(port);
      client.sendBytes(Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 9, 2, 0, 60, 0, 1, 0x61));
      await client.closed();
    },
  },
  {
    demand: 'a client without an id gets one, if its session is clean [3.1.3-6]',
    keep: async (port) => {
      await using client = await RawClient.connect(port, { clientId: '', clean: true });
      await client.flushed();
    },
  },
  {
    demand: 'a client without an id and with a session that lasts is refused with code 2 [3.1.3-8]',
    keep: async (port) => {
      await using client = await RawClient.open(port);
      client.sendBytes(Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 60, 0, 0));
      assert.equal((await client.receive('connack'))['returnCode'], 2);
      await client.closed();
    },
  },
  {
    demand: 'the reserved flag of CONNECT ends the connection [3.1.2-3]',
    keep: refusesFirst(Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 3, 0, 60, 0, 1, 0x61)),
  },
  {
    demand: 'a client id that is no UTF-8 is refused [1.5.3-1]',
    keep: refusesFirst(Uint8Array.of(0x10, 14, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 2, 0xc3, 0x28)),
  },
  { demand: 'the retained message comes with the flag, to whoever subscribes later [3.3.1-6]', keep: retained },
  { demand: 'an empty retained message takes it away [3.3.1-10]', keep: retainedTakenAway },
  {
    demand: 'a message that is retained now comes without the flag to whoever subscribed before [3.3.1-9]',
    keep: async (port) => {
      await using reader = await RawClient.connect(port);
      await reader.subscribe('live/flag');
      reader.send({ ...PUBLISH, topic: 'live/flag', payload: 'now', retain: true });
      assert.equal((await reader.message()).retain, false);
    },
  },
  { demand: 'each subscription brings the retained message again [3.8.4-3]', keep: retainedAgain },
  { demand: 'a will is published when the connection ends without a word [3.1.2-8]', keep: will },
  { demand: 'a will is not published after DISCONNECT [3.14.4-3]', keep: noWill },
  { demand: 'a will may be retained [3.1.2-17]', keep: retainedWill },
  {
    demand: 'quality 1 is acknowledged by PUBACK with the same id [3.3.4-1]',
    keep: async (port) => {
      await using client = await RawClient.connect(port);
      client.send({ ...PUBLISH, topic: 'q/1', payload: 'x', qos: 1, messageId: 77 });
      assert.equal((await client.receive('puback'))['messageId'], 77);
    },
  },
  { demand: 'quality 2 goes by PUBREC, PUBREL, PUBCOMP, and arrives once [4.3.3-2]', keep: exactlyOnce },
  { demand: 'an id is free again after PUBCOMP [2.3.1-4]', keep: idAgain },
  {
    demand: 'PUBREL of an id that is not known is answered [4.3.3]',
    keep: async (port) => {
      await using client = await RawClient.connect(port);
      client.send({ cmd: 'pubrel', messageId: 4711 });
      assert.equal((await client.receive('pubcomp'))['messageId'], 4711);
    },
  },
  { demand: 'acknowledgements come in the order of the messages [4.6.0-2]', keep: acksInOrder },
  { demand: 'messages of a topic arrive in order [4.6.0-5]', keep: messagesInOrder },
  { demand: 'what is delivered has the lesser of both qualities [3.8.4-6]', keep: lesserQuality },
  { demand: 'a session that lasts keeps its subscriptions and messages [3.1.2-5]', keep: sessionLasts },
  { demand: 'what was not acknowledged comes again, with the flag DUP and its id [4.4.0-1]', keep: comesAgain },
  { demand: 'what was interrupted of quality 2 goes on with the next connection [4.4.0-1]', keep: resumesExactlyOnce },
  { demand: 'filters that overlap bring a message with the greatest of their qualities [3.3.5-1]', keep: overlapping },
  { demand: 'a clean session forgets what was before [3.1.2-6]', keep: sessionForgotten },
  { demand: 'CONNACK says whether there was a session [3.2.2-2]', keep: sessionPresent },
  { demand: 'of two clients with one id the second stays [3.1.4-2]', keep: takeover },
  {
    demand: 'a client that is silent for one and a half of its keepalive is cut off [3.1.2-24]',
    keep: async (port) => {
      await using client = await RawClient.connect(port, { keepalive: 1 });
      await client.closed();
    },
  },
  { demand: '# matches the level above it, too [4.7.1]', keep: matches('w/a/#', 'w/a', true) },
  { demand: '# matches any number of levels', keep: matches('w/b/#', 'w/b/c/d/e', true) },
  { demand: '+ matches one level', keep: matches('w/+/d', 'w/c/d', true) },
  { demand: '+ matches no two levels', keep: matches('w/+', 'w/c/d', false) },
  { demand: '+ matches an empty level [4.7.1-3]', keep: matches('w/e/+', 'w/e/', true) },
  { demand: 'topics differ by case [4.7.3-4]', keep: matches('w/Case', 'w/case', false) },
  { demand: 'a slash at the front is a level of its own', keep: matches('w/front', '/w/front', false) },
  { demand: 'a space is a character', keep: matches('w/a space', 'w/a space', true) },
  {
    demand: 'wildcards at the front match no topic that begins with $ [4.7.2-1]',
    keep: matches('+/dollar', '$x/dollar', false),
  },
  { demand: 'a topic to publish to has no wildcards [3.3.2-2]', keep: refusesBytes(0x30, 5, 0, 3, 0x61, 0x2f, 0x23) },
  { demand: 'a topic is not empty [4.7.3-1]', keep: refusesBytes(0x30, 3, 0, 0, 0x78) },
  { demand: 'a topic with U+0000 ends the connection [1.5.3-2]', keep: refusesBytes(0x30, 5, 0, 3, 0x61, 0, 0x62) },
  { demand: 'a topic that is no UTF-8 ends the connection [1.5.3-1]', keep: refusesBytes(0x30, 4, 0, 2, 0xc3, 0x28) },
  { demand: 'quality 3 ends the connection [3.3.1-4]', keep: refusesBytes(0x36, 6, 0, 1, 0x61, 0, 1, 0x78) },
  { demand: 'a reserved type of packet ends the connection', keep: refusesBytes(0xf0, 0) },
  {
    demand: 'SUBSCRIBE without its reserved bits ends the connection [3.8.1-1]',
    keep: refusesBytes(0x80, 6, 0, 1, 0, 1, 0x61, 0),
  },
  { demand: 'SUBSCRIBE without a filter ends the connection [3.8.3-3]', keep: refusesBytes(0x82, 2, 0, 1) },
  {
    demand: 'a length of five bytes ends the connection [2.2.3]',
    keep: refusesBytes(0x30, 0xff, 0xff, 0xff, 0xff, 0x01),
  },
  {
    demand: 'UNSUBSCRIBE is answered, also for what was not subscribed to [3.10.4-5]',
    keep: async (port) => {
      await using client = await RawClient.connect(port);
      client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['never'] });
      assert.equal((await client.receive('unsuback'))['messageId'], 5);
    },
  },
  { demand: 'after UNSUBSCRIBE nothing more comes [3.10.4-2]', keep: unsubscribed },
  {
    demand: 'several filters are answered in their order [3.9.3-1]',
    keep: async (port) => {
      await using client = await RawClient.connect(port);
      client.send({
        cmd: 'subscribe',
        messageId: 3,
        subscriptions: [
          { topic: 'many/a', qos: 2 },
          { topic: 'many/b', qos: 0 },
          { topic: 'many/c', qos: 1 },
        ],
      });
      assert.deepEqual((await client.receive('suback'))['granted'], [2, 0, 1]);
    },
  },
];
