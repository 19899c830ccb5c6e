import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AggregateCall } from '../plan/plan.ts';
import { RowError } from '../sql-error.ts';
import { nodeOf, planOf, runWindow, testContext } from '../testing/statements.ts';
import type { Row, Value } from '../value.ts';
import { FUNCTIONS } from './index.ts';

const WINDOW = 'GROUP BY TUMBLINGWINDOW(ss, 10)';

function callOf(expression: string): AggregateCall {
  const [call] = nodeOf(planOf(`SELECT ${expression} AS v FROM demo ${WINDOW}`), 'aggregate')?.calls ?? [];
  if (call === undefined) throw new Error(`${expression} is no aggregate`);
  return call;
}

/** What it gives for the rows at once, and when a window is put together of panes, and when each pane was saved in between. */
function check(expression: string, rows: readonly Row[], expected: Value): void {
  const call = callOf(expression);
  assert.deepEqual(call.result(aggregated(call, rows)), expected, expression);
  for (let cut = 0; cut <= rows.length; cut++) {
    const state = reloaded(call, aggregated(call, rows.slice(0, cut)));
    const later = reloaded(call, aggregated(call, rows.slice(cut)));
    const before = JSON.stringify(call.save(later));
    call.merge(state, later);
    assertNear(call.result(state), expected, `${expression} of panes cut at ${cut}`);
    assert.equal(JSON.stringify(call.save(later)), before, `${expression}: the later pane stays as it is`);
  }
}

function aggregated(call: AggregateCall, rows: readonly Row[]): object {
  const state = call.create();
  for (const row of rows) call.add(state, row, testContext());
  return state;
}

function reloaded(call: AggregateCall, state: object): object {
  return call.load(JSON.parse(JSON.stringify(call.save(state))));
}

function assertNear(actual: Value, expected: Value, message: string): void {
  if (typeof actual === 'number' && typeof expected === 'number') {
    assert.ok(Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected)), `${message}: ${actual}`);
  } else assert.deepEqual(actual, expected, message);
}

const A = (...values: readonly Value[]): Row[] => values.map((a) => ({ a }));

test('aggregates give what the reference says', () => {
  check('avg(a)', A(1, 2, null, 6), 3);
  check('avg(a)', A(null), undefined);
  check('avg(a)', [], undefined);
  check('count(*)', A(1, null, 3), 3);
  check('count(a)', A(1, null, 3), 2);
  check('count(a)', [], 0);
  check('max(a)', A(3, null, 7, 5), 7);
  check('max(a)', A('b', 'c', 'a'), 'c');
  check('min(a)', A(3, null, 7, 5), 3);
  check('min(a)', A(new Date(5), new Date(3)), new Date(3));
  check('sum(a)', A(1, null, 2.5), 3.5);
  check('sum(a)', A(null), undefined);
  check('collect(a)', A(32, null, 45), [32, null, 45]);
  check('collect(*)', A(32, 45), [{ a: 32 }, { a: 45 }]);
  check('first_value(a)', A(null, 2, 3), undefined);
  check('first_value(a, true)', A(null, 2, 3), 2);
  check('last_value(a)', A(1, 2, null), undefined);
  check('last_value(a, true)', A(1, 2, null), 2);
  check('stddev(a)', A(1, 2, 3, 4), Math.sqrt(1.25));
  check('stddevs(a)', A(1, 2, 3, 4), Math.sqrt(5 / 3));
  check('var(a)', A(1, 2, 3, 4), 1.25);
  check('vars(a)', A(1, 2, 3, 4), 5 / 3);
  check('vars(a)', [], undefined);
  check('vars(a)', A(5), undefined);
  check('var(a)', A(5), 0);
  check('percentile(a, 0.5)', A(1, 2, 3, 4), 2.5);
  check('percentile_cont(a, 0.25)', A(4, 1, 3, 2, 5), 2);
  check('percentile_disc(a, 0.5)', A(4, 1, 3, 2), 2);
  check('percentile_disc(a, 0.3)', A(4, 1, 3, 2), 2);
  check('percentile_disc(a, 0)', A(4, 1), 1);
  check('percentile(a, 1)', A(1, 10, 9), 10);
  check('percentile(a, 0)', [], undefined);
});

const OBJECTS: readonly Row[] = [
  { a: { a: 2 }, b: 2, c: 3 },
  { a: { b: 2 }, b: 5, d: 6 },
  { a: { a: 3 }, b: 8 },
];

test('merge_agg joins structs and rows', () => {
  check('merge_agg(*)', OBJECTS, { a: { a: 3 }, b: 8, c: 3, d: 6 });
  check('merge_agg(a)', OBJECTS, { a: 3, b: 2 });
  check('merge_agg(b)', OBJECTS, {});
});

test('deduplicate gives new rows, all of them or the last', () => {
  const rows = [
    { a: 32, b: 'hello' },
    { a: 45, b: 'world' },
    { a: 32, b: 'again' },
  ];
  check('deduplicate(a, true)', rows, rows.slice(0, 2));
  check('deduplicate(a, false)', rows, undefined);
  check('deduplicate(a, false)', rows.slice(0, 2), rows[1]);
});

test('a sum of bigints is exact, and an error when it does not fit', () => {
  const call = nodeOf(planOf(`SELECT sum(i) AS v FROM s ${WINDOW}`), 'aggregate')?.calls[0];
  assert.ok(call !== undefined);
  assert.equal(call.result(aggregated(call, [{ i: 2 ** 53 - 1 }, { i: 2 }])), 2n ** 53n + 1n);
  assert.throws(() => aggregated(call, [{ i: 2n ** 63n - 1n }, { i: 1 }]), RowError);
});

test('values without an order are errors of their row', () => {
  assert.throws(() => aggregated(callOf('max(a)'), A(1, 'b')), /max: the string "b" and the number 1 have no order/);
  assert.throws(() => aggregated(callOf('max(a)'), A([1])), RowError);
  assert.throws(() => aggregated(callOf('sum(a)'), A('b')), /sum: a number is needed/);
});

test('FILTER takes rows away from one aggregate only', () => {
  const rows = A(1, 5, 9);
  assert.deepEqual(runWindow(`SELECT count(*) AS n, sum(a) FILTER (WHERE a > 3) AS s FROM demo ${WINDOW}`, rows), [
    { n: 3, s: 14 },
  ]);
});

test('groups, HAVING and columns of the first row', () => {
  const rows = [
    { k: 'x', a: 1, c: 1 },
    { k: 'y', a: 2, c: 2 },
    { k: 'x', a: 5, c: 3 },
  ];
  const text = `SELECT k, c, max(a) - min(a) AS spread FROM demo GROUP BY k, COUNTWINDOW(3) HAVING count(*) > 1`;
  assert.deepEqual(runWindow(text, rows), [{ k: 'x', c: 1, spread: 4 }]);
});

test('keys of different types are different groups, NULL is one', () => {
  const rows = [{ k: 1 }, { k: '1' }, { k: null }, {}, { k: true }, { k: '#1' }, { k: '!null' }, { k: 1n }];
  const counts = runWindow(`SELECT count(*) AS n FROM demo GROUP BY k, COUNTWINDOW(9)`, rows);
  assert.deepEqual(
    counts.map(({ n }) => n),
    [2, 1, 2, 1, 1, 1],
  );
});

test('the same call twice is one', () => {
  const calls = nodeOf(
    planOf(`SELECT avg(a) AS x, avg( a )+1 AS y FROM demo ${WINDOW} HAVING avg(a) > 1`),
    'aggregate',
  )?.calls;
  assert.equal(calls?.length, 1);
});

test('aggregates of numbers do not depend on where panes are cut', () => {
  const expressions = [
    'avg(a)',
    'sum(a)',
    'count(a)',
    'min(a)',
    'max(a)',
    'stddev(a)',
    'vars(a)',
    'percentile(a, 0.3)',
    'last_value(a, true)',
    'collect(a)',
  ];
  const calls = expressions.map(callOf);
  const values = fc.array(fc.option(fc.integer({ min: -1000, max: 1000 }), { freq: 5 }), { maxLength: 20 });
  fc.assert(
    fc.property(values, fc.array(fc.nat(20), { maxLength: 3 }), (list, cuts) => {
      const rows = A(...list);
      const bounds = [0, ...cuts.filter((cut) => cut <= rows.length).sort((x, y) => x - y), rows.length];
      for (const call of calls) {
        const whole = call.create();
        for (const [index, from] of bounds.entries())
          call.merge(whole, aggregated(call, rows.slice(from, bounds[index + 1] ?? from)));
        const [merged, once] = [call.result(whole), call.result(aggregated(call, rows))];
        assertNear(merged, once, call.says);
      }
    }),
    { numRuns: 300 },
  );
});

test('every aggregate has a case', () => {
  const tried = [
    'avg',
    'collect',
    'count',
    'deduplicate',
    'first_value',
    'last_value',
    'max',
    'merge_agg',
    'min',
    'percentile',
    'percentile_cont',
    'percentile_disc',
    'stddev',
    'stddevs',
    'sum',
    'var',
    'vars',
  ];
  assert.deepEqual(
    [...FUNCTIONS.values()]
      .filter(({ kind }) => kind === 'aggregate')
      .map(({ name }) => name)
      .sort(),
    tried,
  );
});
