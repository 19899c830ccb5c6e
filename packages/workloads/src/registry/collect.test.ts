import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import fc from 'fast-check';
import { type BlobStore, type Digest, digestOf, MediaType } from '../images/index.ts';
import { Catalog } from './catalog.ts';
import { CACHE_LIFE_MS, GRACE_MS, UPLOAD_LIFE_MS } from './collect.ts';
import { Refusal } from './refusal.ts';
import { Registry } from './registry.ts';
import { manifestOf, ScratchRegistry } from './testing/scratch-registry.ts';

async function heldBy(scratch: ScratchRegistry): Promise<readonly Digest[]> {
  return (await scratch.registry.blobs.list()).map(({ digest }) => digest).sort();
}

function sorted(...contents: readonly string[]): readonly Digest[] {
  return contents.map(digestOf).sort();
}

test('what manifests need stays, what they needed goes once its time of grace is over', async () => {
  using scratch = await ScratchRegistry.open();
  await scratch.pushImage('web', '1', 'shared', 'old');
  await scratch.pushImage('web', '2', 'shared', 'new');
  await scratch.pushBlob('web', 'loose');
  scratch.registry.deleteManifest('web', { digest: digestOf(manifestOf('{}', ['shared', 'old'])) });
  await scratch.registry.collect();
  assert.equal((await heldBy(scratch)).length, 7);
  await scratch.clock.advance(GRACE_MS + 1);
  const collected = await scratch.registry.collect();
  assert.deepEqual(await heldBy(scratch), sorted('{}', 'shared', 'new', manifestOf('{}', ['shared', 'new'])));
  assert.equal(collected.blobs, 3);
});

test('a blob that somebody asked for a moment ago stays, though nothing needs it', async () => {
  using scratch = await ScratchRegistry.open();
  await scratch.pushBlob('web', 'loose');
  await scratch.clock.advance(GRACE_MS - 1);
  await scratch.ask('HEAD', `/v2/web/blobs/${digestOf('loose')}`);
  await scratch.clock.advance(GRACE_MS - 1);
  await scratch.registry.collect();
  assert.deepEqual(await heldBy(scratch), sorted('loose'));
  await scratch.clock.advance(2);
  await scratch.registry.collect();
  assert.deepEqual(await heldBy(scratch), []);
});

test('what another repository links stays where it is', async () => {
  using scratch = await ScratchRegistry.open();
  await scratch.pushBlob('a', 'layer');
  await scratch.pushImage('b', '1', 'layer');
  await scratch.clock.advance(GRACE_MS + 1);
  await scratch.registry.collect();
  assert.equal((await scratch.ask('GET', `/v2/a/blobs/${digestOf('layer')}`)).status, 404);
  assert.equal((await scratch.ask('GET', `/v2/b/blobs/${digestOf('layer')}`)).text, 'layer');
});

test('manifests without a tag go only when asked for, and never those of an index or with a subject', async () => {
  using scratch = await ScratchRegistry.open();
  const child = await scratch.pushImage('web', 'child', 'layer');
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: MediaType.index,
    manifests: [{ mediaType: MediaType.manifest, digest: child, size: 1 }],
  });
  await scratch.ask('PUT', '/v2/web/manifests/all', { body: index, headers: { 'content-type': MediaType.index } });
  const lone = await scratch.pushImage('web', 'lone', 'other');
  for (const tag of ['child', 'lone']) scratch.registry.deleteManifest('web', { tag });
  await scratch.clock.advance(GRACE_MS + 1);
  assert.equal((await scratch.registry.collect()).manifests, 0);
  assert.equal((await scratch.registry.collect({ untagged: true })).manifests, 1);
  assert.equal((await scratch.ask('GET', `/v2/web/manifests/${lone}`)).status, 404);
  assert.equal((await scratch.ask('GET', `/v2/web/manifests/${child}`)).status, 200);
});

test('an upload that nobody goes on with is forgotten, and its bytes with it', async () => {
  using scratch = await ScratchRegistry.open();
  // The age of a file is the file system's to say.
  await scratch.clock.advance(Date.now() - scratch.clock.now());
  const { headers } = await scratch.ask('POST', '/v2/web/blobs/uploads/');
  await scratch.ask('PATCH', headers['location'] ?? '', { body: 'some' });
  await scratch.registry.collect();
  assert.equal((await scratch.ask('GET', headers['location'] ?? '')).status, 204);
  await scratch.clock.advance(UPLOAD_LIFE_MS + 60_000);
  await scratch.registry.collect();
  assert.equal((await scratch.ask('GET', headers['location'] ?? '')).status, 404);
});

test('images of other registries go when no node asks for them any more', async () => {
  using scratch = await ScratchRegistry.open();
  const { catalog, blobs } = scratch.registry;
  const manifest = Buffer.from(manifestOf('{}', ['layer']));
  for (const content of [manifest, Buffer.from('layer')]) {
    const writer = await blobs.write(digestOf(content));
    await writer.write(content);
    await writer.commit({ digest: digestOf(content) });
  }
  const row = { repository: '@docker.io/library/web', digest: digestOf(manifest), mediaType: MediaType.manifest };
  const parts = [{ digest: digestOf('layer'), kind: 'blob' } as const];
  catalog.add({ ...row, size: manifest.length, tag: '1', parts }, scratch.clock.now(), true);
  catalog.link('@docker.io/library/web', { digest: digestOf('layer'), size: 5 }, scratch.clock.now());
  await scratch.clock.advance(CACHE_LIFE_MS - 1);
  await scratch.registry.collect({ untagged: true });
  assert.equal((await heldBy(scratch)).length, 2);
  assert.deepEqual(scratch.registry.repositories({ after: '', size: 9 }), []);
  await scratch.clock.advance(2);
  await scratch.registry.collect();
  assert.deepEqual(await heldBy(scratch), []);
});

/** Content in memory; each of its steps waits for its turn. */
function slowBlobs(turn: () => Promise<void>): BlobStore {
  const held = new Map<Digest, Uint8Array>();
  return {
    stat: async (digest) => {
      await turn();
      const content = held.get(digest);
      return content === undefined ? undefined : { size: content.length };
    },
    path: () => '',
    partialPath: () => '',
    read: async function* (digest) {
      const content = held.get(digest);
      if (content === undefined) throw new Error(`no ${digest}`);
      yield content;
    },
    write: async () => {
      await turn();
      let content = Buffer.alloc(0);
      return {
        get offset() {
          return content.length;
        },
        write: async (chunk) => {
          await turn();
          content = Buffer.concat([content, chunk]);
        },
        commit: async ({ digest }) => {
          await turn();
          held.set(digest, content);
          await turn();
        },
        suspend: () => turn(),
        discard: () => turn(),
      };
    },
    list: async () => {
      const found = [...held].map(([digest, { length }]) => ({ digest, size: length, modifiedAt: 0 }));
      await turn();
      return found;
    },
    remove: async (digest) => {
      await turn();
      held.delete(digest);
      await turn();
    },
    removePartials: () => turn(),
  };
}

const LAYERS = ['alpha', 'beta', 'gamma'] as const;

/** As skopeo does it: what is there is not sent. */
async function push(
  registry: Registry,
  repository: string,
  { layers, tag }: { layers: readonly string[]; tag: string },
) {
  for (const content of ['{}', ...layers]) {
    const digest = digestOf(content);
    if (isThere(registry, repository, digest)) continue;
    const id = await registry.startUpload(repository);
    const body = (async function* () {
      yield Buffer.from(content);
    })();
    await registry.finish(repository, id, { body, digest });
  }
  const bytes = Buffer.from(manifestOf('{}', layers));
  await registry.putManifest(repository, { tag }, { bytes, contentType: MediaType.manifest });
}

function isThere(registry: Registry, repository: string, digest: Digest): boolean {
  try {
    registry.blob(repository, digest);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

async function assertWhole({ catalog, blobs }: Registry): Promise<void> {
  for (const repository of catalog.repositories('', 100)) {
    for (const tag of catalog.tags(repository, '', 100)) {
      const { digest } = catalog.tag(repository, tag) ?? { digest: digestOf('') };
      const bytes: Uint8Array[] = [];
      for await (const chunk of blobs.read(digest)) bytes.push(chunk);
      const { layers } = JSON.parse(Buffer.concat(bytes).toString()) as { layers: { digest: Digest }[] };
      for (const layer of layers) for await (const _chunk of blobs.read(layer.digest));
    }
  }
}

interface Model {
  readonly run: (step: ModelStep) => Promise<void>;
}

type ModelStep =
  | { readonly kind: 'push'; readonly repository: string; readonly layers: readonly string[]; readonly tag: string }
  | { readonly kind: 'delete'; readonly repository: string; readonly layers: readonly string[] }
  /** Begins after so many turns of the others. */
  | { readonly kind: 'collect'; readonly untagged: boolean; readonly turns: number }
  | { readonly kind: 'wait' };

const layersOf = fc.uniqueArray(fc.constantFrom(...LAYERS), { minLength: 1 });
const repositoryOf = fc.constantFrom('one', 'two');
const steps: fc.Arbitrary<ModelStep[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('push' as const),
        repository: repositoryOf,
        layers: layersOf,
        tag: fc.constantFrom('a', 'b'),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('delete' as const), repository: repositoryOf, layers: layersOf }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('collect' as const),
        untagged: fc.boolean(),
        turns: fc.nat({ max: 30 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: 'wait' as const }) },
  ),
  { minLength: 2, maxLength: 12 },
);

test('whatever is collected while others push: a push gets through, and no image lacks a part', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.scheduler(), async (all, scheduler) => {
      const clock = fakeClock();
      const turn = () => scheduler.schedule(Promise.resolve());
      const freeBytes = async () => {
        await turn();
        return Number.MAX_SAFE_INTEGER;
      };
      using registry = new Registry(
        { directory: '', clock, log: silentLogger, freeBytes },
        slowBlobs(turn),
        new Catalog(':memory:'),
      );
      const { run } = modelOf(registry, clock, turn);
      // Those between two waits happen at once, in an order that the scheduler chooses.
      for (const together of byWaits(all)) {
        const running = Promise.all(together.map((step) => run(step)));
        await scheduler.waitFor(running);
        await assertWhole(registry);
      }
    }),
    { numRuns: 300 },
  );
});

function modelOf(registry: Registry, clock: FakeClock, turn: () => Promise<void>): Model {
  return {
    run: async (step) => {
      switch (step.kind) {
        case 'push':
          return push(registry, step.repository, step);
        case 'delete':
          registry.catalog.removeManifest(step.repository, digestOf(manifestOf('{}', step.layers)));
          return;
        case 'collect':
          for (let left = step.turns; left > 0; left--) await turn();
          await registry.collect({ untagged: step.untagged });
          return;
        case 'wait':
          return clock.advance(GRACE_MS + 1);
      }
    },
  };
}

function byWaits(all: readonly ModelStep[]): readonly (readonly ModelStep[])[] {
  const groups: ModelStep[][] = [[]];
  for (const step of all) {
    if (step.kind === 'wait') groups.push([step], []);
    else groups.at(-1)?.push(step);
  }
  return groups;
}
