import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeParquet } from '../../outlets/parquet.ts';
import { rowsOf } from '../../outlets/testing/rows.ts';
import { Tally } from '../../outlets/values.ts';
import type { SeriesResult, SeriesStore } from '../../store/index.ts';
import { runSql, SqlQueryError } from './run-sql.ts';

const T = Date.UTC(2026, 0, 1);

const ALL: readonly SeriesResult[] = [
  rowsOf({ device: 'a', property: 'load' }, 'float64', [
    [T, 1],
    [T + 60_000, 3],
  ]),
  rowsOf({ device: 'b', property: 'load', time: 'odd' }, 'float64', [[T + 0.5, 10]]),
  rowsOf({ device: 'a', property: 'mode' }, 'string', [[T, 'on']]),
  rowsOf({ Device: 'c', property: 'count' }, 'int64', [[T, 2n ** 53n + 1n]]),
].map(({ labels, type, rows }, id) => ({ series: { id, labels, type }, rows }));

const store: Pick<SeriesStore, 'scan' | 'seriesOf'> = {
  seriesOf: () => ALL.map(({ series }) => series),
  scan: async function* () {
    yield* ALL;
  },
};

const EVERYTHING = [{ queries: [[]], accepts: () => true }];

const runner = { program: join(import.meta.dirname, 'bin.ts'), execArgv: ['--conditions=source'] };

async function check(sql: string, expected: readonly (readonly unknown[])[], maxRows?: number): Promise<boolean> {
  const signal = new AbortController().signal;
  const limit = maxRows === undefined ? {} : { maxRows };
  const { rows, isCut } = await runSql(
    store,
    { sql, selections: EVERYTHING, from: 0, to: T * 2, signal, ...limit },
    runner,
  );
  assert.deepEqual(rows, expected);
  return isCut;
}

const refuses = (sql: string, words: RegExp) =>
  assert.rejects(check(sql, []), (error) => {
    assert.ok(error instanceof SqlQueryError);
    assert.match(error.message, words);
    return true;
  });

test('series are a table with a column for each label', async () => {
  await check(
    'SELECT device, property, label_time, count(*)::INTEGER, avg(value), max(text) FROM samples WHERE device IS NOT NULL GROUP BY ALL ORDER BY ALL',
    [
      ['a', 'load', null, 2, 2, null],
      ['a', 'mode', null, 1, null, 'on'],
      ['b', 'load', 'odd', 1, 10, null],
    ],
  );
});

test('labels that differ in case have columns of their own, and integers keep all digits as text', async () => {
  await check(`SELECT "label_Device", device, value, text FROM samples WHERE property = 'count'`, [
    ['c', null, 9_007_199_254_740_992, '9007199254740993'],
  ]);
});

test('an answer that is too large is refused by its process', () =>
  refuses(`SELECT repeat('x', 20000000)`, /more than \d+ bytes/));

test('times are timestamps, to the microsecond', async () => {
  await check(`SELECT time, time_bucket(INTERVAL '1 minute', time) FROM samples WHERE device = 'b'`, [
    ['2026-01-01 00:00:00.0005', '2026-01-01 00:00:00'],
  ]);
});

test('a result has no more rows than were asked for, and says that it was cut', async () => {
  assert.equal(await check('SELECT i FROM range(5) t(i)', [['0'], ['1']], 2), true);
});

test('a wrong query is told in the words of the database', () => refuses('SELECT nothing FROM samples', /nothing/));

test('a query reaches neither files nor settings of the machine', async () => {
  await refuses(`SELECT * FROM read_text('/etc/passwd')`, /disabled|Permission/i);
  await refuses(`SELECT * FROM glob('/etc/*')`, /disabled|Permission/i);
});

test('a query is one SELECT', async () => {
  for (const sql of [
    `COPY samples TO '/tmp/skerry-escape.csv'`,
    'SET enable_external_access = true',
    'INSTALL httpfs',
    `ATTACH '/tmp/skerry-escape.db'`,
    'SELECT 1; SELECT 2',
  ])
    await refuses(sql, /one SELECT|disabled|Permission/);
});

test('files that were exported are tables by their directory, and nothing else on disk is', async () => {
  const root = mkdtempSync(join(tmpdir(), 'skerry-sql-'));
  try {
    const [folder, outside] = [join(root, 'exports'), join(root, 'outside.parquet')];
    const press = join(folder, 'training', 'press');
    mkdirSync(press, { recursive: true });
    const [load, , mode] = ALL.map(({ series, rows }) => ({ ...series, rows }));
    for (const [name, rows] of [
      ['1', load],
      ['2', mode],
      ["it's", load],
    ] as const)
      if (rows !== undefined) writeFileSync(join(press, `${name}.parquet`), encodeParquet([rows], new Tally()));
    copyFileSync(join(press, '1.parquet'), outside);
    symlinkSync(outside, join(press, 'link.parquet'));
    const ask = async (sql: string) => {
      const { signal } = new AbortController();
      const query = { sql, selections: EVERYTHING, from: 0, to: T * 2, signal };
      return (await runSql(store, query, { ...runner, exports: folder })).rows;
    };
    assert.deepEqual(
      await ask('SELECT property, count(*)::INTEGER, max(value) FROM exports."training/press" GROUP BY ALL ORDER BY 1'),
      [
        ['load', 4, 3],
        ['mode', 1, null],
      ],
    );
    assert.deepEqual(
      await ask('SELECT count(*)::INTEGER FROM samples JOIN exports."training/press" AS e USING (device, time)'),
      [[8]],
    );
    const file = join(press, '1.parquet');
    for (const sql of [
      `SELECT * FROM read_parquet('${outside}')`,
      `SELECT * FROM read_parquet('${join(press, 'link.parquet')}'), exports."training/press"`,
      `COPY (SELECT * FROM exports."training/press") TO '${file}' (USE_TMP_FILE false)`,
      `EXPLAIN ANALYZE COPY (SELECT * FROM exports."training/press") TO '${file}' (USE_TMP_FILE false)`,
      'SELECT * FROM exports."training"',
    ])
      await assert.rejects(ask(sql), SqlQueryError, sql);
    assert.equal(readdirSync(press).length, 4);
    assert.deepEqual(readFileSync(file), readFileSync(outside));
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('a query that takes too much memory ends, and nothing else does', () =>
  refuses('SELECT list(a.i || b.i) FROM range(100000000) a(i), range(100000000) b(i)', /memory|ended/i));

test('a query is given up with whoever asks', async () => {
  const asking = new AbortController();
  const sql = 'SELECT count(*) FROM range(10000000000) a(i), range(1000) b(i) WHERE hash(a.i) = b.i';
  const running = runSql(store, { sql, selections: EVERYTHING, from: 0, to: 1, signal: asking.signal }, runner);
  setImmediate(() => asking.abort());
  await assert.rejects(running, SqlQueryError);
});
