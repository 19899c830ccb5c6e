import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@skerry/base';
import { PATH_BUFFER_BYTES, SESSION_WINDOW_BYTES, TARGET_WIRE_MESSAGE_BYTES } from '../limits.ts';
import { Channel, type WriteEffect } from './channel.ts';
import { decodeFrames, Lane, type SessionFrame } from './frame.ts';

const bulky = (id: number, size = 30_000): SessionFrame => ({ type: 'data', id, bytes: new Uint8Array(size) });

function openChannel(): Channel {
  const channel = new Channel();
  channel.switchTo(channel.addPath(1, 5_000, 0));
  return channel;
}

/** What a flush writes, as frame types or stream ids; the socket takes it at once when `drained`. */
function flush(channel: Channel, drained = true): (string | number)[] {
  const out: WriteEffect[] = [];
  channel.flush(0, out);
  if (drained) for (const path of channel.paths) path.buffered = 0;
  const frames = out.flatMap(({ bytes }) => [...decodeFrames(bytes)]);
  return frames.map(({ frame }) => (frame.type === 'data' ? frame.id : frame.type));
}

test('a higher lane overtakes a lower one, whatever was queued first', () => {
  const channel = openChannel();
  channel.send(Lane.bulk, bulky(4, 10));
  channel.send(Lane.telemetry, bulky(3, 10));
  channel.send(Lane.state, { type: 'current', position: new Uint8Array(0) });
  channel.send(Lane.control, { type: 'applied', bytes: 1 });
  assert.deepEqual(flush(channel), ['switch', 'applied', 'current', 3, 4]);
});

test('a control frame waits behind one buffer of bulk at most', () => {
  const channel = openChannel();
  for (let id = 1; id <= 50; id++) channel.send(Lane.bulk, bulky(id));
  const before = flush(channel, false).length * 30_000;
  assert.ok(before <= PATH_BUFFER_BYTES + TARGET_WIRE_MESSAGE_BYTES + 30_000, `${before} bytes were given away`);
  channel.send(Lane.control, { type: 'applied', bytes: 1 });
  assert.deepEqual(flush(channel), []);
  assert.equal(flush(channel)[0], 'applied');
});

test('no more than the window is unacknowledged, and an acknowledgement opens it', () => {
  const channel = openChannel();
  for (let id = 1; id <= 200; id++) channel.send(Lane.bulk, bulky(id));
  const sent: (string | number)[] = [];
  for (let more = flush(channel); more.length > 0; more = flush(channel)) sent.push(...more);
  const frames = sent.length - 1;
  assert.equal(frames, Math.ceil(SESSION_WINDOW_BYTES / 30_004));
  channel.onAck(10);
  assert.equal(flush(channel).length + flush(channel).length, 10);
});

test('after a switch all that was not acknowledged comes again, in order, then what is new', () => {
  const channel = openChannel();
  for (let id = 1; id <= 5; id++) channel.send(Lane.telemetry, bulky(id, 10));
  flush(channel);
  channel.onAck(2);
  channel.removePath(1);
  channel.send(Lane.telemetry, bulky(6, 10));
  channel.switchTo(channel.addPath(2, 5_000, 0));
  assert.deepEqual(flush(channel), ['switch', 3, 4, 5, 6]);
});

test('what another path has brought is dropped, and a hole is no way to go on', () => {
  const channel = new Channel();
  const [old, fresh] = [channel.addPath(1, 5_000, 0), channel.addPath(2, 5_000, 0)];
  channel.onSwitch(old, 1);
  assert.deepEqual(
    [1, 2, 3].map(() => channel.accept(old, 10, 0)),
    [true, true, true],
  );
  channel.onSwitch(fresh, 2);
  assert.deepEqual(
    [2, 3, 4].map(() => channel.accept(fresh, 10, 0)),
    [false, false, true],
  );
  assert.deepEqual(
    [4].map(() => channel.accept(old, 10, 0)),
    [false],
  );
  assert.throws(
    () => channel.onSwitch(fresh, 6),
    (error) => hasCode(error, 'LINK_PROTOCOL'),
  );
});

test('acknowledging what was never sent breaks the protocol', () => {
  const channel = openChannel();
  assert.throws(
    () => channel.onAck(1),
    (error) => hasCode(error, 'LINK_PROTOCOL'),
  );
});

test('a peer that asks for more than it reads is stopped by name', () => {
  const channel = openChannel();
  const flood = () => {
    for (;;) channel.send(Lane.control, { type: 'abort', id: 1, text: new Uint8Array(1_000) });
  };
  assert.throws(flood, (error) => hasCode(error, 'LINK_PROTOCOL'));
  const pings = () => {
    const [path] = channel.paths;
    for (;;) if (path !== undefined) channel.sendOn(path, { type: 'pong', nonce: 1 }, []);
  };
  assert.throws(pings, (error) => hasCode(error, 'LINK_PROTOCOL'));
});
