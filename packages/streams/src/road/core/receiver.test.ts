import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROAD_VERSION } from '../wire/messages.ts';
import { Places } from './places.ts';
import { Receiver } from './receiver.ts';

function greeted(): Receiver {
  const receiver = new Receiver(new Places(() => undefined));
  receiver.accept({ type: 'hello', version: ROAD_VERSION, queues: [] });
  return receiver;
}

test('pieces that hold nothing are refused: each would cost memory, and no budget counts them', () =>
  assert.throws(
    () => greeted().accept({ type: 'piece', lane: 'live', isLast: false, bytes: new Uint8Array() }),
    /too many pieces/,
  ));

test('a block has a bound of pieces, however small they are', () => {
  const receiver = greeted();
  const piece = { type: 'piece', lane: 'live', isLast: false, bytes: new Uint8Array(1) } as const;
  assert.throws(() => {
    for (let count = 0; count < 100_000; count++) receiver.accept(piece);
  }, /too many pieces/);
});
