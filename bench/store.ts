/** The store alone: durable writes with 1 and 32 writers, lists, and the start with 100,000 objects, beside a bare SQLite loop. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { silentLogger, systemClock } from '@skerry/base';
import { openStore, type SqliteStore } from '@skerry/kube/store';

const { values: options } = parseArgs({
  options: { seconds: { type: 'string', default: '3' }, objects: { type: 'string', default: '100000' } },
});
const DURATION_MS = Number(options.seconds) * 1000;
const OBJECTS = Number(options.objects);
const LISTED = 10_000;
const KEYS = 2_000;

const directory = mkdtempSync(join(tmpdir(), 'skerry-bench-store-'));
try {
  process.stdout.write(`${JSON.stringify(await measure())}\n`);
} finally {
  rmSync(directory, { recursive: true });
}

async function measure() {
  const bareLoop = measureBareLoop();
  const store = open('writes.db');
  const oneWriter = await measureWrites(store, 1);
  const manyWriters = await measureWrites(store, 32);
  await store.close();
  const start = await measureStart();
  return {
    bench: 'store',
    bareLoopPerSecond: bareLoop,
    oneWriterPerSecond: oneWriter.perSecond,
    oneWriterToBare: round(oneWriter.perSecond / bareLoop),
    manyWritersPerSecond: manyWriters.perSecond,
    manyWritersP99Ms: manyWriters.p99Ms,
    manyWritersToBare: round(manyWriters.perSecond / bareLoop),
    ...start,
  };
}

function open(name: string): SqliteStore {
  return openStore({ file: join(directory, name), clock: systemClock, log: silentLogger });
}

/** One insert, one commit, one fsync, and nothing else: what the machine gives. */
function measureBareLoop(): number {
  const database = new DatabaseSync(join(directory, 'bare.db'));
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.exec('CREATE TABLE log (revision INTEGER PRIMARY KEY, key TEXT, json TEXT)');
  const insert = database.prepare('INSERT INTO log VALUES (?, ?, ?)');
  const started = performance.now();
  let writes = 0;
  while (performance.now() - started < DURATION_MS) {
    writes++;
    insert.run(writes, configMapKey(writes % KEYS), configMap(writes));
  }
  const perSecond = Math.round((writes * 1000) / (performance.now() - started));
  database.close();
  return perSecond;
}

async function measureWrites(store: SqliteStore, writers: number) {
  const deadline = performance.now() + DURATION_MS;
  const latencies: number[] = [];
  const write = async (writer: number) => {
    for (let i = 0; performance.now() < deadline; i++) {
      const before = performance.now();
      await store.put(configMapKey((writer * 61 + i) % KEYS), configMap(i));
      latencies.push(performance.now() - before);
      // A client's next request arrives as input of a later turn.
      await new Promise(setImmediate);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  latencies.sort((a, b) => a - b);
  const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? 0;
  return { perSecond: Math.round((latencies.length * 1000) / DURATION_MS), p99Ms: round(p99) };
}

async function measureStart() {
  const filled = open('many.db');
  for (let i = 0; i < OBJECTS; i += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, (_, j) => filled.put(configMapKey(i + j), configMap(i + j))));
  }
  await filled.close();
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const started = performance.now();
  const store = open('many.db');
  const startMs = performance.now() - started;
  const listed = performance.now();
  const { items } = store.list('/configmaps/', { limit: LISTED });
  const listMs = performance.now() - listed;
  const bytes = items.reduce((sum, { json }) => sum + json.length, 0);
  const rssGrowthMb = Math.round((process.memoryUsage().rss - before) / 1e6);
  await store.close();
  return {
    objects: OBJECTS,
    startMs: round(startMs),
    rssGrowthMb,
    listed: items.length,
    listedBytes: bytes,
    listMs: round(listMs),
  };
}

function configMapKey(i: number): string {
  return `/configmaps/default/configmap-${i}`;
}

/** About as large as those of the list benchmark: 6.7 MB for 10,000. */
function configMap(i: number): string {
  const metadata = { name: `configmap-${i}`, namespace: 'default', uid: 'x'.repeat(36), labels: { app: 'bench' } };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata,
    data: { value: 'v'.repeat(480), i: String(i) },
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
