import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@skerry/base';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { MAX_FRAME_BODY_BYTES } from '../limits.ts';
import { decodeOutbox, decodeState, encodeOutbox, encodeState } from './batch.ts';
import { ByteReader, ByteWriter, concat, varintSize } from './bytes.ts';
import { decodeFrames, encodeFrame, type Frame, Lane, Reason } from './frame.ts';

const number = fc.maxSafeNat();
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const text = fc.string({ unit: 'binary', maxLength: 50 });

const frames: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    lowest: number,
    highest: number,
    sessionNumber: number,
    heartbeatMs: number,
    received: number,
    key: bytes(16),
    joinOnly: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('welcome' as const),
    version: number,
    resumed: fc.boolean(),
    sessionNumber: number,
    received: number,
    key: bytes(16),
  }),
  fc.record({
    type: fc.constant('refuse' as const),
    reason: fc.constantFrom(...Object.values(Reason)),
    retryAfterMs: number,
    text,
  }),
  fc.record({ type: fc.constantFrom('ping' as const, 'pong' as const), nonce: number }),
  fc.record({ type: fc.constant('switch' as const), generation: number, first: number }),
  fc.record({ type: fc.constantFrom('sync' as const, 'current' as const), position: bytes(200) }),
  fc.record({
    type: fc.constantFrom('state' as const, 'outbox' as const, 'versions' as const),
    more: fc.boolean(),
    piece: bytes(300),
  }),
  fc.record({
    type: fc.constant('open' as const),
    id: number,
    lane: fc.constantFrom(Lane.telemetry, Lane.bulk),
    header: bytes(300),
  }),
  fc.record({ type: fc.constant('data' as const), id: number, bytes: bytes(300) }),
  fc.record({ type: fc.constant('credit' as const), id: number, bytes: number }),
  fc.record({ type: fc.constant('end' as const), id: number, isFinal: fc.boolean() }),
);

test('every frame is read as it was written, alone or behind others', () => {
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 5 }), (sent) => {
      const parts = sent.map((frame) => encodeFrame(frame));
      const size = parts.reduce((sum, part) => sum + part.length, 0);
      const received = [...decodeFrames(concat(parts, size))];
      assert.deepEqual(
        received.map(({ frame }) => plain(frame)),
        sent.map(plain),
      );
      assert.equal(
        received.reduce((sum, frame) => sum + frame.size, 0),
        size,
      );
    }),
  );
});

test('any bytes are either frames or LINK_PROTOCOL', () => {
  fc.assert(
    fc.property(bytes(200), (message) => {
      try {
        for (const { frame } of decodeFrames(message)) assert.ok(frame.type);
      } catch (error) {
        assert.ok(hasCode(error, 'LINK_PROTOCOL'), String(error));
      }
    }),
    { numRuns: runs(2_000) },
  );
});

test('a frame that claims more than a frame may hold is refused by its claim', () => {
  const message = new ByteWriter()
    .byte(0x22)
    .varint(MAX_FRAME_BODY_BYTES + 1)
    .finish();
  assert.throws(
    () => [...decodeFrames(message)],
    (error) => hasCode(error, 'LINK_PROTOCOL'),
  );
});

test('varints hold every whole number up to 2^53 - 1 in as few bytes as seven bits each allow', () => {
  fc.assert(
    fc.property(number, (value) => {
      const written = new ByteWriter().varint(value).finish();
      assert.equal(written.length, varintSize(value));
      assert.equal(new ByteReader(written).varint(), value);
    }),
  );
});

test('a batch of state is read as it was written, and only the last of a send has the position', () => {
  const change = fc.oneof(
    fc.record({ key: text, version: text, bytes: bytes(70_000) }),
    fc.record({ key: text, deleted: fc.constant(true as const) }),
  );
  fc.assert(
    fc.property(fc.array(change), bytes(100), (changes, position) => {
      const batches = [...encodeState(changes, position)].map(decodeState);
      assert.deepEqual(
        batches.flatMap((batch) => batch.changes.map(plain)),
        changes.map(plain),
      );
      const positions = batches.map((batch) => batch.position && [...batch.position]);
      assert.deepEqual(positions, [...batches.slice(1).map(() => undefined), [...position]]);
    }),
    { numRuns: runs(50) },
  );
});

test('outbox entries come in order or not at all', () => {
  const entry = (seq: number) => ({ seq, bytes: new Uint8Array(1) });
  const { batch, count } = encodeOutbox([entry(5), entry(6), entry(9)]);
  assert.equal(count, 3);
  assert.deepEqual(
    decodeOutbox(batch, 4).map(({ seq }) => seq),
    [5, 6, 9],
  );
  assert.throws(
    () => decodeOutbox(batch, 5),
    (error) => hasCode(error, 'LINK_PROTOCOL'),
  );
});

/** Views of a buffer compare by what they hold. */
function plain(value: object): object {
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, field instanceof Uint8Array ? [...field] : field]),
  );
}
