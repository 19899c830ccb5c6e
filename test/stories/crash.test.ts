/** Story 4: the cloud is killed in the middle of 32 writers, again and again, and nothing acknowledged is lost. It has no pods, and so no runtimes. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Gvr, KubeObject } from '@skerry/api';
import { isStatus } from '@skerry/api';
import { createHttpClient, type HttpClient, loadKubeconfig } from '@skerry/kube/client';
import { requireSystem, TestCloud } from '@skerry/testkit/processes';

const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };
const WRITERS = 32;
const ROUNDS = 20;
/** How long the writers go on after their first acknowledgement before each kill: differs, so that it falls on every part of a commit. */
const lifeOf = (round: number) => 60 + ((round * 37) % 140);

async function clientOf(cloud: TestCloud): Promise<HttpClient> {
  const { connection } = await loadKubeconfig(cloud.kubeconfig);
  return createHttpClient({ connection });
}

/** Writes until the connection breaks; tells what was acknowledged. */
async function writeUntilKilled(client: HttpClient, prefix: string, onAcknowledged: (name: string) => void) {
  for (let index = 0; ; index++) {
    const name = `${prefix}-${index}`;
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'default' },
      data: { name },
    };
    try {
      await client.create(CONFIG_MAPS, object);
      onAcknowledged(name);
    } catch {
      return;
    }
  }
}

/** What a watch shows that is resumed at the last version it saw, however often its server dies. */
class PersistentWatch {
  readonly seen: string[] = [];
  #resourceVersion: string;

  constructor(resourceVersion: string) {
    this.#resourceVersion = resourceVersion;
  }

  async follow(client: HttpClient, signal: AbortSignal): Promise<void> {
    try {
      const options = { namespace: 'default', resourceVersion: this.#resourceVersion, signal };
      for await (const { type, object } of client.watch(CONFIG_MAPS, options)) {
        if (type === 'ADDED') this.seen.push(object.metadata.name ?? '');
        this.#resourceVersion = object.metadata.resourceVersion ?? '';
      }
    } catch (error) {
      // A version that is too old would be a gap; a broken connection is the point of this test.
      if (isStatus(error, 'Expired', 'Gone')) throw error;
    }
  }
}

test('every acknowledged write is there after each of twenty kills, and a resumed watch has no gap and no repeat', async () => {
  await using cloud = await TestCloud.start();
  const acknowledged = new Set<string>();
  let watch: PersistentWatch | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    using client = await clientOf(cloud);
    watch ??= new PersistentWatch(
      (await client.list(CONFIG_MAPS, { namespace: 'default', limit: 1 })).metadata.resourceVersion ?? '',
    );
    const stop = new AbortController();
    const watching = watch.follow(client, stop.signal);
    let isDoomed = false;
    const onAcknowledged = (name: string) => {
      acknowledged.add(name);
      if (!isDoomed) setTimeout(() => void cloud.process.kill9(), lifeOf(round));
      isDoomed = true;
    };
    const writers = Array.from({ length: WRITERS }, (_, index) =>
      writeUntilKilled(client, `r${round}-w${index}`, onAcknowledged),
    );
    await Promise.all(writers);
    await cloud.process.ended();
    stop.abort();
    await watching;
    assertIntact(join(cloud.dir, 'cloud', 'store.db'));
    await cloud.process.start();
  }
  assert.ok(acknowledged.size >= ROUNDS, `only ${acknowledged.size} writes were acknowledged`);
  using client = await clientOf(cloud);
  const { items } = await client.list(CONFIG_MAPS, { namespace: 'default' });
  const present = new Set(items.map(({ metadata }) => metadata.name ?? ''));
  assert.deepEqual(
    [...acknowledged].filter((name) => !present.has(name)),
    [],
    'acknowledged and lost',
  );
  await assertWatched(client, watch, present);
});

/** Lets the watch catch up with a last write, then compares it with what is there. */
async function assertWatched(
  client: HttpClient,
  watch: PersistentWatch | undefined,
  present: ReadonlySet<string>,
): Promise<void> {
  assert.ok(watch !== undefined);
  const stop = new AbortController();
  const last = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'last', namespace: 'default' } };
  const following = watch.follow(client, stop.signal);
  await client.create(CONFIG_MAPS, last);
  while (!watch.seen.includes('last')) await new Promise((resolve) => setTimeout(resolve, 20));
  stop.abort();
  await following;
  const written = (names: Iterable<string>) => [...names].filter((name) => name.startsWith('r')).sort();
  assert.deepEqual(written(watch.seen), written(present));
}

/** Opens a copy, as the next start would: the write-ahead log is part of what was left. */
function assertIntact(file: string): void {
  const work = mkdtempSync(join(tmpdir(), 'skerry-check-'));
  try {
    for (const suffix of ['', '-wal'])
      if (existsSync(file + suffix)) copyFileSync(file + suffix, join(work, `copy${suffix}`));
    using database = new DatabaseSync(join(work, 'copy'));
    assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

test('an fsync comes before each acknowledgement', async (t) => {
  if (!requireSystem(t, 'strace')) return;
  const WRITES = 50;
  const work = mkdtempSync(join(tmpdir(), 'skerry-strace-'));
  const trace = join(work, 'trace');
  try {
    const wrapper = ['strace', '-D', '-f', '-e', 'trace=fsync,fdatasync', '-o', trace];
    await using cloud = await TestCloud.start({ wrapper });
    using client = await clientOf(cloud);
    const count = () =>
      readFileSync(trace, 'utf8')
        .split('\n')
        .filter((line) => /f(data)?sync\(.*= 0|f(data)?sync resumed.*= 0/.test(line)).length;
    let previous = count();
    for (let index = 0; index < WRITES; index++) {
      await client.create(CONFIG_MAPS, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `synced-${index}`, namespace: 'default' },
      });
      const now = count();
      assert.ok(now > previous, `write ${index} was acknowledged without an fsync`);
      previous = now;
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
