import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { type Boxed, Quality, valueAt } from '../contract/index.ts';
import type { Matcher, SeriesResult, SeriesStore, StoredType } from './contract.ts';
import { openSeriesStore } from './index.ts';
import { type LogDisk, realDisk } from './log.ts';
import { batchOf, type Ground, ground, type Row, START } from './testing/store-ground.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ALL = { matchers: [], from: 0, to: START + 1000 * DAY_MS } as const;

function valuesOf({ rows }: SeriesResult): (number | Boxed)[] {
  return Array.from({ length: rows.length }, (_, row) => valueAt({ ...rows, series: new Uint32Array() }, row));
}

async function valuesIn(store: SeriesStore): Promise<(number | Boxed)[]> {
  return (await store.query(ALL)).series.flatMap(valuesOf);
}

/** Even ticks of one series: the value is the number of the row. */
function ticks(id: number, count: number, stepMs = 1000, start = START): Row[] {
  return Array.from({ length: count }, (_, row) => [id, start + row * stepMs, row]);
}

async function append(store: SeriesStore, rows: readonly Row[]): Promise<void> {
  for (let start = 0; start < rows.length; start += 8000) {
    store.append(batchOf(rows.slice(start, start + 8000)));
    await store.sync();
  }
}

function chunkFiles({ directory }: Ground): string[] {
  return readdirSync(join(directory, 'chunks'))
    .filter((name) => name.endsWith('.db'))
    .sort();
}

/** Collects what is logged as errors. */
function listening(): { readonly said: string[]; readonly log: typeof silentLogger } {
  const said: string[] = [];
  return { said, log: { ...silentLogger, error: (_, message) => said.push(message) } };
}

const TYPES: Readonly<Partial<Record<StoredType, readonly (number | Boxed)[]>>> = {
  float64: [1.5, Number.NaN, -0, Number.NEGATIVE_INFINITY, Number.MIN_VALUE],
  float32: [Math.fround(0.1), Math.fround(3.3e38)],
  int64: [Number.MIN_SAFE_INTEGER, -(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0, 2n ** 64n - 1n],
  bool: [0, 1, 1],
  datetime: [START, 0],
  string: ['', 'läuft', '停止'],
  bytes: [new Uint8Array(), Uint8Array.of(0, 255)],
  json: [[1, 'two', { three: [3n] }], { a: null, b: true, '': -0 }],
};

test('values of every type come back as they came: from memory, after a crash, from chunks, and from dense partitions', async () => {
  await using at = await ground();
  for (const [type, values] of Object.entries(TYPES)) {
    const id = at.store.series({ property: type }, type as StoredType);
    at.store.append(
      batchOf(values.map((value, row) => [id, START + row, value, row % 2 === 0 ? Quality.good : Quality.stale])),
    );
  }
  await at.store.sync();
  const check = async (store: SeriesStore) => {
    const { series } = await store.query(ALL);
    assert.deepStrictEqual(Object.fromEntries(series.map((each) => [each.series.type, valuesOf(each)])), TYPES);
    assert.deepEqual(series[0]?.rows.qualities, Uint8Array.from([192, 68, 192, 68, 192]));
  };
  await check(at.store);
  await check(await at.crash());
  await at.store.seal();
  await check(at.store);
  await at.clock.advance(2 * DAY_MS);
  await at.store.maintain();
  await check(await at.reopen());
});

test('times are exact to the microsecond', async () => {
  await using at = await ground();
  const id = at.store.series({ a: 'b' }, 'float64');
  const times = [START + 0.001, START + 0.25, START + 1.999];
  at.store.append(batchOf(times.map((time, row) => [id, time, row])));
  await at.store.seal();
  assert.deepEqual([...((await at.store.query(ALL)).series[0]?.rows.times ?? [])], times);
});

test('what is too old, too new or of nothing known is not taken, and counted', async () => {
  const retention = { rawFor: 0, secondFor: 0, minuteFor: HOUR_MS, hourFor: 0 };
  await using at = await ground({ retention, limits: { aheadMs: 5000 } });
  const id = at.store.series({ a: 'b' }, 'float64');
  const now = at.clock.now();
  const appended = at.store.append(
    batchOf([
      [id, now, 1],
      [id, now - HOUR_MS - 1, 2],
      [id, now + 5001, 3],
      [id + 1, now, 4],
      [id, Number.NaN, 5],
      [id, now + 1, 'x'.repeat(1024 * 1024)],
    ]),
  );
  assert.deepEqual(appended, { taken: 1, tooOld: 1, tooNew: 1, refused: 3 });
  assert.deepEqual(await valuesIn(at.store), [1]);
  const { taken, tooOld, tooNew, refused } = at.store.stats();
  assert.deepEqual({ taken, tooOld, tooNew, refused }, appended);
});

test('a structure that is deeper than any is refused, whatever it holds', async () => {
  await using at = await ground();
  const id = at.store.series({ a: 'b' }, 'json');
  let deep: unknown[] = [];
  for (let level = 0; level < 10_000; level++) deep = [deep];
  assert.equal(at.store.append(batchOf([[id, START, deep]])).refused, 1);
});

test('series are told apart by their labels alone, in whatever order they are named', async () => {
  await using at = await ground();
  const id = at.store.series({ device: 'press', property: 'force', unit: '' }, 'float64');
  assert.equal(at.store.series({ property: 'force', device: 'press' }, 'int32'), id);
  assert.notEqual(at.store.series({ property: 'force', device: 'press2' }, 'float64'), id);
  assert.deepEqual(at.store.describe(id), { id, labels: { device: 'press', property: 'force' }, type: 'float64' });
  assert.deepEqual(at.store.labelNames(), ['device', 'property']);
  assert.deepEqual(at.store.labelValues('device'), ['press', 'press2']);
  assert.throws(() => at.store.series({}, 'bool'), /a series with no labels/);
  assert.throws(() => at.store.series({ a: 'x'.repeat(2000) }, 'bool'), /more than 1024 characters/);
});

const MATCHES: readonly (readonly [readonly Matcher[], readonly string[]])[] = [
  [[], ['p1', 'p2', 'pump', 'x']],
  [[{ label: 'device', op: '=', value: 'p1' }], ['p1']],
  [[{ label: 'device', op: '!=', value: 'p1' }], ['p2', 'pump', 'x']],
  [[{ label: 'device', op: '=~', value: 'p\\d' }], ['p1', 'p2']],
  [[{ label: 'device', op: '!~', value: 'p.*' }], ['x']],
  [[{ label: 'site', op: '=', value: '' }], ['p1', 'p2', 'pump']],
  [[{ label: 'site', op: '!=', value: '' }], ['x']],
  [[{ label: 'site', op: '=~', value: 'a|' }], ['p1', 'p2', 'pump', 'x']],
  [
    [
      { label: 'device', op: '=~', value: 'p.*' },
      { label: 'device', op: '!=', value: 'pump' },
      { label: 'site', op: '!~', value: '.+' },
    ],
    ['p1', 'p2'],
  ],
  [[{ label: 'device', op: '=', value: 'nothing' }], []],
];

for (const [matchers, expected] of MATCHES) {
  const text = matchers.map(({ label, op, value }) => `${label}${op}"${value}"`).join(', ');
  test(`{${text}} matches ${expected.join(', ') || 'nothing'}`, async () => {
    await using at = await ground();
    for (const device of ['p1', 'p2', 'pump']) at.store.series({ device }, 'float64');
    at.store.series({ device: 'x', site: 'a' }, 'float64');
    assert.deepEqual(
      at.store.seriesOf(matchers).map(({ labels }) => labels['device']),
      expected,
    );
  });
}

test('a pattern that is none is refused, and one made to take forever does not', async () => {
  await using at = await ground();
  at.store.series({ a: 'a'.repeat(1000) }, 'float64');
  assert.throws(() => at.store.seriesOf([{ label: 'a', op: '=~', value: '(' }]), /is no pattern/);
  assert.deepEqual(at.store.seriesOf([{ label: 'a', op: '=~', value: '(a+)+b' }]), []);
});

test('a query that would cost too much is refused in words', async () => {
  await using at = await ground({ limits: { queryPoints: 100, querySeries: 2 } });
  const ids = ['a', 'b', 'c'].map((property) => at.store.series({ property }, 'float64'));
  await append(at.store, ticks(ids[0] ?? 0, 101));
  const of = (property: string) => [{ label: 'property', op: '=~', value: property }] as const;
  await assert.rejects(at.store.query({ ...ALL, matchers: of('a') }), /more than 100 points/);
  await assert.rejects(at.store.query({ ...ALL, matchers: of('a'), maxPoints: 7 }), /more than 7 points/);
  await assert.rejects(at.store.query(ALL), /more than 2 series match/);
  await assert.rejects(at.store.query({ matchers: of('a'), from: 1, to: 1 }), /ends before it begins/);
  await assert.rejects(
    at.store.query({ ...ALL, matchers: of('a'), step: 0, aggregate: 'avg' }),
    /less than a millisecond/,
  );
  const { series } = await at.store.query({ ...ALL, matchers: of('a'), step: 2000, aggregate: 'count' });
  assert.equal(series[0]?.rows.length, 51);
});

test('a query ends when its caller has gone', async () => {
  await using at = await ground();
  for (let index = 0; index < 600; index++) at.store.series({ property: `p${index}` }, 'float64');
  await assert.rejects(at.store.query({ ...ALL, signal: AbortSignal.abort(new Error('gone')) }), /gone/);
});

test('steps of whole minutes are read from tiers, rows only where the range cuts a minute', async () => {
  await using at = await ground();
  const id = at.store.series({ a: 'b' }, 'float64');
  await append(at.store, ticks(id, 7200));
  await at.store.seal();
  const query = { matchers: [], step: 60_000, aggregate: 'avg' } as const;
  const whole = await at.store.query({ ...query, from: START, to: START + 2 * HOUR_MS });
  assert.equal(whole.series[0]?.rows.length, 120);
  assert.deepEqual([...(whole.series[0]?.rows.values.slice(0, 2) ?? [])], [29.5, 89.5]);
  assert.ok(whole.scanned < 200, `${whole.scanned}`);
  const cut = await at.store.query({ ...query, from: START + 30_000, to: START + 2 * HOUR_MS });
  assert.deepEqual([...(cut.series[0]?.rows.values.slice(0, 2) ?? [])], [44.5, 89.5]);
});

test('rows that come late change the tiers that they belong to', async () => {
  await using at = await ground();
  const id = at.store.series({ a: 'b' }, 'float64');
  await append(at.store, ticks(id, 7200));
  await at.store.seal();
  at.store.append(batchOf([[id, START + 500, 1000]]));
  await at.store.seal();
  const { series, scanned } = await at.store.query({ ...ALL, to: START + HOUR_MS, step: 60_000, aggregate: 'max' });
  assert.deepEqual([...(series[0]?.rows.values.slice(0, 2) ?? [])], [1000, 119]);
  assert.ok(scanned < 200);
});

test('a counter grows by its rises, from row to row and over its resets', async () => {
  await using at = await ground();
  const id = at.store.series({ a: 'b' }, 'uint32');
  await append(
    at.store,
    [10, 15, 15, 2, 4].map((value, row) => [id, START + row * 1000, value]),
  );
  const query = { ...ALL, step: 2000 };
  const increase = await at.store.query({ ...query, aggregate: 'increase' });
  assert.deepEqual([...(increase.series[0]?.rows.values ?? [])], [5, 2, 2]);
  const rate = await at.store.query({ ...query, aggregate: 'rate' });
  assert.deepEqual([...(rate.series[0]?.rows.values ?? [])], [2.5, 1, 1]);
});

test('a counter beyond 2^53 comes back exactly, and grows like any other', async () => {
  await using at = await ground();
  const id = at.store.series({ a: 'b' }, 'uint64');
  const counts = [0n, 10n, 4096n].map((more) => 2n ** 60n + more);
  await append(
    at.store,
    counts.map((count, row) => [id, START + row, count]),
  );
  const check = async (store: SeriesStore) => {
    const { series: raw } = await store.query(ALL);
    assert.deepEqual([...(raw[0]?.rows.values ?? [])], [Number.NaN, Number.NaN, Number.NaN]);
    assert.deepEqual(await valuesIn(store), counts);
    const { series } = await store.query({ ...ALL, step: 1000, aggregate: 'increase' });
    assert.deepEqual([...(series[0]?.rows.values ?? [])], [4096]);
  };
  await check(at.store);
  await check(await at.crash());
  await check(await at.reopen());
});

test('rows of bad quality and what is no number are kept, and count for nothing', async () => {
  await using at = await ground();
  const id = at.store.series({ a: 'b' }, 'float64');
  at.store.append(
    batchOf([
      [id, START, 1],
      [id, START + 1, 100, Quality.bad],
      [id, START + 2, Number.NaN],
      [id, START + 3, 'x'],
      [id, START + 4, 3, Quality.stale],
    ]),
  );
  const { series } = await at.store.query({ ...ALL, step: 1000, aggregate: 'avg' });
  assert.deepEqual([...(series[0]?.rows.values ?? [])], [2]);
  assert.equal((await valuesIn(at.store)).length, 5);
});

test('a scan brings everything, piece by piece, while rows come and are sealed', async () => {
  await using at = await ground();
  const id = at.store.series({ a: 'b' }, 'float64');
  await append(at.store, ticks(id, 20_000));
  await at.store.seal();
  await append(at.store, ticks(id, 100, 1000, START + 20_000_000));
  const seen: number[] = [];
  for await (const { rows } of at.store.scan(ALL)) {
    seen.push(...rows.times);
    await at.store.seal();
    at.store.append(batchOf([[id, START + 500, -1]]));
  }
  assert.deepEqual(
    seen,
    [...ticks(id, 20_000), ...ticks(id, 100, 1000, START + 20_000_000)].map(([, time]) => time),
  );
});

test('the last row of a series is the latest by time, also after a restart', async () => {
  await using at = await ground();
  const [a, b] = [at.store.series({ p: 'a' }, 'float64'), at.store.series({ p: 'b' }, 'string')];
  at.store.append(
    batchOf([
      [a, START + 10, 1],
      [a, START, 2],
      [b, START, 'on', Quality.stale],
    ]),
  );
  const check = (store: SeriesStore) =>
    assert.deepEqual(
      store.last([]).map(({ series, time, value, quality }) => [series.labels['p'], time, value, quality]),
      [
        ['a', START + 10, 1, 192],
        ['b', START, 'on', 68],
      ],
    );
  check(at.store);
  await at.store.sync();
  check(await at.crash());
  await at.store.seal();
  check(await at.reopen());
  at.store.append(batchOf([[a, START + 5, 3]]));
  check(await at.reopen());
});

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

test('old rows go and their minutes stay, then these go too, and the series with them', async () => {
  await using at = await ground({ retention: { rawFor: DAY_MS, minuteFor: 10 * DAY_MS, hourFor: 10 * DAY_MS } });
  const id = at.store.series({ a: 'b' }, 'float64');
  await append(
    at.store,
    ticks(id, 7200).map(([series, time, row]) => [series, time, Math.sin(Number(row)) + Number(row)]),
  );
  await at.store.seal();
  const before = at.store.stats().bytes;
  await at.clock.advance(3 * DAY_MS);
  await at.store.maintain();
  assert.deepEqual(await valuesIn(at.store), []);
  const { series } = await at.store.query({ ...ALL, step: 60_000, aggregate: 'last' });
  assert.deepEqual([series[0]?.rows.length, series[0]?.rows.values[1]], [120, Math.sin(119) + 119]);
  assert.ok(at.store.stats().bytes < before);
  at.store.append(batchOf([[id, at.clock.now(), 7]]));
  await at.store.seal();
  await at.clock.advance(20 * DAY_MS);
  await at.store.maintain();
  assert.deepEqual([chunkFiles(at), await valuesIn(at.store)], [[], []]);
});

test('a tier goes when its time has come, and the coarser one stays', async () => {
  await using at = await ground({ retention: { rawFor: 0, minuteFor: 2 * DAY_MS } });
  const id = at.store.series({ a: 'b' }, 'float64');
  await append(at.store, ticks(id, 7200));
  await at.store.seal();
  const lengths = async () => {
    const steps = [1000, 60_000, HOUR_MS].map((step) =>
      at.store.query({ ...ALL, to: START + DAY_MS, step, aggregate: 'avg' }),
    );
    return (await Promise.all(steps)).map(({ series }) => series[0]?.rows.length ?? 0);
  };
  assert.deepEqual(await lengths(), [7200, 120, 2]);
  await at.clock.advance(HOUR_MS);
  await at.store.maintain();
  assert.deepEqual(await lengths(), [0, 120, 2]);
  await at.clock.advance(3 * DAY_MS);
  await at.store.maintain();
  assert.deepEqual(await lengths(), [0, 0, 2]);
});

test('a series whose rows are all gone is forgotten; who has its number may go on with it', async () => {
  await using at = await ground({
    retention: { rawFor: DAY_MS, minuteFor: DAY_MS, hourFor: DAY_MS },
    limits: { series: 2 },
  });
  const [a, b] = ['a', 'b'].map((p) => at.store.series({ p }, 'float64'));
  await append(at.store, [
    [a ?? 0, at.clock.now(), 1],
    [b ?? 0, at.clock.now(), 1],
  ]);
  assert.throws(() => at.store.series({ p: 'c' }, 'float64'), /more than 2 series/);
  await at.clock.advance(5 * DAY_MS);
  await append(at.store, [[b ?? 0, at.clock.now(), 2]]);
  await at.store.seal();
  await at.store.maintain();
  assert.deepEqual(
    at.store.seriesOf([]).map(({ labels }) => labels['p']),
    ['b'],
  );
  await append(at.store, [[a ?? 0, at.clock.now(), 3]]);
  const store = await at.crash();
  assert.deepEqual(
    store.last([]).map(({ series, value }) => [series.labels['p'], value]),
    [
      ['a', 3],
      ['b', 2],
    ],
  );
});

test('the oldest partitions make room for the newest', async () => {
  await using at = await ground({ retention: { maxBytes: 60_000 }, limits: { aheadMs: 99 * DAY_MS } });
  const id = at.store.series({ a: 'b' }, 'float64');
  for (let day = 0; day < 6; day++)
    await append(
      at.store,
      Array.from({ length: 3000 }, (_, row) => [id, START + day * DAY_MS + row * 1000, Math.random()]),
    );
  await at.store.seal();
  await at.store.maintain();
  assert.deepEqual(chunkFiles(at).slice(-1), ['2026-01-06T00.db']);
  assert.ok(at.store.stats().bytes <= 60_000);
});

test('a partition that has grown to its bound is followed by another from the next hour on', async () => {
  await using at = await ground({ limits: { partitionBytes: 50_000 } });
  const id = at.store.series({ a: 'b' }, 'float64');
  const noise = (hour: number): Row[] =>
    Array.from({ length: 7000 }, (_, row) => [id, START + hour * HOUR_MS + row * 500, Math.random()]);
  for (const hour of [0, 1, 3]) {
    await append(at.store, noise(hour));
    await at.store.seal();
  }
  assert.deepEqual(chunkFiles(at), ['2026-01-01T00.db', '2026-01-01T01.db', '2026-01-01T02.db', '2026-01-01T04.db']);
  assert.equal((await valuesIn(at.store)).length, 21_000);
});

test('only so many partitions are open, however many a query and a sealing touch', async () => {
  await using at = await ground({ limits: { openPartitions: 2, aheadMs: 99 * DAY_MS } });
  const id = at.store.series({ a: 'b' }, 'float64');
  await append(at.store, ticks(id, 10, DAY_MS));
  await at.store.seal();
  assert.deepEqual(
    await valuesIn(at.store),
    Array.from({ length: 10 }, (_, day) => day),
  );
  assert.deepEqual([at.store.stats().partitions, at.store.stats().openPartitions], [10, 2]);
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
