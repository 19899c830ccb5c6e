import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { digestOf } from '../images/index.ts';
import { placeOf } from './door.ts';
import { type LazyRegistry, lazyRegistry } from './lazy.ts';

interface World extends AsyncDisposable {
  readonly directory: string;
  readonly namespaces: Set<string>;
  registry: LazyRegistry;
  restart(): Promise<void>;
}

async function worldOf(...namespaces: readonly string[]): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), 'skerry-lazy-'));
  const directory = join(home, 'registry');
  const there = new Set(namespaces);
  const isNamespace = (name: string) => there.has(name);
  const namespaceOf = (repository: string) => placeOf({ isNamespace }, repository).namespace;
  const open = () => lazyRegistry({ directory, isNamespace, namespaceOf, clock: fakeClock(), log: silentLogger });
  const world: World = {
    directory,
    namespaces: there,
    registry: open(),
    restart: async () => {
      await world.registry[Symbol.asyncDispose]();
      world.registry = open();
    },
    [Symbol.asyncDispose]: async () => {
      await world.registry[Symbol.asyncDispose]();
      rmSync(home, { recursive: true, force: true });
    },
  };
  return world;
}

async function push({ registry }: World, repository: string): Promise<void> {
  const opened = await registry.open();
  const body = (async function* () {
    yield Buffer.from('layer');
  })();
  await opened.finish(repository, await opened.startUpload(repository), { body, digest: digestOf('layer') });
}

async function has({ registry }: World, repository: string): Promise<boolean> {
  return (await registry.open()).catalog.hasRepository(repository);
}

test('a registry that nobody asks makes nothing', async () => {
  await using world = await worldOf();
  await world.registry.forget('team');
  assert.equal(existsSync(world.directory), false);
});

test('images go with their namespace, and no others', async () => {
  await using world = await worldOf('team', 'other');
  for (const repository of ['team/web', 'team/a/b', 'other/web', 'teams/web', 'web']) await push(world, repository);
  world.namespaces.delete('team');
  await world.registry.forget('team');
  const left = await Promise.all(
    ['team/web', 'team/a/b', 'other/web', 'teams/web', 'web'].map((repository) => has(world, repository)),
  );
  assert.deepEqual(left, [false, false, true, true, true]);
});

test('a namespace that went while the process was away has left nothing', async () => {
  await using world = await worldOf('team');
  await push(world, 'team/web');
  world.namespaces.delete('team');
  await world.restart();
  assert.equal(await has(world, 'team/web'), false);
});

test('no namespace owns what was imported for everybody', async () => {
  await using world = await worldOf('imported');
  await push(world, 'imported/docker.io/library/web');
  await world.registry.forget('imported');
  assert.equal(await has(world, 'imported/docker.io/library/web'), true);
});
