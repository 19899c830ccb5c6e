import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Clock, hasCode, silentLogger, systemClock } from '@skerry/base';
import fc from 'fast-check';
import { openBlobStore } from './blob-store.ts';
import type { Digest, ImageStore, PullProgress } from './contract.ts';
import { digestOf } from './digest.ts';
import { openImageStore } from './image-store.ts';
import { parseReference } from './reference.ts';
import { memoryImage, memorySource } from './testing/memory-images.ts';

const WEB = parseReference('r.example/web:1');
/** Back-off takes no time here. */
const hastyClock: Clock = { ...systemClock, sleep: async (_ms, signal) => signal?.throwIfAborted() };

class Place implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'skerry-images-'));
  open(): Promise<ImageStore> {
    return openImageStore(this.directory, { clock: hastyClock, log: silentLogger });
  }
  files(folder: string): string[] {
    return readdirSync(join(this.directory, 'blobs', folder));
  }
  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const checkFails = (work: Promise<unknown>, code: string) =>
  assert.rejects(work, (error) => hasCode(error, code), code);

async function bytesOf(store: ImageStore, digest: Digest): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.blobs.read(digest)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('a pulled image is there by name and by digest, also after a restart', async () => {
  using place = new Place();
  const image = memoryImage([randomBytes(200_000), randomBytes(10)]);
  const stored = await (await place.open()).pull(memorySource(image), WEB);
  assert.deepEqual(stored.names, ['r.example/web:1']);
  const store = await place.open();
  assert.deepEqual(store.find(WEB), stored);
  assert.deepEqual(store.find(parseReference(`web@${image.target.digest}`)), stored);
  for (const { digest } of image.layers) assert.deepEqual(await bytesOf(store, digest), image.content.get(digest));
  assert.deepEqual(place.files('partial'), []);
});

test('a pull of what is here asks only what the name means now', async () => {
  using place = new Place();
  const [store, image] = [await place.open(), memoryImage([randomBytes(1000)])];
  await store.pull(memorySource(image), WEB);
  const source = memorySource(image);
  await store.pull(source, WEB);
  assert.deepEqual(source.asked, ['resolve']);
});

test('only missing layers come, and the name moves on', async () => {
  using place = new Place();
  const [store, base] = [await place.open(), randomBytes(100_000)];
  const [old, next] = [memoryImage([base, randomBytes(10)]), memoryImage([base, randomBytes(20)])];
  await store.pull(memorySource(old), WEB);
  const source = memorySource(next);
  await store.pull(source, WEB);
  assert.ok(source.sentBytes < 1000, `${source.sentBytes} bytes`);
  assert.equal(store.find(WEB)?.target.digest, next.target.digest);
  const named = store.list().filter(({ names }) => names.length > 0);
  assert.deepEqual([store.list().length, named.length], [2, 1]);
});

test('a link that breaks again and again brings the image, and no byte twice', async () => {
  using place = new Place();
  const [store, image] = [await place.open(), memoryImage([randomBytes(500_000)])];
  const source = memorySource(image, { breakAfterBytes: 33_333 });
  const told: PullProgress[] = [];
  await store.pull(source, WEB, { onProgress: (progress) => told.push(progress) });
  assert.equal(
    source.sentBytes,
    image.layers.concat(image.config).reduce((sum, { size }) => sum + size, 0),
  );
  assert.ok(told.some(({ setback }) => setback?.includes('the connection broke')));
  const last = told.at(-1);
  assert.deepEqual([last?.presentBytes, last?.layersPresent], [last?.totalBytes, 1]);
});

test('a pull that ended in the middle goes on at the byte it had reached, in a new process as well', async () => {
  using place = new Place();
  const image = memoryImage([randomBytes(500_000)]);
  const stop = new AbortController();
  const onProgress = ({ receivedBytes }: PullProgress) => receivedBytes > 100_000 && stop.abort(new Error('stopped'));
  const clock: Clock = { ...hastyClock, monotonic: () => performance.now() * 1000 };
  const before = await openImageStore(place.directory, { clock, log: silentLogger });
  await assert.rejects(before.pull(memorySource(image), WEB, { signal: stop.signal, onProgress }), /stopped/);
  const second = memorySource(image);
  await (await place.open()).pull(second, WEB);
  const offsets = second.asked.map((what) => Number(what.split('@')[1] ?? 0));
  assert.ok(Math.max(...offsets) > 100_000, second.asked.join());
});

test('a connection that never brings anything ends the pull', async () => {
  using place = new Place();
  const source = memorySource(memoryImage([randomBytes(100_000)]), { breakAfterBytes: 10 });
  await checkFails((await place.open()).pull(source, WEB), 'IMAGE_UNREACHABLE');
});

test('what is not what it claims to be is thrown away', async () => {
  using place = new Place();
  const [store, image] = [await place.open(), memoryImage([randomBytes(1000)])];
  const layer = image.layers[0]?.digest;
  const lie = (bytes: (good: Buffer) => Buffer) =>
    memorySource(image, { change: (digest, good) => (digest === layer ? bytes(good) : good) });
  await checkFails(
    store.pull(
      lie((good) => Buffer.from(good).fill(0)),
      WEB,
    ),
    'IMAGE_DIGEST_MISMATCH',
  );
  await checkFails(
    store.pull(
      lie((good) => Buffer.concat([good, Buffer.alloc(9)])),
      WEB,
    ),
    'IMAGE_BAD_ANSWER',
  );
  assert.equal(store.find(WEB), undefined);
  assert.ok(!place.files('sha256').includes(layer?.slice(7) ?? ''));
  const change = (_digest: Digest, good: Buffer) => Buffer.concat([good, Buffer.from(' ')]);
  await checkFails(store.pull(memorySource(memoryImage([]), { change }), WEB), 'IMAGE_DIGEST_MISMATCH');
});

test('a beginning that was damaged on disk is fetched once more', async () => {
  using place = new Place();
  const [store, image] = [await place.open(), memoryImage([randomBytes(1000)])];
  const layer = image.layers[0]?.digest ?? '';
  writeFileSync(join(place.directory, 'blobs', 'partial', layer.replace(':', '-')), Buffer.alloc(500));
  await store.pull(memorySource(image), WEB);
  assert.ok(store.find(WEB));
});

test('an image whose config tells of other layers is refused', async () => {
  using place = new Place();
  const image = memoryImage([randomBytes(10)], { rootfs: { diff_ids: [] } });
  await checkFails((await place.open()).pull(memorySource(image), WEB), 'IMAGE_INVALID_MANIFEST');
});

test('pulls at the same time are one, which ends when the last caller leaves', async () => {
  using place = new Place();
  const [store, image] = [await place.open(), memoryImage([randomBytes(1000)])];
  const [arrived, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const gate = () => {
    arrived.resolve();
    return open.promise;
  };
  const source = memorySource(image, { gate });
  const leaving = new AbortController();
  const left = store.pull(source, WEB, { signal: leaving.signal });
  const stays = [store.pull(source, WEB), store.pull(source, WEB)];
  await arrived.promise;
  leaving.abort(new Error('gone'));
  await assert.rejects(left, /gone/);
  open.resolve();
  const [one, other] = await Promise.all(stays);
  assert.deepEqual(one, other);
  assert.equal(source.asked.filter((what) => what === 'resolve').length, 1);
});

test('images that share a layer fetch it once', async () => {
  using place = new Place();
  const [store, base] = [await place.open(), randomBytes(100_000)];
  const images = [memoryImage([base, randomBytes(10)]), memoryImage([base, randomBytes(20)])];
  const sources = images.map((image) => memorySource(image));
  await Promise.all(sources.map((source, index) => store.pull(source, parseReference(`r.example/x:${index}`))));
  assert.ok(sources.reduce((sum, { sentBytes }) => sum + sentBytes, 0) < 110_000);
});

test('removing an image leaves what others need', async () => {
  using place = new Place();
  const [store, base, own] = [await place.open(), randomBytes(1000), randomBytes(10)];
  const [one, other] = [memoryImage([base, own]), memoryImage([base])];
  await store.pull(memorySource(one), WEB);
  await store.pull(memorySource(other), parseReference('r.example/other:1'));
  await store.remove(one.target.digest);
  assert.equal(store.find(WEB), undefined);
  assert.equal(await store.blobs.stat(digestOf(own)), undefined);
  assert.ok(await store.blobs.stat(digestOf(base)));
});

test('a collection takes what nobody holds once it is old', async () => {
  using place = new Place();
  const store = await place.open();
  const held = memoryImage([randomBytes(1000)]);
  await store.pull(memorySource(held), WEB);
  for (const bytes of [randomBytes(500), randomBytes(700)]) {
    const writer = await store.blobs.write('upload-1');
    await writer.write(bytes);
    await writer.commit({ digest: digestOf(bytes) });
    if (bytes.length === 500) utimesSync(store.blobs.path(digestOf(bytes)), 1, 1);
  }
  const open = await store.blobs.write('upload-2');
  await (await store.blobs.write('upload-3')).suspend();
  for (const name of place.files('partial')) utimesSync(join(place.directory, 'blobs', 'partial', name), 1, 1);
  assert.equal(await store.collect(10_000), 500);
  assert.deepEqual(place.files('partial'), ['upload-2']);
  assert.equal(place.files('sha256').length, held.content.size + 1);
  await open.discard();
});

test('a damaged table is set aside, and a pull finds what is there', async () => {
  using place = new Place();
  const image = memoryImage([randomBytes(1000)]);
  await (await place.open()).pull(memorySource(image), WEB);
  appendFileSync(join(place.directory, 'images.json'), 'x');
  const store = await place.open();
  assert.equal(store.find(WEB), undefined);
  const source = memorySource(image);
  await store.pull(source, WEB);
  assert.equal(source.sentBytes, 0);
});

test('content that is here can be named, and content that is not cannot', async () => {
  using place = new Place();
  const [store, image] = [await place.open(), memoryImage([randomBytes(10)])];
  await checkFails(store.add(WEB, image.target), 'IMAGE_NOT_FOUND');
  for (const [digest, bytes] of image.content) {
    const writer = await store.blobs.write(digest);
    await writer.write(bytes);
    await writer.commit({ digest });
  }
  assert.deepEqual((await store.add(WEB, image.target)).layers, image.layers);
});

test('a blob is the same however it was cut into writes and restarts', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }), async (chunks) => {
      using place = new Place();
      const whole = Buffer.concat(chunks);
      let offset = 0;
      for (const chunk of chunks) {
        // A new store each time: what counts is on disk.
        const writer = await (await openBlobStore(place.directory)).write(digestOf(whole));
        assert.equal(writer.offset, offset);
        await writer.write(chunk);
        offset += chunk.length;
        await writer.suspend();
      }
      const store = await openBlobStore(place.directory);
      await (await store.write(digestOf(whole))).commit({ digest: digestOf(whole), size: whole.length });
      assert.deepEqual(readFileSync(store.path(digestOf(whole))), whole);
      assert.equal(statSync(store.path(digestOf(whole))).mode & 0o777, 0o600);
    }),
    { numRuns: 20 },
  ));

test('two writers of one blob get in nobody’s way', async () => {
  using place = new Place();
  const store = await openBlobStore(place.directory);
  const first = await store.write('upload');
  await checkFails(store.write('upload'), 'IMAGE_BUSY');
  await first.discard();
  await (await store.write('upload')).discard();
  await assert.rejects(store.write('../x'), TypeError);
});
