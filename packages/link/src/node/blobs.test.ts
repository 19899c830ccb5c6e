/** Blobs over real sockets: asked for, refused, left, kept from their breaks. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { hasCode } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { TcpProxy } from '@skerry/testkit/processes';
import type { BlobDoor, LinkBlob } from '../contract.ts';
import { BULK_MAX_WINDOW_BYTES, MAX_BULK_STREAMS, MAX_STREAM_MESSAGE_BYTES } from '../limits.ts';
import { Loopback, type LoopbackEdge } from '../testing/index.ts';
import { Rate } from './rate.ts';

const MIB = 1024 * 1024;

/** One that has `content` under every name. */
function doorTo(content: Uint8Array, onLeft = () => {}): BlobDoor {
  async function* from(offset: number) {
    try {
      for (let at = offset; at < content.length; at += 100_000) yield content.subarray(at, at + 100_000);
    } finally {
      onLeft();
    }
  }
  return async ({ request, offset }) => ({
    size: content.length,
    info: Buffer.from(`about ${Buffer.from(request).toString()}`),
    bytes: from(offset),
  });
}

async function connect(cloud: Loopback, edge: LoopbackEdge = cloud.edge('n1')): Promise<LoopbackEdge> {
  edge.link.start();
  await edge.until((status) => status.current);
  return edge;
}

async function collect({ bytes }: LinkBlob): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

const isRefused = (text: RegExp) => (error: unknown) =>
  hasCode(error, 'LINK_BLOB_REFUSED') && text.test(String(error.facts['text']));

test('an edge gets the rest of a blob, its whole size, and what there is to say about it', async () => {
  const content = randomBytes(3 * MIB);
  await using cloud = await new Loopback({ hub: { blobs: doorTo(content) } }).start();
  const { link } = await connect(cloud);
  const blob = await link.openBlob(Buffer.from('one'), { offset: 12_345 });
  assert.equal(blob.size, content.length);
  assert.equal(Buffer.from(blob.info).toString(), 'about one');
  assert.ok((await collect(blob)).equals(content.subarray(12_345)));
});

test('a blob may be empty, or all there already', async () => {
  await using cloud = await new Loopback({ hub: { blobs: doorTo(Buffer.alloc(9)) } }).start();
  const { link } = await connect(cloud);
  const blob = await link.openBlob(Buffer.from('one'), { offset: 9 });
  assert.equal((await collect(blob)).length, 0);
});

test('what the cloud does not have is refused in its own words', async () => {
  const door: BlobDoor = ({ request }) => Promise.reject(new Error(`no ${Buffer.from(request).toString()} here`));
  await using cloud = await new Loopback({ hub: { blobs: door } }).start();
  const { link } = await connect(cloud);
  await assert.rejects(link.openBlob(Buffer.from('such thing')), isRefused(/^no such thing here$/));
});

test('an offset beyond the end is refused, and so is everything where there is no door', async () => {
  await using cloud = await new Loopback({ hub: { blobs: doorTo(Buffer.alloc(9)) } }).start();
  const { link } = await connect(cloud);
  await assert.rejects(link.openBlob(Buffer.from('one'), { offset: 10 }), isRefused(/beyond the 9 bytes/));
  await using plain = await new Loopback().start();
  const other = await connect(plain);
  await assert.rejects(other.link.openBlob(Buffer.from('one')), isRefused(/no blobs here/));
});

test('a source that ends too early breaks the blob off', async () => {
  async function* tooLittle() {
    yield new Uint8Array(60);
  }
  const door: BlobDoor = async () => ({ size: 100, bytes: tooLittle() });
  await using cloud = await new Loopback({ hub: { blobs: door } }).start();
  const { link } = await connect(cloud);
  const blob = await link.openBlob(Buffer.from('one'));
  await assert.rejects(collect(blob), (error) => hasCode(error, 'LINK_STREAM_ABORTED'));
});

test('who leaves a blob early, or takes back the request, sets its source free', async () => {
  let left = 0;
  const allLeft = Promise.withResolvers<void>();
  const onLeft = () => {
    if (++left === 2) allLeft.resolve();
  };
  await using cloud = await new Loopback({ hub: { blobs: doorTo(randomBytes(4 * MIB), onLeft) } }).start();
  const { link } = await connect(cloud);
  const one = await link.openBlob(Buffer.from('one'));
  for await (const _piece of one.bytes) break;
  const cancel = new AbortController();
  const other = await link.openBlob(Buffer.from('other'), { signal: cancel.signal });
  await assert.rejects(async () => {
    for await (const _piece of other.bytes) cancel.abort(new Error('enough'));
  }, /enough/);
  await allLeft.promise;
});

test('nothing is sent in place of a piece before the next one is asked for', async () => {
  const content = randomBytes(8 * MIB);
  let read = 0;
  async function* noted() {
    for (; read < content.length; read += 10_000) yield content.subarray(read, read + 10_000);
  }
  const door: BlobDoor = async () => ({ size: content.length, bytes: noted() });
  await using cloud = await new Loopback({ hub: { blobs: door } }).start();
  const { link } = await connect(cloud);
  const { bytes } = await link.openBlob(Buffer.from('one'));
  const pieces = bytes[Symbol.asyncIterator]();
  let kept = 0;
  for (let count = 0; count < 50; count++) {
    const next = await pieces.next();
    assert.ok(next.done !== true);
    const mostOnItsWay = BULK_MAX_WINDOW_BYTES + 2 * MAX_STREAM_MESSAGE_BYTES;
    assert.ok(read - kept <= mostOnItsWay, `${read - kept} bytes on their way`);
    kept += next.value.length;
  }
  await pieces.return?.();
});

test('more blobs at a time than there may be are refused by name, and have their turn later', async () => {
  await using cloud = await new Loopback({ hub: { blobs: doorTo(randomBytes(MIB)) } }).start();
  const { link } = await connect(cloud);
  const open = () => link.openBlob(Buffer.from('one'));
  const blobs = await Promise.all(Array.from({ length: MAX_BULK_STREAMS }, open));
  await assert.rejects(open(), (error) => hasCode(error, 'LINK_TOO_MANY_STREAMS'));
  await Promise.all(blobs.map(collect));
  assert.equal((await collect(await open())).length, MIB);
});

test('what a node may take in a second is for all of its blobs together', async () => {
  const options = { blobBytesPerSecond: 200_000 };
  await using cloud = await new Loopback({ hub: { blobs: doorTo(randomBytes(60_000)), options } }).start();
  const { link } = await connect(cloud);
  const begun = performance.now();
  await Promise.all([1, 2].map(async () => collect(await link.openBlob(Buffer.from('one')))));
  // Six tenths of a second, less what may go at once.
  assert.ok(performance.now() - begun > 450);
});

test('senders that share a rate wait for each other, and a pause is not made up for', async () => {
  const clock = fakeClock();
  const rate = new Rate(1_000, clock);
  const { signal } = new AbortController();
  await clock.advance(60_000);
  const begun = clock.monotonic();
  const sent: number[] = [];
  const send = async (count: number) => {
    for (let piece = 0; piece < count; piece++) {
      await rate.take(100, signal);
      sent.push(clock.monotonic() - begun);
    }
  };
  const sending = Promise.all([send(5), send(5)]);
  await clock.advance(2_000);
  await sending;
  // A tenth of a second each; so much may go at once after a pause, and no more.
  assert.deepEqual(sent, [0, 0, 100, 200, 300, 400, 500, 600, 700, 800]);
});

test('a blob of megabytes comes whole through breaks and a lost agent, and hardly a byte comes twice', async () => {
  const content = randomBytes(3 * MIB);
  await using cloud = await new Loopback({ hub: { blobs: doorTo(content) } }).start();
  await using proxy = await TcpProxy.start(cloud.endpoint);
  proxy.bytesPerSecond = 2 * MIB;
  const options = { endpoints: () => [proxy.address], random: () => 0 };
  let edge = await connect(cloud, cloud.edge('n1', options));
  const before = proxy.taken.down;
  const kept = Buffer.alloc(content.length);
  let at = 0;
  const breaks = [0.2, 0.4, 0.6, 0.8].map((part) => part * content.length);
  for (let tries = 0; at < content.length; tries++) {
    const blob = await edge.link.openBlob(Buffer.from('one'), { offset: at });
    for await (const piece of blob.bytes) {
      kept.set(piece, at);
      at += piece.length;
      if (breaks[0] !== undefined && at > breaks[0]) {
        breaks.shift();
        proxy.break();
      }
      if (tries === 0 && at > content.length / 2) break;
    }
    if (at === content.length) break;
    await edge.link.stop();
    edge = await connect(cloud, cloud.edge('n1', { ...options, folder: edge.folder }));
  }
  assert.equal(createHash('sha256').update(kept).digest('hex'), createHash('sha256').update(content).digest('hex'));
  // Each connection costs its handshake, about 3 kB, and each piece some bytes around it.
  const cost = (proxy.taken.down - before) / content.length - 1;
  assert.ok(cost < 0.06, `${(cost * 100).toFixed(1)} % more than the blob`);
});
