import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageStream } from './contract.ts';
import { MAX_PAIR_MESSAGES, streamPair } from './stream-pair.ts';

async function collect(incoming: AsyncIterable<Uint8Array>): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const message of incoming) texts.push(Buffer.from(message).toString());
  return texts;
}

test('messages arrive in order at the other end, and the end is seen', async () => {
  const { opener: here, answerer: there } = streamPair();
  await here.send(Buffer.from('a'));
  await here.send(Buffer.from('b'));
  here.end();
  assert.deepEqual(await collect(there.incoming), ['a', 'b']);
  there.end();
  await here.closed;
});

test('a sender waits while the reader is behind', async () => {
  const { opener: here, answerer: there } = streamPair();
  let sent = 0;
  const sending = (async () => {
    for (; sent < MAX_PAIR_MESSAGES * 2; sent++) await here.send(Buffer.from(String(sent)));
    here.end();
  })();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sent, MAX_PAIR_MESSAGES);
  assert.equal((await collect(there.incoming)).length, MAX_PAIR_MESSAGES * 2);
  await sending;
});

test('an abort ends both directions with its reason', async () => {
  const { opener: here, answerer: there } = streamPair();
  await here.send(Buffer.from('lost'));
  there.abort('gone');
  await assert.rejects(collect(here.incoming), /gone/);
  await assert.rejects(here.send(Buffer.from('late')), /closed/);
  await here.closed;
});

test('a stream counts as taken when the answerer says so, reads, sends or ends', async () => {
  const ways: readonly ((stream: MessageStream) => unknown)[] = [
    (stream) => stream.accept?.(),
    (stream) => stream.incoming[Symbol.asyncIterator](),
    (stream) => stream.send(Buffer.from('x')),
    (stream) => stream.end(),
  ];
  for (const way of ways) {
    const { answerer, accepted } = streamPair();
    way(answerer);
    await accepted;
  }
});
