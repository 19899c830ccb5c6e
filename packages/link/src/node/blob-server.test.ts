import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import type { LinkStream } from '../contract.ts';
import { encodeBlobAsk } from '../core/blob.ts';
import { BLOB_STALL_MS } from '../limits.ts';
import { serveBlob } from './blob-server.ts';

/** A stream whose reader takes one message every `everyMs`, and an end of which it says nothing. */
function slowStream(clock: ReturnType<typeof fakeClock>, everyMs: number) {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  let reason: string | undefined;
  const stream: LinkStream = {
    send: () => Promise.race([clock.sleep(everyMs), aborted.promise]),
    incoming: (async function* () {})(),
    end: () => {},
    abort: (text) => {
      reason ??= text;
      aborted.reject(new Error(text));
      close();
    },
    closed,
  };
  return { stream, why: () => reason };
}

async function check(everyMs: number, pieces: number, forMs: number, expected: string | undefined): Promise<void> {
  const clock = fakeClock();
  const { stream, why } = slowStream(clock, everyMs);
  async function* content() {
    for (let count = 0; count < pieces; count++) yield new Uint8Array(1);
  }
  const service = { node: 'n1', door: async () => ({ size: pieces, bytes: content() }), rates: [], clock };
  const header = encodeBlobAsk({ offset: 0, request: new Uint8Array(0) });
  const served = serveBlob({ ...service, pieceBytes: () => 1 }, header, stream, new AbortController().signal);
  served.catch(() => {});
  await clock.advance(forMs);
  assert.equal(why(), expected);
}

test('a blob that is taken slowly is served to its end', () =>
  check(BLOB_STALL_MS * 0.9, 20, BLOB_STALL_MS * 18, undefined));

test('a blob that nobody takes anything of is broken off', () =>
  check(BLOB_STALL_MS * 100, 20, BLOB_STALL_MS * 2, 'the blob stands still'));

test('a blob whose end nobody confirms is broken off, too', () =>
  check(0, 2, BLOB_STALL_MS * 2, 'the blob stands still'));
