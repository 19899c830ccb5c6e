import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@skerry/base';
import { LANE_BYTES, MAX_BULK_STREAMS, MAX_STREAMS, STREAM_INITIAL_CREDIT, STREAM_PENDING_BYTES } from '../limits.ts';
import { Channel, type WriteEffect } from './channel.ts';
import { decodeFrames, Lane, type SessionFrame } from './frame.ts';
import { isStreamFrame, type StreamEffect } from './stream-events.ts';
import { Streams } from './streams.ts';

/** Two ends without a network: what one sends, the other gets when `exchange` is called. */
function pair() {
  const make = (side: 'edge' | 'hub') => {
    const channel = new Channel();
    channel.switchTo(channel.addPath(1, 5_000, 0));
    return { channel, streams: new Streams(channel, side), effects: [] as StreamEffect[] };
  };
  const [edge, hub] = [make('edge'), make('hub')];
  const carry = (from: typeof edge, to: typeof edge) => {
    const out: WriteEffect[] = [];
    do from.channel.flush(0, out);
    while (from.streams.fill(0, from.effects));
    for (const path of from.channel.paths) path.buffered = 0;
    for (const { frame } of out.flatMap(({ bytes }) => [...decodeFrames(bytes)])) {
      if (isStreamFrame(frame as SessionFrame))
        to.streams.onFrame(frame as Parameters<Streams['onFrame']>[0], 0, to.effects);
    }
    return out.length > 0;
  };
  const exchange = () => {
    while (carry(edge, hub) || carry(hub, edge));
  };
  return { edge, hub, exchange };
}

const openId = ({ streams, effects }: ReturnType<typeof pair>['edge']): number => {
  const id = streams.takeId() ?? 0;
  streams.onEvent({ type: 'stream-open', id, header: new Uint8Array(0) }, 0, effects);
  return id;
};

const types = (effects: readonly StreamEffect[]) => effects.map(({ type }) => type);

test('the answerer accepts by sending, and both ends close a stream', () => {
  const { edge, hub, exchange } = pair();
  const id = openId(hub);
  exchange();
  edge.streams.onEvent({ type: 'stream-send', id, bytes: new Uint8Array(3) }, 0, edge.effects);
  edge.streams.onEvent({ type: 'stream-end', id }, 0, edge.effects);
  hub.streams.onEvent({ type: 'stream-end', id }, 0, hub.effects);
  exchange();
  assert.deepEqual(
    types(edge.effects).filter((type) => type !== 'stream-room'),
    ['stream-opened', 'stream-ended', 'stream-closed'],
  );
  assert.deepEqual(
    types(hub.effects).filter((type) => type !== 'stream-room'),
    ['stream-accepted', 'stream-data', 'stream-ended', 'stream-closed'],
  );
});

test('an answer that is over closes the stream although its opener never ends it', () => {
  const { edge, hub, exchange } = pair();
  const id = openId(hub);
  exchange();
  edge.streams.onEvent({ type: 'stream-end', id, isFinal: true }, 0, edge.effects);
  exchange();
  assert.equal(hub.effects.at(-1)?.type, 'stream-closed');
  assert.equal(hub.streams.count + edge.streams.count, 0);
});

test('a sender stops where the credit of a reader that does not read ends', () => {
  const { edge, hub, exchange } = pair();
  const id = openId(hub);
  for (let sent = 0; sent < 8; sent++) {
    hub.streams.onEvent({ type: 'stream-send', id, bytes: new Uint8Array(32_000) }, 0, hub.effects);
    exchange();
  }
  const arrived = () => edge.effects.filter(({ type }) => type === 'stream-data').length;
  assert.equal(arrived(), Math.ceil(STREAM_INITIAL_CREDIT / 32_016));
  assert.equal(hub.streams.isBlocked(id), true);
  for (let read = 0; read < arrived(); read++) {
    edge.streams.onEvent({ type: 'stream-consumed', id, bytes: 32_000 }, 0, edge.effects);
    exchange();
  }
  assert.equal(arrived(), 8);
  assert.equal(hub.effects.at(-1)?.type, 'stream-room');
});

test('a sender that does not wait for room is aborted at a bound', () => {
  const { hub } = pair();
  const id = openId(hub);
  for (let sent = 0; sent < (STREAM_PENDING_BYTES + LANE_BYTES) / 32_000 + 2; sent++) {
    hub.streams.onEvent({ type: 'stream-send', id, bytes: new Uint8Array(32_000) }, 0, hub.effects);
  }
  assert.ok(types(hub.effects).includes('stream-aborted'));
  assert.equal(hub.streams.count, 0);
});

test('streams take turns for the room in their lane', () => {
  const { edge, hub, exchange } = pair();
  const [one, other] = [openId(hub), openId(hub)];
  for (const id of [one, one, one, one, one, one, one, one, one, other]) {
    hub.streams.onEvent({ type: 'stream-send', id, bytes: new Uint8Array(30_000) }, 0, hub.effects);
  }
  exchange();
  const order = edge.effects.flatMap((effect) => (effect.type === 'stream-data' ? [effect.id] : []));
  assert.ok(order.includes(other), `${order} holds the message of the second stream`);
});

test('what is sent beyond its credit, or for a stream that never was, breaks the protocol', () => {
  const { edge } = pair();
  const feed = (frame: Parameters<Streams['onFrame']>[0]) => edge.streams.onFrame(frame, 0, edge.effects);
  feed({ type: 'open', id: 2, lane: Lane.telemetry, header: new Uint8Array(0) });
  const flood = () => {
    for (let sent = 0; sent < 10; sent++) feed({ type: 'data', id: 2, bytes: new Uint8Array(32_000) });
  };
  assert.throws(flood, (error) => hasCode(error, 'LINK_PROTOCOL'));
  assert.throws(
    () => feed({ type: 'end', id: 4, isFinal: false }),
    (error) => hasCode(error, 'LINK_PROTOCOL'),
  );
  assert.throws(
    () => feed({ type: 'open', id: 3, lane: Lane.telemetry, header: new Uint8Array(0) }),
    (error) => hasCode(error, 'LINK_PROTOCOL'),
  );
});

test('on the bulk lane an opener that sends anything breaks the protocol', () => {
  const { hub } = pair();
  const feed = (frame: Parameters<Streams['onFrame']>[0]) => hub.streams.onFrame(frame, 0, hub.effects);
  feed({ type: 'open', id: 1, lane: Lane.bulk, header: new Uint8Array(0) });
  assert.throws(
    () => feed({ type: 'data', id: 1, bytes: new Uint8Array(1) }),
    (error) => hasCode(error, 'LINK_PROTOCOL'),
  );
});

test('of the bulk lane a peer has few streams, whatever else it has', () => {
  const { hub } = pair();
  const open = (id: number, lane: Lane) =>
    hub.streams.onFrame({ type: 'open', id, lane, header: new Uint8Array(0) }, 0, hub.effects);
  for (let count = 0; count < MAX_BULK_STREAMS + 5; count++) open(2 * count + 1, Lane.bulk);
  assert.equal(hub.streams.count, MAX_BULK_STREAMS);
  open(1_001, Lane.telemetry);
  assert.equal(hub.streams.count, MAX_BULK_STREAMS + 1);
});

test('streams beyond the limit are refused, one by one', () => {
  const { edge, hub, exchange } = pair();
  for (let count = 0; count < MAX_STREAMS; count++) openId(hub);
  exchange();
  assert.equal(hub.streams.takeId(), undefined);
  const id = 2 * MAX_STREAMS + 2;
  edge.streams.onFrame({ type: 'open', id, lane: Lane.telemetry, header: new Uint8Array(0) }, 0, edge.effects);
  assert.equal(edge.streams.count, MAX_STREAMS);
});
