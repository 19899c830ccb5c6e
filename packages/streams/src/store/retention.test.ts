import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ALL,
  append,
  batchOf,
  chunkFiles,
  type Ground,
  ground,
  type Row,
  START,
  ticks,
  valuesIn,
} from './testing/store-ground.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

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

/** Rows, seconds, minutes and hours that are there of a series. */
async function lengthsOf({ store }: Ground, p: string): Promise<readonly number[]> {
  const matchers = [{ label: 'p', op: '=', value: p }] as const;
  const rows = await store.query({ ...ALL, matchers });
  const steps = [1000, 60_000, HOUR_MS].map((step) => store.query({ ...ALL, matchers, step, aggregate: 'count' }));
  return [rows, ...(await Promise.all(steps))].map(({ series }) => series[0]?.rows.length ?? 0);
}

test('each series is kept as its own plan says, others as that of the store', async () => {
  await using at = await ground();
  const never = { rawFor: 0, secondFor: 0, minuteFor: 0, hourFor: 0 };
  const minutes = { rawFor: 1.5 * DAY_MS, minuteFor: 10 * DAY_MS, hourFor: 20 * DAY_MS };
  const own = new Map([
    ['never', never],
    ['minutes', minutes],
  ]);
  at.store.setRetention({}, ({ p = '' }) => own.get(p));
  for (const p of ['never', 'minutes', 'ever']) await append(at.store, ticks(at.store.series({ p }, 'float64'), 7200));
  await at.store.seal();
  const state = async () => await Promise.all(['never', 'minutes', 'ever'].map((p) => lengthsOf(at, p)));
  const [none, whole] = [
    [0, 0, 0, 0],
    [7200, 7200, 120, 2],
  ];
  for (const [day, expected] of [
    [1, [none, whole, whole]],
    [2, [none, [0, 0, 120, 2], whole]],
    [11, [none, [0, 0, 0, 2], whole]],
    [21, [none, none, whole]],
  ] as const) {
    await at.clock.advance(START + DAY_MS + day * DAY_MS - at.clock.now());
    await at.store.maintain();
    assert.deepEqual(await state(), expected, `on day ${day}`);
    await at.reopen();
    at.store.setRetention({}, ({ p = '' }) => own.get(p));
  }
  await at.store.maintain();
  assert.deepEqual(
    at.store.seriesOf([]).map(({ labels }) => labels['p']),
    ['ever'],
  );
});

test('a partition takes late rows of series whose rows it has, and none of others', async () => {
  await using at = await ground();
  const short = { rawFor: 0, secondFor: 0 };
  at.store.setRetention({}, ({ p }) => (p === 'short' ? short : undefined));
  const [brief, long] = ['short', 'long'].map((p) => at.store.series({ p }, 'float64'));
  await append(at.store, [...ticks(brief ?? 0, 7200), ...ticks(long ?? 0, 7200)]);
  await at.store.seal();
  await at.clock.advance(DAY_MS);
  await at.store.maintain();
  for (const id of [brief, long]) await append(at.store, [[id ?? 0, START + 500, -1]]);
  await at.store.seal();
  assert.equal(at.store.stats().tooOld, 1);
  const [[, , , hours = 0] = [], [rows = 0] = []] = await Promise.all(['short', 'long'].map((p) => lengthsOf(at, p)));
  assert.deepEqual([hours, rows], [2, 7201]);
});

test('a series that is kept takes its backlog into a time of which others have no rows any more', async () => {
  await using at = await ground();
  at.store.setRetention({}, ({ p }) => (p === 'short' ? { rawFor: 0, secondFor: 0 } : undefined));
  await append(at.store, ticks(at.store.series({ p: 'short' }, 'float64'), 7200));
  await at.store.seal();
  await at.clock.advance(DAY_MS);
  await at.store.maintain();
  await append(at.store, ticks(at.store.series({ p: 'long' }, 'float64'), 7200));
  await at.store.seal();
  assert.equal(at.store.stats().tooOld, 0);
  assert.deepEqual(await lengthsOf(at, 'long'), [7200, 7200, 120, 2]);
});

test('series with the same plan share its bound, and the oldest of them go first', async () => {
  await using at = await ground({ limits: { aheadMs: 99 * DAY_MS } });
  const bounded = { maxBytes: 60_000 };
  at.store.setRetention({}, ({ p }) => (p === 'free' ? undefined : bounded));
  const ids = ['a', 'b', 'free'].map((p) => at.store.series({ p }, 'float64'));
  for (let day = 0; day < 6; day++)
    for (const id of ids)
      await append(
        at.store,
        Array.from({ length: 1500 }, (_, row) => [id, START + day * DAY_MS + row * 1000, Math.random()]),
      );
  await at.store.seal();
  await at.store.maintain();
  const days = async (p: string) => {
    const matchers = [{ label: 'p', op: '=', value: p }] as const;
    const { series } = await at.store.query({ ...ALL, matchers, step: DAY_MS, aggregate: 'count' });
    return [...(series[0]?.rows.times ?? [])].map((time) => (time - START) / DAY_MS);
  };
  const [a, b, free] = await Promise.all(['a', 'b', 'free'].map(days));
  assert.deepEqual([free, a], [[0, 1, 2, 3, 4, 5], b]);
  assert.ok(a !== undefined && a.length > 0 && a.length < 6, String(a));
  assert.equal(a.at(-1), 5);
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
