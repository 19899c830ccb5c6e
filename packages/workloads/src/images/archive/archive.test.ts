import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hasCode } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { openBlobStore } from '../blob-store.ts';
import type { Descriptor, Digest, ImageReference, ImageSource, Platform } from '../contract.ts';
import { digestOf } from '../digest.ts';
import { imageErrors } from '../errors.ts';
import { MediaType, parseManifest } from '../manifest.ts';
import { parseReference } from '../reference.ts';
import { collectImages } from './collect-set.ts';
import { openImageArchive, writeImageArchive } from './image-archive.ts';
import { importedName } from './imported-name.ts';
import { type AskRegistry, pushImage } from './push-image.ts';

const dir = mkdtempSync(join(tmpdir(), 'skerry-archive-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const LAYER = 'layer '.repeat(5000);
const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
const ARM64: Platform = { os: 'linux', architecture: 'arm64' };

function descriptor(content: string, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(content), size: content.length };
}

/** A registry with one image for two platforms, and how often each blob is asked for. */
class World implements ImageSource {
  readonly content = new Map<Digest, string>();
  readonly asked: string[] = [];
  readonly target: Descriptor;
  failures = 0;

  constructor() {
    const children = [AMD64, ARM64].map((platform) => {
      const config = JSON.stringify(platform);
      const manifest = JSON.stringify({
        schemaVersion: 2,
        mediaType: MediaType.manifest,
        config: this.#add(config, MediaType.config),
        layers: [this.#add(LAYER + platform.architecture, 'application/vnd.oci.image.layer.v1.tar')],
      });
      return { ...this.#add(manifest, MediaType.manifest), platform };
    });
    const index = JSON.stringify({ schemaVersion: 2, mediaType: MediaType.index, manifests: children });
    this.target = this.#add(index, MediaType.index);
  }

  #add(content: string, mediaType: string): Descriptor {
    this.content.set(digestOf(content), content);
    return descriptor(content, mediaType);
  }

  async resolve(): Promise<Descriptor> {
    return this.target;
  }

  async manifest(_image: ImageReference, { digest }: Descriptor): Promise<Uint8Array> {
    return Buffer.from(this.content.get(digest) ?? '');
  }

  async *blob(_image: ImageReference, { digest }: Descriptor, { offset = 0 } = {}): AsyncGenerator<Uint8Array> {
    this.asked.push(`${digest}@${offset}`);
    const bytes = Buffer.from(this.content.get(digest) ?? '').subarray(offset);
    if (this.failures-- > 0) throw imageErrors.NOT_FOUND({ what: digest, where: 'this test' });
    yield bytes;
  }
}

async function exported(world: World, name: string, platforms: readonly Platform[], image = 'web:1'): Promise<string> {
  const file = join(dir, name);
  const blobs = await openBlobStore(`${file}.blobs`);
  const set = await collectImages([parseReference(image)], {
    source: world,
    blobs,
    credentialsFor: () => undefined,
    platforms,
    clock: fakeClock(),
    signal: new AbortController().signal,
    onImage: () => {},
    onSetback: () => {},
  });
  await writeImageArchive(file, { ...set, manifests: [{ name: '../../web.yaml', text: 'kind: Pod' }] }, blobs);
  return file;
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
}

test('what is exported is what is read, under its full name', async () => {
  const world = new World();
  await using archive = await openImageArchive(await exported(world, 'all.tar', []));
  const image = parseReference('web:1');
  assert.deepEqual(archive.images, [{ name: 'docker.io/library/web:1', target: world.target }]);
  assert.deepEqual(await archive.source.resolve(image), world.target);
  for (const [digest, content] of world.content) {
    assert.equal(await textOf(archive.source.blob(image, { digest, size: 0, mediaType: '' })), content);
  }
  const layer = descriptor(`${LAYER}arm64`, '');
  assert.equal(await textOf(archive.source.blob(image, layer, { offset: 29_990 })), `${LAYER}arm64`.slice(29_990));
  assert.deepEqual(
    archive.manifests.map(({ text }) => text),
    ['kind: Pod'],
  );
  assert.doesNotMatch(archive.manifests[0]?.name ?? '', /\//);
});

test('only the platforms that are wanted are in it; an image by its digest is whole', async () => {
  const world = new World();
  const hasOf = async (file: string) => {
    await using archive = await openImageArchive(file);
    const { target } = archive.images[0] ?? { target: world.target };
    const kind = parseManifest(await archive.source.manifest(parseReference('web:1'), target), 'web').kind;
    return [kind, ...['amd64', 'arm64'].map((arch) => archive.has(digestOf(LAYER + arch)))];
  };
  assert.deepEqual(await hasOf(await exported(world, 'one.tar', [ARM64])), ['manifest', false, true]);
  assert.deepEqual(await hasOf(await exported(world, 'two.tar', [AMD64, ARM64])), ['index', true, true]);
  const pinned = `web@${world.target.digest}`;
  assert.deepEqual(await hasOf(await exported(world, 'pinned.tar', [ARM64], pinned)), ['index', true, true]);
});

test('an export that was interrupted takes up what has come', async () => {
  const world = new World();
  world.failures = 1;
  await assert.rejects(exported(world, 'again.tar', [AMD64]), (error) => hasCode(error, 'IMAGE_NOT_FOUND'));
  const before = world.asked.length;
  await exported(world, 'again.tar', [AMD64]);
  const again = world.asked.length;
  await exported(world, 'again.tar', [AMD64]);
  assert.deepEqual([before, again - before, world.asked.length - again], [1, 2, 0]);
});

async function checkRefused(change: (bytes: Buffer) => Uint8Array, problem: RegExp): Promise<void> {
  const file = join(dir, 'broken.tar');
  writeFileSync(file, change(readFileSync(await exported(new World(), 'sound.tar', []))));
  await assert.rejects(
    openImageArchive(file),
    (error) => hasCode(error, 'IMAGE_INVALID_ARCHIVE') && problem.test(error.message),
  );
}

test('a file that is no archive of images is refused', async () => {
  await checkRefused(() => Buffer.from('hello'), /cut short, or not a tar archive/);
  await checkRefused(() => Buffer.alloc(4096, 'x'), /not a tar archive, or it is damaged/);
  await checkRefused((bytes) => bytes.subarray(0, 2048 + 700), /cut short/);
  await checkRefused((bytes) => bytes.subarray(0, bytes.length - 20_000), /cut short/);
  await checkRefused((bytes) => bytes.subarray(0, bytes.length - 1024), /cut short/);
  await checkRefused((bytes) => bytes.subarray(1024), /not an OCI image layout/);
  await checkRefused(() => Buffer.alloc(1024), /not an OCI image layout/);
});

test('the name of an imported image is one that a repository can have, and no other image has', () => {
  const check = (name: string, expected: string) => {
    assert.equal(importedName(parseReference(name)), expected);
    assert.equal(parseReference(`cloud.example/${expected}`).repository, expected);
  };
  check('web:1', 'imported/docker.io/library/web');
  check('registry.example:5000/team/web:1', 'imported/registry.example__5000/team/web');
  check('registry.example-5000/team/web:1', 'imported/registry.example-5000/team/web');
  check('[::1]:5000/web', 'imported/v6_x_x_1__5000/web');
  check('[1::]/web', 'imported/v6_1_x_x/web');
  check('v6.example/web', 'imported/v6.example/web');
});

/** A registry as the specification has it, with a connection that breaks. */
class FragileRegistry {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, string>();
  readonly requests: string[] = [];
  #upload = Buffer.alloc(0);
  /** So many bytes of the next body come through. */
  breaksAfter = Number.POSITIVE_INFINITY;

  readonly ask: AskRegistry = async (method, path, { headers = {}, body } = {}) => {
    this.requests.push(`${method} ${path.replace(/sha256:\w+/, 'DIGEST')} ${headers['content-range'] ?? ''}`.trim());
    const digest = /sha256:\w+/.exec(path)?.[0] ?? '';
    const answer = (status: number, more: Record<string, string> = {}) => ({ status, headers: more, text: '' });
    switch (method) {
      case 'HEAD':
        return answer(this.blobs.has(digest) ? 200 : 404);
      case 'POST':
        this.#upload = Buffer.alloc(0);
        return answer(202, { location: '/upload' });
      case 'GET':
        return answer(204, { range: `0-${Math.max(0, this.#upload.length - 1)}` });
      case 'PATCH':
        return this.#patch(body as AsyncIterable<Uint8Array>);
      default:
        if (path.startsWith('/upload')) {
          if (digestOf(this.#upload) !== digest) return answer(400);
          this.blobs.set(digest, this.#upload);
        } else this.manifests.set(path.split('/').at(-1) ?? '', Buffer.from(body as Uint8Array).toString());
        return answer(201);
    }
  };

  async #patch(body: AsyncIterable<Uint8Array>) {
    for await (const chunk of body) {
      const room = this.breaksAfter - this.#upload.length;
      this.#upload = Buffer.concat([this.#upload, chunk.subarray(0, Math.max(0, room))]);
      if (this.#upload.length < this.breaksAfter) continue;
      this.breaksAfter = Number.POSITIVE_INFINITY;
      throw imageErrors.UNREACHABLE({ where: 'the registry', problem: 'it broke' });
    }
    return { status: 202, headers: {}, text: '' };
  }
}

test('a push sends only what is not there, and goes on in the midst of a blob', async () => {
  const world = new World();
  await using archive = await openImageArchive(await exported(world, 'push.tar', [AMD64]));
  const registry = new FragileRegistry();
  registry.breaksAfter = 12_345;
  const clock = fakeClock();
  const options = {
    ask: registry.ask,
    source: archive.source,
    repository: 'imported/web',
    clock,
    signal: new AbortController().signal,
    onSetback: () => {},
  };
  const pushing = pushImage(parseReference('web:1'), options);
  let isOver = false;
  void pushing.finally(() => (isOver = true));
  while (!isOver) await clock.advance(1000);
  assert.equal(await pushing, LAYER.length + 5 + JSON.stringify(AMD64).length);
  assert.ok(
    registry.requests.some((request) => request.startsWith('PATCH /upload 12345-')),
    registry.requests.join('\n'),
  );
  assert.deepEqual([...registry.manifests.keys()], ['1']);
  assert.equal(await pushImage(parseReference('web:1'), options), 0);
});
