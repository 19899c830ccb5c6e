import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { STORED_TYPES } from '../../store/index.ts';
import { Places } from '../core/places.ts';
import { Receiver } from '../core/receiver.ts';
import {
  type CloudMessage,
  decodeCloudMessage,
  decodeEdgeMessage,
  type EdgeMessage,
  encodeCloudMessage,
  encodeEdgeMessage,
} from './messages.ts';

const NUMBER = fc.nat({ max: 2 ** 31 - 1 }).map((number) => number * 4_000_000);
const TOKEN = fc.uint8Array({ minLength: 16, maxLength: 16 });
const LABELS = fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 9 }), { maxKeys: 16 });
const LANE = fc.constantFrom('live' as const, 'late' as const);

const EDGE: fc.Arbitrary<EdgeMessage> = fc.oneof(
  fc.record({ type: fc.constant('hello'), version: fc.nat(300), queues: fc.array(TOKEN, { maxLength: 64 }) }),
  fc.record({ type: fc.constant('open'), id: TOKEN }),
  fc.record({ type: fc.constant('resume'), queue: fc.nat(), liveFrom: NUMBER }),
  fc.record({
    type: fc.constant('series'),
    series: fc.array(fc.record({ id: NUMBER, type: fc.constantFrom(...STORED_TYPES), labels: LABELS })),
  }),
  fc.record({ type: fc.constant('piece'), lane: LANE, isLast: fc.boolean(), bytes: fc.uint8Array() }),
);

const CLOUD: fc.Arbitrary<CloudMessage> = fc.oneof(
  fc.record({ type: fc.constant('at'), queue: fc.nat(), late: NUMBER, liveFrom: NUMBER, live: NUMBER }),
  fc.record({ type: fc.constant('got'), bytes: NUMBER }),
  fc.record({
    type: fc.constant('ack'),
    queue: fc.nat(),
    lane: LANE,
    number: NUMBER,
    refused: NUMBER,
    reason: fc.string(),
  }),
);

/** As objects without prototypes and views, which say nothing here. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_name, part: unknown) => (part instanceof Uint8Array ? [...part] : part)));

test('messages come back as they were', () => {
  const options = { numRuns: runs(200) };
  const check = (message: unknown, read: unknown) => assert.deepEqual(plain(read), plain(message));
  fc.assert(
    fc.property(EDGE, (message) => check(message, decodeEdgeMessage(encodeEdgeMessage(message)))),
    options,
  );
  fc.assert(
    fc.property(CLOUD, (message) => check(message, decodeCloudMessage(encodeCloudMessage(message)))),
    options,
  );
});

test('whatever an edge sends, the cloud takes it or says that it breaks the protocol', () =>
  fc.assert(
    fc.property(fc.array(fc.oneof(EDGE.map(encodeEdgeMessage), fc.uint8Array()), { size: 'medium' }), (messages) => {
      const receiver = new Receiver(new Places(() => undefined));
      try {
        for (const bytes of messages) receiver.accept(decodeEdgeMessage(bytes));
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
    { numRuns: runs(500) },
  ));
