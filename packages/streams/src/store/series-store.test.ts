import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Boxed, Quality } from '../contract/index.ts';
import type { Matcher, SeriesStore, StoredType } from './contract.ts';
import { ALL, append, batchOf, ground, START, ticks, valuesIn, valuesOf } from './testing/store-ground.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

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

test('a range that begins within the step of a tier, before its first row, has all of its rows', async () => {
  await using at = await ground();
  const id = at.store.series({ property: 'p' }, 'float64');
  const rows = Array.from({ length: 1000 }, (_, row) => [id, START + 600_000 + row * 1000, row] as const);
  at.store.append(batchOf(rows));
  await at.store.seal();
  for (const from of [START, START + 1000, START + 599_000]) {
    const range = { matchers: [], from, to: START + 86_400_000 };
    const { series } = await at.store.query({ ...range, step: 86_400_000, aggregate: 'count' });
    assert.deepEqual(
      series.map((each) => [...each.rows.values]),
      [[1000]],
    );
  }
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
