import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import { endRefused, REFUSAL_MS } from './http-refusal.ts';

/** A client that never closes its side, and takes what it is sent only when told so. */
function client({ takes }: { readonly takes: boolean }): Duplex {
  return new Duplex({ read() {}, write: (_chunk, _encoding, done) => void (takes && done()), allowHalfOpen: true });
}

test('a refused client that took its answer is let go, though it never closes its side', async () => {
  const socket = client({ takes: true });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.push('x');
  endRefused(socket, 'no', fakeClock());
  await closed;
});

test('a refused client that takes nothing is cut after a while', async () => {
  const clock = fakeClock();
  const socket = client({ takes: false });
  endRefused(socket, 'no', clock);
  await clock.advance(REFUSAL_MS - 1);
  assert.equal(socket.destroyed, false);
  await clock.advance(1);
  assert.equal(socket.destroyed, true);
});
