import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { jsonLogger } from '@skerry/base';
import type { Replica } from '@skerry/kube/replica';
import { fakeClock } from '@skerry/testkit';
import { openOwnReplica } from './own-replica.ts';

interface World {
  readonly file: string;
  readonly open: () => Replica;
  readonly logged: string[];
  readonly names: () => readonly string[];
}

async function check(run: (world: World) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-own-replica-'));
  const clock = fakeClock();
  const logged: string[] = [];
  const log = jsonLogger({ write: (line) => void logged.push(line), now: () => clock.now() });
  const file = join(directory, 'replica.db');
  const identity = join(directory, 'identity');
  const open = () => openOwnReplica({ file, identity, dataDir: directory, node: 'edge-1', rows: () => [], clock, log });
  try {
    await run({ file, open, logged, names: () => readdirSync(directory).sort() });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function fill(replica: Replica): Promise<void> {
  await replica.sessionNumbers.store(7);
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'default' },
    text: 'x'.repeat(20_000),
  };
  const bytes = Buffer.from(JSON.stringify(object));
  await replica.state.apply([{ key: '/pods/default/a', version: '1', bytes }], new Uint8Array(0));
  await replica.close();
}

test('what is whole is opened as it is', () =>
  check(async ({ open, logged, names }) => {
    await fill(open());
    const again = open();
    assert.equal(again.store.count('/pods/'), 1);
    assert.equal(again.sessionNumbers.load(), 7);
    await again.close();
    assert.deepEqual(logged, []);
    assert.deepEqual(names(), ['identity', 'replica.db']);
  }));

for (const [how, damage] of [
  ['overwritten', (file: string) => writeFileSync(file, 'no database at all'.repeat(1000))],
  ['cut short', (file: string) => truncateSync(file, 5000)],
  ['garbled inside', (file: string) => writeFileSync(file, readFileSync(file).fill(0xaa, 4096))],
] as const) {
  test(`a file that is ${how} is set aside, named and kept; the node keeps its session number`, () =>
    check(async ({ file, open, logged, names }) => {
      await fill(open());
      damage(file);
      const damaged = readFileSync(file);
      const anew = open();
      assert.equal(anew.store.count('/pods/'), 0);
      assert.equal(anew.state.position().length, 0, 'it knows that it holds nothing');
      assert.equal(anew.sessionNumbers.load(), 7);
      await anew.close();
      const [aside = ''] = names().filter((name) => name.startsWith('replica.db.damaged-'));
      assert.deepEqual(readFileSync(join(file, '..', aside)), damaged);
      assert.match(logged.join(''), new RegExp(aside));
    }));
}

test('a second agent in the same directory is told who is there', () =>
  check(async ({ open }) => {
    const first = open();
    assert.throws(open, /already runs|EDGE_ALREADY_RUNNING/);
    await first.close();
  }));
