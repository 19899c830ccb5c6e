import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replay } from './rule/run-test.ts';
import { openFlow, prepared, type QuerySettings, STREAM } from './testing/run-query.ts';

interface Given {
  readonly ts: number;
  readonly [field: string]: unknown;
}

interface Expected {
  readonly results: readonly object[];
  readonly late?: readonly object[];
  readonly dropped?: Readonly<Record<string, number>>;
  readonly errors?: number;
}

/** What a statement makes of rows of `demo`. */
function check(
  sql: string,
  rows: readonly Given[],
  expected: Expected | readonly object[],
  settings: QuerySettings = {},
): void {
  const { results, late = [], dropped = {}, errors = 0 } = 'results' in expected ? expected : { results: expected };
  const outcome = replay(
    prepared(sql, settings),
    rows.map((row) => ({ stream: 'demo', at: row.ts, row })),
  );
  assert.deepEqual(
    {
      results: shown(outcome.results),
      late: outcome.late,
      dropped: Object.fromEntries(outcome.dropped),
      errors: outcome.errors.length,
    },
    { results, late, dropped, errors },
  );
}

/** What is NULL is left out, as in JSON. */
const shown = (rows: readonly object[]): unknown => JSON.parse(JSON.stringify(rows));

const at = (ts: number, more: object = {}): Given => ({ ts, ...more });
const seconds = (...times: readonly number[]) => times.map((time) => at(time * 1000, { v: time }));
const vs = (...values: readonly number[]) => values.map((v) => ({ v }));

// ——— tumbling ———

test('a tumbling window gives out what came in its time, at its end', () =>
  check('SELECT count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)', seconds(1, 5, 9, 10, 12, 31), [
    { c: 3 },
    { c: 2 },
    { c: 1 },
  ]));

test('it begins at whole multiples of its length, and its end is not in it', () =>
  check(
    'SELECT window_start() AS s, window_end() AS e, count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)',
    seconds(13, 19.999, 20),
    [
      { s: 10_000, e: 20_000, c: 2 },
      { s: 20_000, e: 30_000, c: 1 },
    ],
  ));

test('each group has its own result, in the order in which the groups came', () =>
  check(
    'SELECT id, sum(v) AS s FROM demo GROUP BY id, TUMBLINGWINDOW(ss, 10)',
    [at(1, { id: 'b', v: 1 }), at(2, { id: 'a', v: 2 }), at(3, { id: 'b', v: 3 })],
    [
      { id: 'b', s: 4 },
      { id: 'a', s: 2 },
    ],
  ));

test('without aggregates, all its rows are given out', () =>
  check('SELECT v FROM demo WHERE v > 1 GROUP BY TUMBLINGWINDOW(ss, 2)', seconds(0, 1, 2, 3, 4), vs(2, 3, 4)));

test('order and limit are those of one window', () =>
  check(
    'SELECT v FROM demo GROUP BY TUMBLINGWINDOW(ss, 4) ORDER BY v DESC LIMIT 2',
    seconds(0, 1, 2, 3, 4, 5),
    vs(3, 2, 5, 4),
  ));

test('a condition on groups refuses some of them', () =>
  check(
    'SELECT id, count(*) AS c FROM demo GROUP BY id, TUMBLINGWINDOW(ss, 10) HAVING count(*) > 1',
    [at(1, { id: 'a' }), at(2, { id: 'b' }), at(3, { id: 'a' })],
    [{ id: 'a', c: 2 }],
  ));

test('FILTER in the window keeps rows out of it; FILTER at an aggregate only out of that', () =>
  check(
    'SELECT count(*) AS c, count(*) FILTER (WHERE v > 3) AS high FROM demo GROUP BY TUMBLINGWINDOW(ss, 10) FILTER (WHERE v > 1)',
    seconds(0, 1, 2, 3, 4, 5),
    [{ c: 4, high: 2 }],
  ));

// ——— hopping ———

test('a hopping window overlaps those before it', () =>
  check('SELECT count(*) AS c, window_end() AS e FROM demo GROUP BY HOPPINGWINDOW(ss, 10, 5)', seconds(1, 6, 11), [
    { c: 1, e: 5000 },
    { c: 2, e: 10_000 },
    { c: 2, e: 15_000 },
    { c: 1, e: 20_000 },
  ]));

test('a window longer than a multiple of its interval is exact too', () =>
  check('SELECT sum(v) AS s FROM demo GROUP BY HOPPINGWINDOW(ss, 5, 2)', seconds(0, 1, 2, 3, 4, 5), [
    { s: 1 },
    { s: 6 },
    { s: 15 },
    { s: 12 },
    { s: 5 },
  ]));

// ——— sliding ———

test('a sliding window gives out at each row what was there before it', () =>
  check('SELECT count(*) AS c FROM demo GROUP BY SLIDINGWINDOW(ss, 2)', seconds(0, 1, 2, 3, 10), [
    { c: 1 },
    { c: 2 },
    { c: 2 },
    { c: 2 },
    { c: 1 },
  ]));

test('with a condition, only rows that meet it give something out', () =>
  check('SELECT count(*) AS c FROM demo GROUP BY SLIDINGWINDOW(ss, 10) OVER (WHEN v = 3)', seconds(0, 1, 2, 3, 4), [
    { c: 4 },
  ]));

test('with a delay, what comes after the row is in it too', () =>
  check('SELECT sum(v) AS s FROM demo GROUP BY SLIDINGWINDOW(ss, 1, 2) OVER (WHEN v = 3)', seconds(1, 2, 3, 4, 5, 6), [
    { s: 12 },
  ]));

test('long sliding windows, whose rows are in many blocks, are exact', () => {
  const rows = Array.from({ length: 500 }, (_, index) => at(index, { v: index }));
  check('SELECT sum(v) AS s, count(*) AS c FROM demo GROUP BY SLIDINGWINDOW(ms, 300) OVER (WHEN v = 499)', rows, [
    { s: (300 * (200 + 499)) / 2, c: 300 },
  ]);
});

// ——— session ———

test('a session ends with a pause', () =>
  check('SELECT count(*) AS c FROM demo GROUP BY SESSIONWINDOW(ss, 100, 2)', seconds(0, 1, 2.5, 6, 7), [
    { c: 3 },
    { c: 2 },
  ]));

test('a session ends when it is as long as it may be', () =>
  check('SELECT count(*) AS c FROM demo GROUP BY SESSIONWINDOW(ss, 3, 2)', seconds(0, 1, 2, 3, 4), [
    { c: 3 },
    { c: 2 },
  ]));

// ——— count ———

test('a count window gives out so many rows', () =>
  check('SELECT sum(v) AS s FROM demo GROUP BY COUNTWINDOW(3)', seconds(0, 1, 2, 3, 4, 5, 6), [{ s: 3 }, { s: 12 }]));

test('with an interval, the last so many rows each time that so many have come, once there are enough', () =>
  check('SELECT sum(v) AS s, count(*) AS c FROM demo GROUP BY COUNTWINDOW(5, 2)', seconds(1, 2, 3, 4, 5, 6, 7, 8), [
    { s: 20, c: 5 },
    { s: 30, c: 5 },
  ]));

test('rows that WHERE refuses count for the window, and are not in its result', () =>
  check('SELECT v FROM demo WHERE v > 1 GROUP BY COUNTWINDOW(3)', seconds(0, 1, 2, 3, 4, 5), vs(2, 3, 4, 5)));

test('rows that FILTER refuses do not count', () =>
  check('SELECT v FROM demo GROUP BY COUNTWINDOW(2) FILTER (WHERE v > 1)', seconds(0, 1, 2, 3, 4), vs(2, 3)));

// ——— state ———

test('a state window begins with one row and ends with another', () =>
  check('SELECT v FROM demo GROUP BY STATEWINDOW(v = 2, v = 4)', seconds(0, 1, 2, 3, 4, 5), vs(2, 3, 4)));

test('windows by partition know nothing of each other', () =>
  check(
    'SELECT id, count(*) AS c FROM demo GROUP BY COUNTWINDOW(2) OVER (PARTITION BY id)',
    [at(1, { id: 'a' }), at(2, { id: 'b' }), at(3, { id: 'a' }), at(4, { id: 'b' })],
    [
      { id: 'a', c: 2 },
      { id: 'b', c: 2 },
    ],
  ));

// ——— event time ———

const PATIENT = { streams: { demo: { ...STREAM, watermark: { outOfOrder: '3s' } } } };

test('rows that are late within the tolerance are where they belong', () =>
  check(
    'SELECT count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 5)',
    seconds(1, 6, 4, 3, 9),
    [{ c: 3 }, { c: 2 }],
    PATIENT,
  ));

test('rows that come later than that are late, and go to the side', () =>
  check(
    'SELECT count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 5)',
    seconds(1, 6, 9, 2),
    { results: [{ c: 1 }, { c: 2 }], late: [{ ts: 2000, v: 2 }] },
    PATIENT,
  ));

test('analytic functions see rows in the order of their times', () =>
  check(
    'SELECT v, lag(v) AS before FROM demo',
    seconds(1, 3, 2, 7),
    [{ v: 1 }, { v: 2, before: 1 }, { v: 3, before: 2 }, { v: 7, before: 3 }],
    PATIENT,
  ));

test('without windows, no row is late', () => check('SELECT v FROM demo', seconds(5, 1), vs(5, 1)));

// ——— bounds ———

test('further groups than there may be are dropped and counted', () =>
  check(
    'SELECT id FROM demo GROUP BY id, TUMBLINGWINDOW(ss, 10)',
    [at(1, { id: 'a' }), at(2, { id: 'b' }), at(3, { id: 'c' }), at(11_000, { id: 'd' })],
    { results: [{ id: 'a' }, { id: 'b' }, { id: 'd' }], dropped: { TooManyKeys: 1 } },
    { options: { maxKeys: 2 } },
  ));

test('further rows than a window may hold are dropped and counted', () =>
  check(
    'SELECT v FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)',
    seconds(1, 2, 3, 11),
    { results: vs(1, 2, 11), dropped: { WindowFull: 1 } },
    { options: { maxWindowRows: 2 } },
  ));

test('a row that an expression cannot work on is counted, and the others go on', () =>
  check('SELECT v * 2 AS w FROM demo', [at(1, { v: 1 }), at(2, { v: 'x' }), at(3, { v: 3 })], {
    results: [{ w: 2 }, { w: 6 }],
    errors: 1,
  }));

// ——— rules in rules ———

test('windows on the results of windows hold those of their own time', () =>
  check(
    'WITH m AS (SELECT id, avg(v) AS a FROM demo GROUP BY id, TUMBLINGWINDOW(ss, 4)) SELECT max(a) AS top, count(*) AS c FROM m GROUP BY TUMBLINGWINDOW(ss, 8)',
    [0, 1, 2, 3, 4, 5, 6, 7, 8].map((v) => at(v * 1000, { v, id: v % 2 })),
    [
      { top: 6, c: 4 },
      { top: 8, c: 1 },
    ],
  ));

test('a window on what merely passes through another query is given out as time passes', () => {
  const open = openFlow(
    prepared(
      'WITH high AS (SELECT v FROM demo WHERE v > 1) SELECT count(*) AS c FROM high GROUP BY TUMBLINGWINDOW(ss, 5)',
    ),
  );
  for (const second of [1, 2, 3, 6]) open.flow.offer('demo', { v: second }, second * 1000);
  assert.deepEqual(open.results, [{ c: 2 }]);
});

// ——— joins ———

const TWO = { streams: { demo: STREAM, other: STREAM } };

function checkJoin(sql: string, rows: readonly (Given & { readonly of: string })[], expected: readonly object[]): void {
  const given = rows.map(({ of, ...row }) => ({ stream: of, at: row.ts, row }));
  assert.deepEqual(shown(replay(prepared(sql, TWO), given).results), expected);
}

test('streams are joined within a window', () =>
  checkJoin(
    'SELECT demo.id, a, b FROM demo INNER JOIN other ON demo.id = other.id GROUP BY TUMBLINGWINDOW(ss, 10)',
    [
      { of: 'demo', ts: 1, id: 1, a: 'x' },
      { of: 'demo', ts: 2, id: 2, a: 'y' },
      { of: 'other', ts: 3, id: 1, b: 'z' },
      { of: 'other', ts: 11_000, id: 2, b: 'w' },
    ],
    [{ id: 1, a: 'x', b: 'z' }],
  ));

test('a left join keeps rows without a partner', () =>
  checkJoin(
    'SELECT demo.id, b FROM demo LEFT JOIN other ON demo.id = other.id GROUP BY TUMBLINGWINDOW(ss, 10)',
    [
      { of: 'demo', ts: 1, id: 1 },
      { of: 'demo', ts: 2, id: 2 },
      { of: 'other', ts: 3, id: 1, b: 'z' },
    ],
    [{ id: 1, b: 'z' }, { id: 2 }],
  ));

test('rows of several streams meet in the order of their times, whichever came first', () =>
  checkJoin(
    'SELECT count(*) AS c FROM demo INNER JOIN other ON demo.id = other.id GROUP BY TUMBLINGWINDOW(ss, 10)',
    [
      { of: 'demo', ts: 1000, id: 1 },
      { of: 'demo', ts: 12_000, id: 1 },
      { of: 'other', ts: 5000, id: 1 },
      { of: 'other', ts: 13_000, id: 1 },
    ],
    [{ c: 1 }, { c: 1 }],
  ));
