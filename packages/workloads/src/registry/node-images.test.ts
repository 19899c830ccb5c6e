import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UserInfo } from '@skerry/api';
import { hasCode, silentLogger } from '@skerry/base';
import {
  type BlobFetchOptions,
  type Descriptor,
  digestOf,
  type ImageReference,
  type ImageSource,
  imageErrors,
  MediaType,
  parseReference,
  type RegistryCredentials,
} from '../images/index.ts';
import type { RegistryAccess } from './door.ts';
import { createNodeImages, type NamedImage } from './node-images.ts';
import { manifestOf, ScratchRegistry } from './testing/scratch-registry.ts';

const OWN = 'cloud.example:6445';
const LAYER = 'x'.repeat(200_000);
const MANIFEST = manifestOf('{}', [LAYER]);
const TARGET: Descriptor = { mediaType: MediaType.manifest, digest: digestOf(MANIFEST), size: MANIFEST.length };
const BLOB: Descriptor = { mediaType: 'layer', digest: digestOf(LAYER), size: LAYER.length };
const MIN_FREE = 512 * 1024 ** 2;
const SECRET: RegistryCredentials = { username: 'u', password: 'right' };

/** A registry elsewhere with one image; `private/…` wants the right password. */
class FarRegistry implements ImageSource {
  isAway = false;
  asked: string[] = [];
  /** How many bytes of a blob come before it breaks. */
  breaksAfter = Number.POSITIVE_INFINITY;
  manifestText = MANIFEST;
  content = Buffer.from(LAYER);
  beforeBlob = (): void => {};

  async resolve(image: ImageReference, { credentials }: BlobFetchOptions = {}): Promise<Descriptor> {
    this.#ask('resolve', image, credentials);
    return { ...TARGET, digest: digestOf(this.manifestText), size: this.manifestText.length };
  }

  async manifest(
    image: ImageReference,
    _wanted: Descriptor,
    { credentials }: BlobFetchOptions = {},
  ): Promise<Uint8Array> {
    this.#ask('manifest', image, credentials);
    return Buffer.from(this.manifestText);
  }

  async *blob(
    image: ImageReference,
    { digest }: Descriptor,
    { credentials, offset = 0 }: BlobFetchOptions = {},
  ): AsyncGenerator<Uint8Array> {
    this.#ask(`blob@${offset}`, image, credentials);
    this.beforeBlob();
    const content = (digest === BLOB.digest ? this.content : Buffer.from('{}')).subarray(offset);
    for (let at = 0; at < content.length; at += 10_000) {
      if (at + offset >= this.breaksAfter) {
        this.breaksAfter = Number.POSITIVE_INFINITY;
        throw imageErrors.UNREACHABLE({ where: 'far', problem: 'it broke' });
      }
      yield content.subarray(at, at + 10_000);
    }
  }

  #ask(what: string, { repository }: ImageReference, credentials: RegistryCredentials | undefined): void {
    if (this.isAway) throw imageErrors.UNREACHABLE({ where: 'far', problem: 'it is away' });
    this.asked.push(what);
    if (repository.startsWith('private/') && credentials?.password !== 'right') {
      throw imageErrors.UNAUTHORIZED({ where: 'far', what, problem: 'a password is wanted' });
    }
  }
}

interface World extends Disposable {
  readonly scratch: ScratchRegistry;
  readonly far: FarRegistry;
  readonly named: NamedImage[];
  source(node?: string): ImageSource;
}

async function worldOf(...images: readonly string[]): Promise<World> {
  return worldBefore(undefined, images);
}

async function worldBefore(behind: ImageSource | undefined, images: readonly string[]): Promise<World> {
  const scratch = await ScratchRegistry.open();
  const far = new FarRegistry();
  const named = images.map((image) => ({ namespace: 'team', image }));
  const stopping = new AbortController();
  const nodeImages = createNodeImages({
    open: async () => scratch.registry,
    source: far,
    isNamed: (registry) => registry === '127.0.0.1:5001',
    namedAt: (node) => (node === 'edge-1' ? named : []),
    addresses: new Set([OWN]),
    ...(behind === undefined ? {} : { behind }),
    access: ACCESS,
    clock: scratch.clock,
    log: silentLogger,
    signal: stopping.signal,
  });
  return {
    scratch,
    far,
    named,
    source: (node = 'edge-1') => nodeImages.sourceFor(node),
    [Symbol.dispose]: () => {
      stopping.abort();
      scratch[Symbol.dispose]();
    },
  };
}

/** Knows the token `right`, which may get everything. */
const ACCESS: RegistryAccess = {
  authenticate: async ({ bearerToken }) =>
    bearerToken === 'right' ? { kind: 'user', user: BOB } : { kind: 'refused', reason: 'unknown' },
  authorize: ({ user }) => ({ allowed: user.username === 'bob' }),
  isNamespace: (name) => name === 'team' || name === 'other',
};
const BOB: UserInfo = { username: 'bob', groups: [] };

async function pull(source: ImageSource, image: string, options: BlobFetchOptions = {}): Promise<string> {
  const reference = parseReference(image);
  const target = await source.resolve(reference, options);
  await source.manifest(reference, target, options);
  return textOf(source.blob(reference, BLOB, options));
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all).toString();
}

function refuses(work: Promise<unknown>, code: string): Promise<void> {
  return assert.rejects(work, (error) => hasCode(error, code));
}

test('an image comes from its registry once, and from the store from then on', async () => {
  using world = await worldOf('far.example/web:1');
  assert.equal(await pull(world.source(), 'far.example/web:1'), LAYER);
  assert.deepEqual(world.far.asked, ['resolve', 'manifest', 'blob@0']);
  assert.equal(await pull(world.source(), 'far.example/web:1'), LAYER);
  assert.deepEqual(world.far.asked, ['resolve', 'manifest', 'blob@0', 'resolve']);
});

test('many nodes at once cost the registry one fetch', async () => {
  using world = await worldOf('far.example/web:1');
  const pulled = await Promise.all(Array.from({ length: 5 }, () => pull(world.source(), 'far.example/web:1')));
  assert.deepEqual(new Set(pulled), new Set([LAYER]));
  assert.equal(world.far.asked.filter((what) => what.startsWith('blob')).length, 1);
});

test('repositories that share a blob fetch it one after the other, each with its own right', async () => {
  using world = await worldOf('far.example/web:1', 'far.example/api:1', 'far.example/job:1');
  const pulled = await Promise.all(['web', 'api', 'job'].map((name) => pull(world.source(), `far.example/${name}:1`)));
  assert.deepEqual(new Set(pulled), new Set([LAYER]));
  assert.equal(world.far.asked.filter((what) => what === 'blob@0').length, 3);
});

test('a blob is given from any byte, also while it comes', async () => {
  using world = await worldOf('far.example/web:1');
  const reference = parseReference('far.example/web:1');
  const source = world.source();
  await source.manifest(reference, await source.resolve(reference));
  const parts = await Promise.all(
    [0, 123_456, BLOB.size].map((offset) => textOf(source.blob(reference, BLOB, { offset }))),
  );
  assert.deepEqual(parts, [LAYER, LAYER.slice(123_456), '']);
});

test('a registry that breaks off is asked for the rest, and the node notices nothing', async () => {
  using world = await worldOf('far.example/web:1');
  world.far.breaksAfter = 50_000;
  const pulled = pull(world.source(), 'far.example/web:1');
  while (!world.far.asked.includes('blob@50000')) await world.scratch.clock.advance(1000);
  assert.equal(await pulled, LAYER);
});

test('a blob that the disk cannot take is not begun, nor one that is too large for any', async () => {
  using world = await worldOf('far.example/web:1');
  const reference = parseReference('far.example/web:1');
  const source = world.source();
  await source.manifest(reference, await source.resolve(reference));
  const asked = [...world.far.asked];
  world.scratch.freeBytes = MIN_FREE + BLOB.size - 1;
  await refuses(textOf(source.blob(reference, BLOB)), 'IMAGE_UNAVAILABLE');
  await refuses(textOf(source.blob(reference, { ...BLOB, size: 33 * 1024 ** 3 })), 'IMAGE_TOO_LARGE');
  assert.deepEqual(world.far.asked, asked);
  world.scratch.freeBytes = MIN_FREE + BLOB.size;
  assert.equal(await textOf(source.blob(reference, BLOB)), LAYER);
});

test('a blob that comes ends where others fill the disk meanwhile', async () => {
  using world = await worldOf('far.example/web:1');
  const reference = parseReference('far.example/web:1');
  const source = world.source();
  await source.manifest(reference, await source.resolve(reference));
  world.far.beforeBlob = () => {
    world.scratch.freeBytes = MIN_FREE - 1;
  };
  world.far.content = Buffer.alloc(9 * 1024 ** 2);
  await refuses(textOf(source.blob(reference, { ...BLOB, size: 9 * 1024 ** 2 })), 'IMAGE_UNAVAILABLE');
  assert.equal(world.far.asked.filter((what) => what.startsWith('blob')).length, 1);
});

test('a node that leaves in the midst leaves a fetch that goes on', async () => {
  using world = await worldOf('far.example/web:1');
  const reference = parseReference('far.example/web:1');
  const source = world.source();
  await source.manifest(reference, await source.resolve(reference));
  for await (const _chunk of source.blob(reference, BLOB)) break;
  assert.equal(await textOf(source.blob(reference, BLOB, { offset: 100_000 })), LAYER.slice(100_000));
  assert.equal(world.far.asked.filter((what) => what.startsWith('blob')).length, 1);
});

test('while the registry is away its images are served as they were last seen', async () => {
  using world = await worldOf('far.example/web:1');
  await pull(world.source(), 'far.example/web:1');
  world.far.isAway = true;
  await world.scratch.clock.advance(3_600_000);
  assert.equal(await pull(world.source(), 'far.example/web:1'), LAYER);
  await refuses(pull(world.source(), 'far.example/web:2'), 'IMAGE_UNAUTHORIZED');
  world.named.push({ namespace: 'team', image: 'far.example/web:2' });
  await refuses(pull(world.source(), 'far.example/web:2'), 'IMAGE_UNREACHABLE');
});

test('what one pull secret opened stays closed to others, whether the registry is there or not', async () => {
  using world = await worldOf('far.example/private/web:1');
  assert.equal(await pull(world.source(), 'far.example/private/web:1', { credentials: SECRET }), LAYER);
  await refuses(pull(world.source(), 'far.example/private/web:1'), 'IMAGE_UNAUTHORIZED');
  const reference = parseReference('far.example/private/web:1');
  await refuses(textOf(world.source().blob(reference, BLOB)), 'IMAGE_UNAUTHORIZED');
  world.far.isAway = true;
  await refuses(pull(world.source(), 'far.example/private/web:1'), 'IMAGE_UNREACHABLE');
  assert.equal(await pull(world.source(), 'far.example/private/web:1', { credentials: SECRET }), LAYER);
});

test('a node gets what something at it names, and nothing else', async () => {
  using world = await worldOf('far.example/web:1');
  await pull(world.source(), 'far.example/web:1');
  const reference = parseReference('far.example/web:1');
  await refuses(world.source('edge-2').resolve(reference), 'IMAGE_UNAUTHORIZED');
  await refuses(textOf(world.source('edge-2').blob(reference, BLOB)), 'IMAGE_UNAUTHORIZED');
  const strange = { ...BLOB, digest: digestOf('another blob of that repository') };
  await refuses(textOf(world.source().blob(reference, strange)), 'IMAGE_UNAUTHORIZED');
});

test('a tag that moves does not take away what is on its way', async () => {
  using world = await worldOf('far.example/web:1');
  const reference = parseReference('far.example/web:1');
  const source = world.source();
  await source.manifest(reference, await source.resolve(reference));
  world.far.manifestText = manifestOf('{}', []);
  await source.manifest(reference, await source.resolve(reference));
  assert.equal(await textOf(source.blob(reference, BLOB)), LAYER);
});

test('a registry that lies about a manifest is found out', async () => {
  using world = await worldOf('far.example/web:1');
  const reference = parseReference('far.example/web:1');
  const target = await world.source().resolve(reference);
  world.far.manifestText = manifestOf('{"evil":1}', []);
  await refuses(world.source().manifest(reference, target), 'IMAGE_DIGEST_MISMATCH');
});

test('an address of the machine is asked only where an ImageRegistry names it', async () => {
  const locals = ['LOCALHOST:5000/a', '127.1:5000/a', '2130706433:5000/a', '0x7f.1:5000/a', '[0::1]:5000/a'];
  locals.push('localhost:5000/a', '127.0.0.1:5000/a', '[::1]:5000/a', '169.254.169.254/a', '0.0.0.0:80/a');
  using world = await worldOf(...locals, '127.0.0.1:5001/a');
  // Nobody was asked, which is no answer: what is present at the node may run.
  for (const image of locals) await refuses(pull(world.source(), image), 'IMAGE_UNREACHABLE');
  assert.deepEqual(world.far.asked, []);
  assert.equal(await pull(world.source(), '127.0.0.1:5001/a'), LAYER);
});

test('an image of our own in the namespace of the pod, or in none, needs no secret; others do', async () => {
  using world = await worldOf(`${OWN}/team/web:1`, `${OWN}/other/web:1`, `${OWN}/web:1`);
  for (const repository of ['team/web', 'other/web', 'web']) await world.scratch.pushImage(repository, '1', LAYER);
  assert.equal(await pull(world.source(), `${OWN}/team/web:1`), LAYER);
  assert.equal(await pull(world.source(), `${OWN}/web:1`), LAYER);
  await refuses(pull(world.source(), `${OWN}/other/web:1`), 'IMAGE_UNAUTHORIZED');
  const wrong = { credentials: { username: '', password: 'wrong' } };
  await refuses(pull(world.source(), `${OWN}/other/web:1`, wrong), 'IMAGE_UNAUTHORIZED');
  assert.equal(await pull(world.source(), `${OWN}/other/web:1`, { credentials: SECRET }), LAYER);
  await refuses(pull(world.source(), `${OWN}/team/web:2`), 'IMAGE_UNAUTHORIZED');
  world.named.push({ namespace: 'team', image: `${OWN}/team/web:2` });
  await refuses(pull(world.source(), `${OWN}/team/web:2`), 'IMAGE_NOT_FOUND');
  assert.deepEqual(world.far.asked, []);
});

test('the registry behind our door is asked for what our own address names, and for nothing else', async () => {
  const behind = new FarRegistry();
  using world = await worldBefore(behind, [`${OWN}/team/web:1`, 'behind.example:5000/other/web:1']);
  assert.equal(await pull(world.source(), `${OWN}/team/web:1`), LAYER);
  assert.deepEqual([behind.asked.length, world.far.asked], [3, []]);
  await pull(world.source(), 'behind.example:5000/other/web:1');
  assert.deepEqual([behind.asked.length, world.far.asked.length], [3, 3]);
});

test('an image of another registry is none of our repositories', async () => {
  using world = await worldOf('far.example/web:1');
  await pull(world.source(), 'far.example/web:1');
  assert.equal((await world.scratch.ask('GET', '/v2/far.example/web/manifests/1')).status, 404);
  assert.equal((await world.scratch.ask('GET', '/v2/_catalog')).text, '{"repositories":[]}');
});

test('an image that was imported is there without its registry, for whoever names it', async () => {
  using world = await worldOf('far.example:5000/web:1', 'far.example:5000/web:2');
  world.far.isAway = true;
  await world.scratch.pushImage('imported/far.example__5000/web', '1', LAYER);
  assert.equal(await pull(world.source(), 'far.example:5000/web:1'), LAYER);
  await refuses(pull(world.source(), 'far.example:5000/web:2'), 'IMAGE_UNREACHABLE');
  await refuses(pull(world.source('edge-2'), 'far.example:5000/web:1'), 'IMAGE_UNAUTHORIZED');
});
