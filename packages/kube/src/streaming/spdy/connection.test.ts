import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { socketChannel } from '../byte-channel.ts';
import { connectSpdy, type SpdyClient, type SpdyStream, serveSpdy } from './connection.ts';

/** A client and a server of ours on a real socket. */
async function withClient(
  onStream: (stream: SpdyStream, close: () => void) => void,
  use: (client: SpdyClient) => Promise<void>,
): Promise<void> {
  const server = createServer((socket) => {
    const ended = (stream: SpdyStream) => onStream(stream, () => socket.destroySoon());
    serveSpdy({ channel: socketChannel(socket, Buffer.alloc(0)), onStream: ended }).catch(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket: Socket = connect((server.address() as { port: number }).port, '127.0.0.1');
  const client = connectSpdy(socketChannel(socket, Buffer.alloc(0)));
  try {
    await use(client);
  } finally {
    client.close();
    server.close();
  }
}

async function textOf(stream: SpdyStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream.incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('a client opens streams by their headers, and each half ends by itself', () =>
  withClient(
    (stream) =>
      void textOf(stream).then((text) =>
        stream.send(Buffer.from(`${stream.headers['name']}: ${text}`)).then(() => stream.end()),
      ),
    async (client) => {
      const first = await client.open({ name: 'one' });
      const second = await client.open({ name: 'two' });
      await second.send(Buffer.from('b'));
      await first.send(Buffer.from('a'));
      await Promise.all([first.end(), second.end()]);
      assert.deepEqual(await Promise.all([textOf(first), textOf(second)]), ['one: a', 'two: b']);
    },
  ));

test('what a server wrote before it closed arrives whole', () =>
  withClient(
    (stream, close) =>
      void stream
        .send(Buffer.alloc(2_000_000))
        .then(() => stream.end())
        .then(close),
    async (client) => {
      const stream = await client.open({ name: 'one' });
      assert.equal((await textOf(stream)).length, 2_000_000);
    },
  ));

test('when the connection goes, what waits for a stream ends', () =>
  withClient(
    () => {},
    async (client) => {
      const stream = await client.open({ name: 'one' });
      client.close();
      assert.equal(await textOf(stream), '');
    },
  ));
