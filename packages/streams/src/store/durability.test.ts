import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { openSeriesStore } from './index.ts';
import { type LogDisk, realDisk } from './log.ts';
import {
  ALL,
  append,
  batchOf,
  chunkFiles,
  ground,
  listening,
  START,
  ticks,
  valuesIn,
  valuesOf,
} from './testing/store-ground.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Flips a bit in the middle of every stored form of rows that begins at `first`. */
function damage(file: string, first: number): void {
  const database = new DatabaseSync(file);
  for (const { id, data } of database
    .prepare('SELECT id, data FROM chunk WHERE tier = 0 AND first = ?')
    .all(first * 1000)) {
    if (!(data instanceof Uint8Array) || id === undefined) continue;
    data[data.length >> 1] = (data[data.length >> 1] ?? 0) ^ 4;
    database.prepare('UPDATE chunk SET data = ? WHERE id = ?').run(data, id);
  }
  database.close();
}

test('a chunk that is not what was written is lost alone, and said; its minutes are still there', async () => {
  const { said, log } = listening();
  await using at = await ground({ log });
  const [a, b] = ['a', 'b'].map((p) => at.store.series({ p }, 'float64'));
  await append(at.store, [...ticks(a ?? 0, 3600), ...ticks(b ?? 0, 100, 1000, START + 1000)]);
  await at.store.close();
  damage(join(at.directory, 'chunks', chunkFiles(at)[0] ?? ''), START);
  const store = await at.reopen();
  const { series, damaged } = await store.query({ ...ALL, to: START + HOUR_MS });
  assert.deepEqual([series.map(({ rows }) => rows.length), damaged], [[61, 100], 1]);
  assert.deepEqual([store.stats().damagedChunks, said], [1, ['a chunk of a series is damaged; its rows are lost']]);
  const minutes = await store.query({ ...ALL, to: START + HOUR_MS, step: 60_000, aggregate: 'max' });
  assert.deepEqual([minutes.series[0]?.rows.values[0], minutes.damaged], [59, 0]);
});

test('a partition whose file is no database is put aside and said; the others answer', async () => {
  const { said, log } = listening();
  await using at = await ground({ log, limits: { aheadMs: 9 * DAY_MS } });
  const id = at.store.series({ a: 'b' }, 'float64');
  await append(at.store, ticks(id, 3, DAY_MS));
  await at.store.close();
  const file = join(at.directory, 'chunks', chunkFiles(at)[1] ?? '');
  writeFileSync(file, 'x'.repeat(9000));
  assert.deepEqual(await valuesIn(await at.reopen()), [0, 2]);
  assert.deepEqual(said, ['a partition of the series store is damaged; it is put aside']);
  assert.ok(existsSync(`${file}.damaged`));
});

/** Overwrites the page by which chunks are found. */
function breakIndex(file: string): void {
  const database = new DatabaseSync(file);
  const find = database.prepare(
    "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'chunk_of_series'",
  );
  const { rootpage, page_size: size } = find.get() ?? {};
  database.close();
  const end = Number(rootpage) * Number(size);
  writeFileSync(file, readFileSync(file).fill(0xa5, end - Number(size), end));
}

test('a partition whose pages are broken costs what it has, and is put aside by the next sealing', async () => {
  const { said, log } = listening();
  await using at = await ground({ log, limits: { aheadMs: 9 * DAY_MS } });
  const id = at.store.series({ a: 'b' }, 'float64');
  await append(at.store, [...ticks(id, 3000), ...ticks(id, 2, 1000, START + DAY_MS)]);
  await at.store.close();
  const file = join(at.directory, 'chunks', chunkFiles(at)[0] ?? '');
  breakIndex(file);
  const store = await at.reopen();
  const { series, damaged } = await store.query(ALL);
  assert.deepEqual([series.flatMap(valuesOf), damaged], [[0, 1], 1]);
  await at.clock.advance(3 * DAY_MS);
  await store.maintain();
  await append(store, [[id, START, 7]]);
  await assert.rejects(store.seal(), /its chunks cannot be written/);
  await store.seal();
  assert.deepEqual(await valuesIn(store), [7, 0, 1]);
  assert.ok(existsSync(`${file}.damaged`));
  assert.equal(said.at(-1), 'a partition of the series store is damaged; it is put aside');
});

/** A disk that is full for as long as one likes. */
function fullDisk(): LogDisk & { isFull: boolean } {
  const disk = {
    isFull: false,
    open: async (file: string) => {
      const real = await realDisk.open(file);
      const write = async (bytes: Uint8Array, position: number) => {
        if (!disk.isFull) return real.write(bytes, position);
        await real.write(bytes.subarray(0, bytes.length >> 1), position);
        throw new Error('ENOSPC: no space left on device');
      };
      return { write, close: () => real.close() };
    },
  };
  return disk;
}

test('while the disk is full the store refuses and says so; it loses nothing it has acknowledged, and goes on by itself', async () => {
  const disk = fullDisk();
  await using at = await ground({ disk });
  const id = at.store.series({ a: 'b' }, 'float64');
  at.store.append(batchOf([[id, START, 1]]));
  await at.store.sync();
  disk.isFull = true;
  at.store.append(batchOf([[id, START + 1, 2]]));
  await assert.rejects(at.store.sync(), /SERIES_DISK|its log cannot be written/);
  assert.throws(() => at.store.append(batchOf([[id, START + 2, 3]])), /takes nothing: its log cannot be written/);
  assert.equal(at.store.stats().refusing, 'its log cannot be written');
  assert.deepEqual(await valuesIn(await at.crash()), [1]);
  disk.isFull = false;
  at.store.append(batchOf([[id, START + 3, 4]]));
  await at.store.sync();
  assert.deepEqual(await valuesIn(await at.crash()), [1, 4]);
});

test('what waited for a full disk is on it as soon as there is space', async () => {
  const disk = fullDisk();
  await using at = await ground({ disk });
  const id = at.store.series({ a: 'b' }, 'float64');
  disk.isFull = true;
  at.store.append(batchOf([[id, START, 1]]));
  await assert.rejects(at.store.sync());
  disk.isFull = false;
  await at.store.sync();
  assert.equal(at.store.stats().refusing, undefined);
  assert.deepEqual(await valuesIn(await at.crash()), [1]);
});

test('rows that cannot be sealed stay in memory and in the log until they can', async () => {
  await using at = await ground({ limits: { headRows: 10 } });
  const id = at.store.series({ a: 'b' }, 'float64');
  await append(at.store, ticks(id, 5));
  await at.store.seal();
  await at.reopen();
  const other = new DatabaseSync(join(at.directory, 'chunks', chunkFiles(at)[0] ?? ''));
  other.exec('BEGIN EXCLUSIVE');
  await append(at.store, ticks(id, 10, 1000, START + 10_000));
  await assert.rejects(at.store.seal(), /its chunks cannot be written/);
  await append(at.store, ticks(id, 10, 1000, START + 30_000));
  assert.throws(() => at.store.append(batchOf([[id, START + 60_000, 1]])), /its chunks cannot be written/);
  other.close();
  await at.crash();
  assert.equal((await valuesIn(at.store)).length, 25);
});

test('a store that is behind says so, and has room again after a sync', async () => {
  await using at = await ground({ limits: { headRows: 100 } });
  const id = at.store.series({ a: 'b' }, 'float64');
  const add = (count: number, start: number) => at.store.append(batchOf(ticks(id, count, 1000, START + start)));
  add(100, 0);
  add(100, 100_000);
  assert.throws(() => add(100, 200_000), /the disk is behind/);
  await at.store.sync();
  assert.equal(add(100, 200_000).taken, 100);
  assert.throws(() => add(101, 300_000), /more than 100 rows at once/);
  await at.store.sync();
  assert.equal((await valuesIn(at.store)).length, 300);
});

test('whoever waits for the disk at the same time shares its writes', async () => {
  let writes = 0;
  const open = async (file: string) => {
    const real = await realDisk.open(file);
    const write = (bytes: Uint8Array, position: number) => {
      writes++;
      return real.write(bytes, position);
    };
    return { write, close: () => real.close() };
  };
  await using at = await ground({ disk: { open } });
  const id = at.store.series({ a: 'b' }, 'float64');
  const waiting = Array.from({ length: 100 }, (_, row) => {
    at.store.append(batchOf([[id, START + row, row]]));
    return at.store.sync();
  });
  await Promise.all(waiting);
  assert.ok(writes <= 2, `${writes}`);
  assert.equal((await valuesIn(await at.crash())).length, 100);
});

test('what nobody waits for is on disk after the interval', async () => {
  await using at = await ground();
  const id = at.store.series({ a: 'b' }, 'float64');
  at.store.append(batchOf([[id, START, 1]]));
  await at.clock.advance(100);
  await at.store.sync();
  assert.deepEqual(await valuesIn(await at.crash()), [1]);
});

test('a mark is there with its batch, replaces the one before, and has its bounds', async () => {
  await using at = await ground({ limits: { marks: 1 } });
  const id = at.store.series({ a: 'b' }, 'float64');
  const put = (value: number, key = 'road') =>
    at.store.append(batchOf([[id, START, value]]), { key, value: Uint8Array.of(value) });
  put(1);
  put(2);
  assert.deepEqual(at.store.mark('road'), Uint8Array.of(2));
  await at.store.sync();
  assert.deepEqual((await at.crash()).mark('road'), Uint8Array.of(2));
  await at.store.seal();
  assert.deepEqual((await at.reopen()).mark('road'), Uint8Array.of(2));
  assert.throws(() => put(3, 'other'), /more than 1 marks/);
  assert.throws(() => put(3, 'x'.repeat(257)), /more than 256 characters/);
  assert.deepEqual(await valuesIn(at.store), [2]);
});

test('rows wait in memory no longer than the bound says', async () => {
  await using at = await ground({ limits: { sealAfterMs: 60_000 } });
  const id = at.store.series({ a: 'b' }, 'float64');
  at.store.append(batchOf([[id, START, 1]]));
  await at.store.sync();
  await at.clock.advance(60_000);
  await at.store.seal();
  assert.deepEqual([at.store.stats().headRows, chunkFiles(at)], [0, ['2026-01-01T00.db']]);
});

test('a directory is one store at a time, and a store that is closed says so', async () => {
  await using at = await ground();
  const { directory, clock } = at;
  await assert.rejects(openSeriesStore({ directory, clock, log: silentLogger }), /another process has it open/);
  await at.store.close();
  assert.throws(() => at.store.append(batchOf([])), /is closed/);
  await assert.rejects(at.store.query(ALL), /is closed/);
});

test('a file of a later format is left alone', async () => {
  await using at = await ground();
  await at.store.close();
  const file = join(at.directory, 'catalog.db');
  const before = readFileSync(file);
  const database = new DatabaseSync(file);
  database.exec('PRAGMA user_version = 99');
  database.close();
  const { directory, clock } = at;
  await assert.rejects(openSeriesStore({ directory, clock, log: silentLogger }), (error: Error) => {
    assert.match(String(error.cause), /format 99 is not 1/);
    return true;
  });
  writeFileSync(file, before);
});
