import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import { requireSystem } from '@skerry/testkit/processes';
import { openTestStore, temporaryDirectory } from './testing/temporary-store.ts';

const PROGRAM = new URL('./testing/writer-process.ts', import.meta.url).pathname;
const ROUNDS = runs(6);
const WRITERS = 32;
/** A sync that succeeded, in one line of strace, or in two when another thread came in between. */
const SYNCED = /( |<\.\.\. )(fsync|fdatasync)(\(| resumed>).* = 0$/;

test('whatever was acknowledged before a kill -9 is there, round after round', async () => {
  using directory = temporaryDirectory();
  const file = directory.path('store.db');
  const newest = new Map<string, Acknowledged>();
  let total = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const acknowledged = await writeUntilKilled(file, total, 500 + round * 300);
    total += acknowledged.length;
    for (const line of acknowledged) {
      if (line.revision > (newest.get(line.key)?.revision ?? 0)) newest.set(line.key, line);
    }
    await checkFile(file, newest);
  }
  assert.ok(total > ROUNDS * 500);
});

test('a write is synced to disk before it is acknowledged', (context) => {
  if (!requireSystem(context, 'strace')) return;
  using directory = temporaryDirectory();
  const trace = directory.path('trace');
  const command = [process.execPath, '--conditions=source', PROGRAM, directory.path('store.db'), '1', '0', '50'];
  const options = ['-f', '-qq', '-e', 'trace=fsync,fdatasync,write', '-o', trace];
  const { status, stderr } = spawnSync('strace', [...options, ...command], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const syncsBefore: number[] = [];
  let syncs = 0;
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    if (SYNCED.test(line)) syncs++;
    if (!/ write\(1, "\d+ \/configmaps/.test(line)) continue;
    syncsBefore.push(syncs);
    syncs = 0;
  }
  assert.equal(syncsBefore.length, 50);
  assert.ok(
    syncsBefore.every((count) => count >= 1),
    syncsBefore.join(' '),
  );
});

interface Acknowledged {
  readonly revision: number;
  readonly key: string;
  readonly number: number;
}

async function writeUntilKilled(file: string, first: number, enough: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, ['--conditions=source', PROGRAM, file, String(WRITERS), String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = await readUntil(child, enough);
  await exited;
  return lines.map((line) => {
    const [revision, key = '', number] = line.split(' ');
    return { revision: Number(revision), key, number: Number(number) };
  });
}

/** Kills after so many lines, and still reads what had been written to the pipe. */
async function readUntil(child: ChildProcess, enough: number): Promise<string[]> {
  assert.ok(child.stdout !== null);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (/^\d+ \S+ \d+$/.test(line)) lines.push(line);
    if (lines.length === enough) child.kill('SIGKILL');
  }
  return lines;
}

async function checkFile(file: string, newest: ReadonlyMap<string, Acknowledged>): Promise<void> {
  const store = openTestStore(file);
  assert.deepEqual(store.findDamage(), []);
  for (const { key, revision, number } of newest.values()) {
    const stored = store.get(key);
    assert.ok(stored !== undefined && stored.revision >= revision, `${key} is of ${stored?.revision}, not ${revision}`);
    if (stored.revision === revision) assert.equal(stored.json, JSON.stringify({ number }));
  }
  await store.close();
}
