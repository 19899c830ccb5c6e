/** Images by way of the cloud, over a real link, and which way is taken. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { hasCode, silentLogger, systemClock } from '@skerry/base';
import { Loopback } from '@skerry/link/testing';
import { fakeClock } from '@skerry/testkit';
import type { ImageSource } from '../contract.ts';
import { imageErrors } from '../errors.ts';
import { createPacedSource } from '../paced-source.ts';
import { parseReference } from '../reference.ts';
import { memoryImage, memorySource } from '../testing/memory-images.ts';
import { createChosenSource, type Way } from './chosen-source.ts';
import { createImageDoor } from './image-door.ts';
import { createLinkSource } from './link-source.ts';

const IMAGE = parseReference('registry.example/team/web:1');
const CREDENTIALS = { username: 'ada', password: 'secret' };

/** A cloud that has `source` for its nodes, and what a connected node sees of it. */
async function overLink(source: ImageSource, work: (seen: ImageSource) => Promise<void>): Promise<void> {
  const blobs = createImageDoor({ sourceFor: () => source, log: silentLogger });
  await using cloud = await new Loopback({ hub: { blobs } }).start();
  const { link, until } = cloud.edge('n1');
  link.start();
  await until(({ current }) => current);
  await work(createLinkSource((request, options) => link.openBlob(request, options)));
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk.slice());
  return Buffer.concat(all);
}

test('a node gets an image through the cloud: what a name means, its manifest, and the rest of a blob', async () => {
  const layer = randomBytes(300_000);
  const image = memoryImage([layer]);
  const source = memorySource(image);
  await overLink(source, async (seen) => {
    assert.deepEqual(await seen.resolve(IMAGE), image.target);
    const manifest = await seen.manifest(IMAGE, image.target);
    assert.deepEqual(Buffer.from(manifest), image.content.get(image.target.digest));
    const [described] = image.layers;
    assert.ok(described);
    assert.ok((await collect(seen.blob(IMAGE, described, { offset: 1_000 }))).equals(layer.subarray(1_000)));
    assert.deepEqual(source.asked, ['resolve', 'manifest', 'blob@1000']);
  });
});

test('the credentials of a pod reach the source, and only the fields that credentials have', async () => {
  const seenThere: unknown[] = [];
  const image = memoryImage([]);
  const source: ImageSource = {
    ...memorySource(image),
    resolve: async (_image, options) => {
      seenThere.push(options?.credentials);
      return image.target;
    },
  };
  await overLink(source, async (seen) => {
    await seen.resolve(IMAGE, { credentials: { ...CREDENTIALS, more: 'x' } as typeof CREDENTIALS });
    await seen.resolve(IMAGE);
  });
  assert.deepEqual(seenThere, [CREDENTIALS, undefined]);
});

const failing = (error: Error): ImageSource => ({
  resolve: () => Promise.reject(error),
  manifest: () => Promise.reject(error),
  blob: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) }),
});

const asCode = (code: string, text: RegExp) => (error: unknown) => hasCode(error, code) && text.test(error.message);

test('what the cloud is refused, the node hears with its reason', () =>
  overLink(failing(imageErrors.NOT_FOUND({ what: 'image web', where: 'registry r' })), async (seen) => {
    const isTold = asCode('IMAGE_NOT_FOUND', /image web is not in registry r, by way of the cloud/);
    await assert.rejects(seen.resolve(IMAGE), isTold);
    await assert.rejects(seen.manifest(IMAGE, memoryImage([]).target), isTold);
    await assert.rejects(collect(seen.blob(IMAGE, memoryImage([]).target)), isTold);
  }));

test('of what goes wrong within the cloud nothing is told, and it is tried again', () =>
  overLink(failing(new Error('ENOSPC /var/secret')), async (seen) => {
    await assert.rejects(seen.resolve(IMAGE), (error) => {
      assert.ok(hasCode(error, 'IMAGE_UNAVAILABLE'));
      assert.equal(error.retry, 'backoff');
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  }));

test('a cloud without images, and one that is away, are tried again later', async () => {
  await using cloud = await new Loopback().start();
  const { link, until } = cloud.edge('n1');
  const seen = createLinkSource((request, options) => link.openBlob(request, options));
  await assert.rejects(seen.resolve(IMAGE), asCode('IMAGE_UNREACHABLE', /the cloud is not reached/));
  link.start();
  await until(({ current }) => current);
  await assert.rejects(seen.resolve(IMAGE), asCode('IMAGE_UNAVAILABLE', /there are no blobs here/));
});

test('requests that no node of ours would send are refused', async () => {
  const blobs = createImageDoor({ sourceFor: () => memorySource(memoryImage([])), log: silentLogger });
  await using cloud = await new Loopback({ hub: { blobs } }).start();
  const { link, until } = cloud.edge('n1');
  link.start();
  await until(({ current }) => current);
  const digest = `sha256:${'0'.repeat(64)}`;
  const wanted = { mediaType: 'x', digest, size: 1 };
  for (const request of [
    '',
    '{',
    'null',
    '{"kind":"resolve"}',
    JSON.stringify({ kind: 'resolve', image: '../../etc' }),
    JSON.stringify({ kind: 'delete', image: 'web' }),
    JSON.stringify({ kind: 'blob', image: 'web', wanted: { ...wanted, digest: 'sha256:../../etc/passwd' } }),
    JSON.stringify({ kind: 'blob', image: 'web', wanted: { ...wanted, size: -1 } }),
    JSON.stringify({ kind: 'blob', image: 'web', wanted }),
    JSON.stringify({ kind: 'resolve', image: 'web', credentials: 7 }),
  ]) {
    await assert.rejects(link.openBlob(Buffer.from(request)), (error) => hasCode(error, 'LINK_BLOB_REFUSED'), request);
  }
});

interface Choice {
  readonly way?: Way;
  readonly isConnected?: boolean;
  readonly cloud?: Error;
  readonly direct?: Error;
}

/** Asks three times for what a name means; gives who answered each time, or the code of the failure. */
async function check({ way = 'Auto', isConnected = true, ...failures }: Choice, expected: string): Promise<void> {
  const answered: string[] = [];
  const image = memoryImage([]);
  const sourceOf = (name: 'cloud' | 'direct'): ImageSource => {
    const failure = failures[name];
    const works = { ...memorySource(image), resolve: async () => image.target };
    const source = failure === undefined ? works : failing(failure);
    return {
      ...source,
      resolve: (...asked) => {
        answered.push(name);
        return source.resolve(...asked);
      },
    };
  };
  const [cloud, direct] = [sourceOf('cloud'), sourceOf('direct')];
  const ways = { isConnected: () => isConnected, wayOf: () => way };
  const chosen = createChosenSource({ cloud, direct, ...ways, clock: fakeClock() });
  for (let time = 0; time < 2; time++) {
    try {
      await chosen.resolve(IMAGE);
    } catch (error) {
      assert.ok(hasCode(error));
      answered.push(error.code);
    }
  }
  assert.equal(answered.join(' '), expected);
}

const unreachable = imageErrors.UNREACHABLE({ where: 'registry r', problem: 'no route' });
const cutOff = imageErrors.UNREACHABLE({ where: 'the cloud', problem: 'no link' });
const missing = imageErrors.NOT_FOUND({ what: 'image web', where: 'registry r' });

test('an image comes by way of the cloud while there is a link', () => check({}, 'cloud cloud'));
test('without a link it comes straight from its registry', () => check({ isConnected: false }, 'direct direct'));
test('what the cloud does not have, the registry may', () => check({ cloud: missing }, 'cloud direct cloud direct'));
test('a registry that the cloud does not reach, and the node does, is asked directly for a while', () =>
  check({ cloud: unreachable }, 'cloud direct direct'));
test('a link that fails says nothing about the registry', () => check({ cloud: cutOff }, 'cloud direct cloud direct'));
test('where neither way leads to it, the reason is that of the one that got further', async () => {
  const twice = (once: string) => `${once} ${once}`;
  await check({ cloud: missing, direct: unreachable }, twice('cloud direct IMAGE_NOT_FOUND'));
  await check({ cloud: unreachable, direct: missing }, twice('cloud direct IMAGE_NOT_FOUND'));
  await check({ cloud: unreachable, direct: unreachable }, twice('cloud direct IMAGE_UNREACHABLE'));
});
test('where nobody is reached by either way, both reasons are told', async () => {
  const beyond = imageErrors.UNREACHABLE({ where: 'registry r, by way of the cloud,', problem: 'it is not asked' });
  const chosen = createChosenSource({
    cloud: failing(beyond),
    direct: failing(unreachable),
    isConnected: () => true,
    wayOf: () => 'Auto',
    clock: fakeClock(),
  });
  await assert.rejects(chosen.resolve(IMAGE), {
    code: 'IMAGE_UNREACHABLE',
    message: 'registry r is not reached: no route; registry r, by way of the cloud, is not reached: it is not asked',
  });
});
test('a registry that is to be asked through the cloud, or directly, is asked in no other way', async () => {
  await check({ way: 'ThroughCloud', isConnected: false }, 'cloud cloud');
  await check({ way: 'ThroughCloud', cloud: missing }, 'cloud IMAGE_NOT_FOUND cloud IMAGE_NOT_FOUND');
  await check({ way: 'Direct' }, 'direct direct');
});

test('a blob whose way breaks goes on by the way that is there', async () => {
  const layer = randomBytes(100_000);
  const image = memoryImage([layer]);
  const [described] = image.layers;
  assert.ok(described);
  let isConnected = true;
  const chosen = createChosenSource({
    cloud: memorySource(image, { breakAfterBytes: 40_000 }),
    direct: memorySource(image),
    isConnected: () => isConnected,
    wayOf: () => 'Auto',
    clock: systemClock,
  });
  const pieces: Uint8Array[] = [];
  const read = async (offset: number) => {
    for await (const piece of chosen.blob(IMAGE, described, { offset })) pieces.push(piece);
  };
  await assert.rejects(read(0), (error) => hasCode(error, 'IMAGE_UNREACHABLE'));
  isConnected = false;
  await read(40_000);
  assert.ok(Buffer.concat(pieces).equals(layer));
});

test('of one registry no more is taken in a second than is allowed, all pulls together', async () => {
  const clock = fakeClock();
  const image = memoryImage([randomBytes(64 * 1024), randomBytes(64 * 1024)]);
  const paced = createPacedSource(memorySource(image), { rateOf: () => 32 * 1024, clock });
  let left = image.layers.length;
  for (const layer of image.layers) void collect(paced.blob(IMAGE, layer)).then(() => left--);
  await clock.advance(3_900);
  assert.equal(left, 1);
  await clock.advance(200);
  assert.equal(left, 0);
});
