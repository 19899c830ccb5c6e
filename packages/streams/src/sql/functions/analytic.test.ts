import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeOf, planOf, runRows } from '../testing/statements.ts';
import type { Row, Value } from '../value.ts';
import { FUNCTIONS } from './index.ts';

const tried = new Set<string>();

/** What the expression gives row by row, also when its state is saved and loaded before each row. */
function check(expression: string, rows: readonly Row[], expected: readonly Value[]): void {
  for (const [, name] of expression.matchAll(/([a-z_]+)\(/g)) tried.add(name ?? '');
  const text = `SELECT ${expression} AS v FROM demo`;
  assert.deepEqual(
    runRows(text, rows).map(({ v }) => v),
    expected,
    expression,
  );
  assert.deepEqual(
    runRows(text, rows, true).map(({ v }) => v),
    expected,
    `${expression}, reloaded`,
  );
}

/** The rows of a whole statement as JSON has them, where NULL is left out; also when state is saved and loaded before each row. */
function checkRows(text: string, rows: readonly Row[], expected: readonly Row[]): void {
  for (const [, name] of text.toLowerCase().matchAll(/([a-z_]+)\(/g)) tried.add(name ?? '');
  for (const isReloaded of [false, true]) {
    assert.deepEqual(JSON.parse(JSON.stringify(runRows(text, rows, isReloaded))), expected, text);
  }
}

const A = (...values: readonly Value[]): Row[] => values.map((a) => ({ a }));

test('lag looks back', () => {
  check('lag(a)', A(1, 2, 3), [undefined, 1, 2]);
  check('lag(a, 2)', A(1, 2, 3, 4), [undefined, undefined, 1, 2]);
  check('lag(a, 1, 9)', A(1, 2), [9, 1]);
  check('lag(a, 1, 9, true)', A(1, null, 3), [9, 1, 1]);
  check('lag(a, 0)', A(1, 2), [1, 2]);
  check(
    'lag(a) over (partition by k)',
    [
      { k: 1, a: 1 },
      { k: 2, a: 2 },
      { k: 1, a: 3 },
    ],
    [undefined, undefined, 1],
  );
});

test('the duration of a status is the time since it last changed', () => {
  const rows = [
    { ts: 10, s: 1 },
    { ts: 20, s: 1 },
    { ts: 30, s: 2 },
    { ts: 45, s: 1 },
  ];
  check('ts - lag(ts, 1, ts, true) over (when had_changed(true, s))', rows, [0, 10, 20, 15]);
});

test('latest is the last that was not NULL', () => {
  check('latest(a)', A(null, 1, null, 2), [undefined, 1, 1, 2]);
  check('latest(a, 7)', A(null, 1, null), [7, 1, 1]);
  check('latest(a) over (when a > 1)', A(1, 2, 1), [undefined, 2, 2]);
});

const CLIMATE: readonly Row[] = [
  { ts: 1, temperature: 23, humidity: 88 },
  { ts: 2, temperature: 23, humidity: 88 },
  { ts: 3, temperature: 23, humidity: 88 },
  { ts: 4, temperature: 25, humidity: 88 },
  { ts: 5, temperature: 25, humidity: 90 },
  { ts: 6, temperature: 25, humidity: 91 },
  { ts: 7, temperature: 25, humidity: 91 },
];

test('changes of columns are given or filtered by', () => {
  checkRows('SELECT CHANGED_COLS("", true, temperature) FROM demo', CLIMATE, [
    { temperature: 23 },
    {},
    {},
    { temperature: 25 },
    {},
    {},
    {},
  ]);
  checkRows('SELECT CHANGED_COLS("c_", true, temperature, humidity) FROM demo', CLIMATE, [
    { c_temperature: 23, c_humidity: 88 },
    {},
    {},
    { c_temperature: 25 },
    { c_humidity: 90 },
    { c_humidity: 91 },
    {},
  ]);
  checkRows('SELECT CHANGED_COLS("c_", false, *) FROM demo', CLIMATE.slice(0, 2), [
    { c_ts: 1, c_temperature: 23, c_humidity: 88 },
    { c_ts: 2 },
  ]);
  checkRows('SELECT ts, CHANGED_COLS("", true, humidity + 1) FROM demo', CLIMATE.slice(3, 5), [
    { ts: 4, 'humidity + 1': 89 },
    { ts: 5, 'humidity + 1': 91 },
  ]);
  checkRows('SELECT ts FROM demo WHERE HAD_CHANGED(true, temperature, humidity) = true', CLIMATE, [
    { ts: 1 },
    { ts: 4 },
    { ts: 5 },
    { ts: 6 },
  ]);
  checkRows(
    'SELECT ts FROM demo WHERE HAD_CHANGED(true, temperature) = true AND HAD_CHANGED(true, humidity) = false',
    CLIMATE,
    [{ ts: 4 }],
  );
  checkRows(
    'SELECT CHANGED_COL(true, temperature) AS myTemp, CHANGED_COL(true, humidity) AS myHum FROM demo',
    CLIMATE.slice(2, 5),
    [{ myTemp: 23, myHum: 88 }, { myTemp: 25 }, { myHum: 90 }],
  );
  checkRows('SELECT ts FROM demo WHERE CHANGED_COL(true, temperature) > 24', CLIMATE, [{ ts: 4 }]);
});

test('NULL is a change unless it is ignored', () => {
  check('had_changed(false, a)', A(1, null, 1), [true, true, true]);
  check('had_changed(true, a)', A(1, null, 1, 2), [true, false, false, true]);
  check('changed_col(false, a)', A(1, null, 1), [1, undefined, 1]);
  check('had_changed(true, *)', [{ a: 1, b: 1 }, { a: 1 }, { a: 1, b: 1 }, { a: 2 }], [true, false, false, true]);
  check('had_changed(false, *)', [{ a: 1 }, { a: 1 }, { a: 1, b: 2 }], [true, false, true]);
});

test('what accumulates accumulates over all rows', () => {
  check('acc_sum(a)', A(1, 2, null, 3), [1, 3, 3, 6]);
  check('acc_max(a)', A(1, 3, 2), [1, 3, 3]);
  check('acc_min(a)', A(2, 3, 1), [2, 2, 1]);
  check('acc_count(a)', A(1, null, 'x'), [1, 1, 2]);
  check('acc_avg(a)', A(1, 2, 3), [1, 1.5, 2]);
  check('acc_avg(a)', A(null), [undefined]);
  check(
    'acc_sum(a) over (partition by k when a > 0)',
    [
      { k: 'x', a: 1 },
      { k: 'y', a: 5 },
      { k: 'x', a: -3 },
      { k: 'x', a: 2 },
    ],
    [1, 5, 1, 3],
  );
});

test('changes to a value are captured', () => {
  const status = (...values: readonly Value[]): Row[] => values.map((s, ts) => ({ ts, s }));
  check('change_capture(ts, s, 1, true)', status(0, 1, null, 1, 2), [undefined, 1, 1, 1, 1]);
  check('change_capture(ts, s, 2, false)', status(1, 2, null, 2), [undefined, 1, 1, 3]);
  check('change_to(s, 1, true)', status(0, 1, null, 1, 2), [false, true, false, false, false]);
  check('change_to(s, 2, false)', status(1, 2, null, 2), [false, true, false, true]);
  check('change_to(s)', status(1, 1, 2), [true, false, true]);
});

test('runs of a condition are counted', () => {
  check('consecutive_count(a = 1)', A(0, 1, 1, 1, 0, 1), [0, 1, 2, 3, 0, 1]);
  check('consecutive_count(a > 30)', A(25, 32, 35, 28), [0, 1, 2, 0]);
  check('consecutive_start(a > 30, a)', A(25, 32, 35, 28, 33), [undefined, 32, 32, undefined, 33]);
});

test('state is apart for each key, of whatever type', () => {
  check(
    'acc_count(a) over (partition by a, b)',
    [{ a: 1, b: 'x' }, { a: 1, b: 'x' }, { a: '1', b: 'x' }, { a: 1 }],
    [1, 2, 1, 1],
  );
});

test('several keys are not taken for others that read alike', () => {
  const rows = [
    { a: 'x', b: 'yz' },
    { a: 'xy', b: 'z' },
    { a: 'x', b: 'yz' },
  ];
  check('acc_count(a) over (partition by a, b)', rows, [1, 1, 2]);
});

test('the same call twice has one state', () => {
  const node = nodeOf(planOf('SELECT lag(a) AS x, lag( a ) + 1 AS y FROM demo WHERE lag(a) > 1'), 'analytic');
  assert.equal(node?.calls.length, 1);
});

test('analytic functions see what WHERE refuses', () => {
  checkRows('SELECT a, lag(a) AS before FROM demo WHERE a > 2', A(1, 2, 3, 4), [
    { a: 3, before: 2 },
    { a: 4, before: 3 },
  ]);
});

test('every analytic function has a case', () => {
  const analytic = [...FUNCTIONS.values()].filter(({ kind }) => kind === 'analytic').map(({ name }) => name);
  assert.deepEqual(
    analytic.filter((name) => !tried.has(name)),
    [],
  );
});
