/** The store alone: durable writes with 1 and 32 writers, lists, and the start with 100,000 objects, beside a bare SQLite loop. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { silentLogger, systemClock } from '@skerry/base';
import { openStore, type SqliteStore } from '@skerry/kube/store';
import { report, round } from './support/figures.ts';

const { values: options } = parseArgs({
  options: { seconds: { type: 'string', default: '3' }, objects: { type: 'string', default: '100000' } },
});
const DURATION_MS = Number(options.seconds) * 1000;
const OBJECTS = Number(options.objects);
const LISTED = 10_000;
const KEYS = 2_000;

const directory = mkdtempSync(join(tmpdir(), 'skerry-bench-store-'));
try {
  await measure();
} finally {
  rmSync(directory, { recursive: true });
}

async function measure() {
  const bareLoop = measureBareLoop();
  const store = open('writes.db');
  const oneWriter = await measureWrites(store, 1);
  const manyWriters = await measureWrites(store, 32);
  await store.close();
  const toBare = (perSecond: number) => ({ ratio: round(perSecond / bareLoop, 2), of: 'one insert, one commit' });
  report(
    { name: 'bare SQLite: one insert, one commit', value: bareLoop, unit: '/s' },
    { name: 'durable puts, one writer', value: oneWriter.perSecond, unit: '/s', ...toBare(oneWriter.perSecond) },
    { name: 'durable puts, 32 writers', value: manyWriters.perSecond, unit: '/s', ...toBare(manyWriters.perSecond) },
    { name: 'durable puts, 32 writers, p99', value: manyWriters.p99Ms, unit: 'ms' },
  );
  await measureStart();
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
  report(
    { name: `start with ${OBJECTS} objects`, value: round(startMs), unit: 'ms' },
    { name: `resident memory of ${OBJECTS} objects`, value: rssGrowthMb, unit: 'MB' },
    { name: `list of ${items.length} in process`, value: round(listMs, 2), unit: 'ms', note: `${bytes} bytes` },
  );
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
