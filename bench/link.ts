/** The link over real sockets with mutual TLS: reconnecting, state, outbox, streams, memory of idle sessions (`--sessions N`). */
import { parseArgs } from 'node:util';
import { Loopback } from '@skerry/link/testing';
import { WebSocket } from 'ws';
import { report, round } from './support/figures.ts';
import { startBareServer } from './support/link-bare.ts';
import { memory } from './support/link-memory.ts';

const MESSAGE = Buffer.alloc(32 * 1024, 7);
const STREAM_MESSAGES = 20_000;
/** Each side of a ratio runs so often, in turns; the best counts, since both only lose to other load and to cold code. */
const ROUNDS = 3;

const { values } = parseArgs({ options: { sessions: { type: 'string', default: '2000' } } });

// ——— reconnecting with nothing changed ———

async function reconnect(held: number): Promise<void> {
  await using cloud = await new Loopback().start();
  for (let count = 0; count < held; count++) cloud.feed.put(`v1/configmaps/default/object-${count}`, Buffer.alloc(600));
  const first = cloud.edge('n1');
  first.link.start();
  await first.until((status) => status.current);
  await first.folder.replica.until(() => first.folder.replica.currents === 1);
  await first.link.stop();
  const wire = countWire(cloud);
  const second = cloud.edge('n1', { folder: first.folder });
  const startedAt = performance.now();
  second.link.start();
  await first.folder.replica.until(() => first.folder.replica.currents === 2);
  const currentMs = performance.now() - startedAt;
  // Whatever acknowledgement is still owed goes out within its delay.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const { up, down, handshake } = wire();
  const note = `${up} up, ${down} down; the upgrade's answer is ${handshake} bytes more`;
  report(
    { name: `back and current, nothing changed in ${held} objects`, value: round(currentMs), unit: 'ms', atMost: 1000 },
    { name: 'link frames for it', value: up + down, unit: 'bytes', atMost: 600, note },
  );
}

/** Bytes of WebSocket messages with their headers, both ways; the handshake's beside them. Encryption is not counted. */
function countWire(cloud: Loopback): () => { up: number; down: number; handshake: number } {
  const bytes = { up: 0, down: 0, handshake: 0 };
  cloud.server.once('upgrade', (_request, socket) => {
    const write = socket.write.bind(socket);
    let isUpgraded = false;
    const counting = (chunk: Uint8Array, ...rest: []) => {
      bytes[isUpgraded ? 'down' : 'handshake'] += chunk.length;
      isUpgraded = true;
      return write(chunk, ...rest);
    };
    socket.write = counting as typeof socket.write;
    const push = socket.push.bind(socket);
    socket.push = (chunk: Uint8Array | null) => {
      bytes.up += chunk?.length ?? 0;
      return push(chunk);
    };
  });
  return () => bytes;
}

// ——— state ———

async function state(objects: number, size: number): Promise<void> {
  await using cloud = await new Loopback().start();
  const bytes = Buffer.alloc(size, 1);
  for (let count = 0; count < objects; count++) cloud.feed.put(`v1/configmaps/default/object-${count}`, bytes);
  const edge = cloud.edge('n1');
  const startedAt = performance.now();
  edge.link.start();
  await edge.folder.replica.until(() => edge.folder.replica.currents === 1);
  const seconds = (performance.now() - startedAt) / 1_000;
  const note = `${round((objects * size) / 1e6 / seconds)} MB/s`;
  report({
    name: `state, ${objects} objects of ${size} bytes`,
    value: Math.round(objects / seconds),
    unit: '/s',
    note,
  });
}

async function outbox(entries: number, size: number): Promise<void> {
  await using cloud = await new Loopback().start();
  const edge = cloud.edge('n1');
  const bytes = Buffer.alloc(size, 1);
  for (let count = 0; count < entries; count++) edge.folder.outbox.append(bytes);
  const startedAt = performance.now();
  edge.link.start();
  while (cloud.sunk.get('n1')?.length !== entries) await new Promise((resolve) => setImmediate(resolve));
  const seconds = (performance.now() - startedAt) / 1_000;
  report({ name: `outbox, ${entries} entries of ${size} bytes`, value: Math.round(entries / seconds), unit: '/s' });
}

// ——— streams ———

async function streams(): Promise<void> {
  let [bare, down] = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    bare = Math.max(bare, await bareDown());
    down = Math.max(down, await linkDown());
  }
  const comparison = { ratio: round(down / bare, 2), of: 'a bare WebSocket over the same TLS' };
  report({ name: 'one stream, messages of 32 KiB', value: round(down), unit: 'MB/s', ...comparison });
}

async function linkDown(): Promise<number> {
  await using cloud = await new Loopback().start();
  let received = 0;
  const edge = cloud.edge('n1', {
    streamHandler: async (_header, stream) => {
      for await (const message of stream.incoming) received += message.length;
    },
  });
  edge.link.start();
  await edge.until((status) => status.current);
  const stream = await cloud.hub.openStream('n1', Buffer.from('sink'));
  const startedAt = performance.now();
  for (let count = 0; count < STREAM_MESSAGES; count++) await stream.send(MESSAGE);
  stream.end();
  await stream.closed;
  return received / 1e6 / ((performance.now() - startedAt) / 1_000);
}

async function bareDown(): Promise<number> {
  await using cloud = await new Loopback().start();
  const server = await startBareServer(cloud);
  const { key, cert, ca } = cloud.tlsOf('n1');
  const client = new WebSocket(`wss://${server.endpoint}`, { key, cert, ca, perMessageDeflate: false });
  const [peer] = await Promise.all([
    new Promise<WebSocket>((resolve) => server.webSockets.once('connection', resolve)),
    new Promise((resolve) => client.once('open', resolve)),
  ]);
  const startedAt = performance.now();
  const done = new Promise<void>((resolve) => {
    let received = 0;
    client.on('message', (data: Buffer) => {
      received += data.length;
      if (received === STREAM_MESSAGES * MESSAGE.length) resolve();
    });
  });
  for (let count = 0; count < STREAM_MESSAGES; count++) {
    const isTaken = new Promise((resolve) => peer.send(MESSAGE, resolve));
    if (peer.bufferedAmount > 256 * 1024) await isTaken;
  }
  await done;
  const seconds = (performance.now() - startedAt) / 1_000;
  client.terminate();
  server.stop();
  return (STREAM_MESSAGES * MESSAGE.length) / 1e6 / seconds;
}

await reconnect(100);
await state(20_000, 1_000);
await state(2_000, 100_000);
await outbox(100_000, 200);
await streams();
const idle = await memory(Number(values.sessions));
report({
  name: 'heap of an idle session at the hub',
  value: idle.linkHeapBytes,
  unit: 'bytes',
  atMost: 15_000,
  ratio: idle.ratio,
  ratioAtMost: 1.3,
  of: 'a bare WebSocket over the same TLS',
  note: `${idle.sessions} sessions; resident memory of each ${idle.linkRssBytes} bytes, of a bare one ${idle.bareRssBytes}`,
});
