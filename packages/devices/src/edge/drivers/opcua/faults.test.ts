/** What goes wrong between the driver and a server. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, TcpProxy } from '@skerry/testkit/processes';
import { isDriverError } from '../../driver-error.ts';
import { connected, contextOf, driver, hearing, numberPoint, pointFor, read, settingsFor } from './testing/bench.ts';
import { Peer } from './testing/peer.ts';

const NEVER = new AbortController().signal;
/** More than the server lets pass between the answer and the first value. */
const HELD_UP_MS = 150;

let peer: Peer;
before(async () => {
  peer = await Peer.start({ nodes: 1 });
});
after(() => peer[Symbol.asyncDispose]());

test('what a queue of the server has lost is counted', async (t) => {
  const session = await connected(t, settingsFor(peer, { publishingInterval: '300ms' }));
  const heard = hearing();
  await session.subscribe?.([numberPoint(0, { samplingInterval: '0s', queueSize: 2 })], heard, NEVER);
  await eventually('the first value', () => heard.values[0]?.length === 1);
  await eventually('a loss', async () => {
    await peer.ask({ do: 'change', nodes: 1, perSecond: 1000, rounds: 50 });
    return heard.lostCount > 0;
  });
});

test('what comes together with the answer to the subscription is heard, too', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const heard = hearing();
  // A process that is held up finds both in one piece.
  const holdingUp = setInterval(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HELD_UP_MS));
  t.after(() => clearInterval(holdingUp));
  await session.subscribe?.([pointFor('Byte', 'uint8')], heard, NEVER);
  clearInterval(holdingUp);
  await eventually('the first value', () => heard.values[0]?.length === 1);
});

test('a connection that is lost for a while is resumed, with what changed meanwhile, and nothing is lost', async (t) => {
  await using proxy = await TcpProxy.start(`127.0.0.1:${peer.port}`);
  const session = await connected(t, settingsFor(peer, { resume: '30s' }, { endpoint: `opc.tcp://${proxy.address}` }));
  const heard = hearing();
  await session.subscribe?.([pointFor('Int16', 'int16')], heard, NEVER);
  await eventually('the first value', () => heard.values[0]?.length === 1);
  const before = proxy.connections;
  proxy.cut();
  await peer.ask({ do: 'set', name: 'Int16', value: 12 });
  proxy.mend();
  await eventually('the new value', () => heard.values[0]?.at(-1) === 12);
  assert.ok(proxy.connections > before);
  assert.equal(heard.lostCount, 0);
});

test('messages that were lost on their way are asked for again: no value is missing', async (t) => {
  await using proxy = await TcpProxy.start(`127.0.0.1:${peer.port}`);
  const session = await connected(t, settingsFor(peer, { resume: '30s' }, { endpoint: `opc.tcp://${proxy.address}` }));
  const heard = hearing();
  await session.subscribe?.([pointFor('UInt32', 'uint32')], heard, NEVER);
  await eventually('the first value', () => heard.values[0]?.length === 1);
  proxy.bytesPerSecond = 0;
  for (const value of [21, 22]) {
    const before = proxy.taken.down;
    await peer.ask({ do: 'set', name: 'UInt32', value });
    await eventually('the message to leave the server', () => proxy.taken.down > before);
  }
  proxy.cut();
  await eventually('the loss', () => proxy.lost.down > 0);
  proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
  proxy.mend();
  // The last one may come twice: asked for again, and as the value that is there now.
  await eventually('what was lost', () => [...new Set(heard.values[0]?.slice(1))].join() === '21,22');
  assert.equal(heard.lostCount, 0);
});

test('a server that has dropped the session alone hands its subscription to the new one: nothing is lost', async (t) => {
  // Without security a server cannot know that it is the same client.
  const session = await connected(t, settingsFor(peer, { securityMode: 'SignAndEncrypt' }));
  const heard = hearing();
  await session.subscribe?.([pointFor('UInt32', 'uint32')], heard, NEVER);
  await eventually('the first value', () => heard.values[0]?.length === 1);
  await peer.ask({ do: 'drop sessions', subscriptions: false });
  await peer.ask({ do: 'set', name: 'UInt32', value: 31 });
  assert.deepEqual(await read(session, [pointFor('SByte', 'int8')]), [-128]);
  await eventually('what changed meanwhile', () => heard.values[0]?.at(-1) === 31);
  // One that is made anew would count as a loss.
  assert.equal(heard.lostCount, 0);
});

test('a server that has dropped the session is asked anew, and goes on telling changes', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const heard = hearing();
  await session.subscribe?.([pointFor('Int32', 'int32')], heard, NEVER);
  await eventually('the first value', () => heard.values[0]?.length === 1);
  await peer.ask({ do: 'drop sessions', subscriptions: true });
  assert.deepEqual(await read(session, [pointFor('SByte', 'int8')]), [-128]);
  await peer.ask({ do: 'set', name: 'Int32', value: 41 });
  await eventually('the new value', () => heard.values[0]?.at(-1) === 41);
  // Nobody knows what has changed while there was no subscription.
  assert.ok(heard.lostCount > 0);
});

test('a server that is started again is connected to again', async (t) => {
  await using other = await Peer.start({ nodes: 1 });
  const session = await connected(t, settingsFor(other, { resume: '100ms' }));
  await other.ask({ do: 'stop' });
  assert.ok(isDriverError(await session.ended, 'Unreachable'));
  await assert.rejects(driver.connect(settingsFor(other), contextOf()), (error) => isDriverError(error, 'Unreachable'));
  await other.start({ nodes: 1 });
  const again = await connected(t, settingsFor(other));
  assert.deepEqual(await read(again, [pointFor('Byte', 'uint8')]), [255]);
});
