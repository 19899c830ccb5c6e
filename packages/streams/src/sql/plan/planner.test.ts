import assert from 'node:assert/strict';
import { test } from 'node:test';
import { showType } from '../data-type.ts';
import { SqlError } from '../sql-error.ts';
import { nodeOf, planOf, runRows, testContext } from '../testing/statements.ts';
import type { Row } from '../value.ts';
import { explainText } from './explain.ts';
import type { PlanNode } from './plan.ts';

/** Operators from the result to the source, without their ids. */
function check(text: string, expected: readonly string[]): void {
  const lines = explainText(planOf(text)).replaceAll(/ #\S+/g, '').split('\n');
  assert.deepEqual(lines, expected, text);
}

function checkSchema(text: string, expected: string | undefined): void {
  const { schema } = planOf(text);
  assert.equal(schema?.map(({ name, type }) => `${name} ${showType(type)}`).join(', '), expected, text);
}

function checkWrong(text: string, says: RegExp): void {
  assert.throws(
    () => planOf(text),
    (error) => error instanceof SqlError && says.test(error.message),
    text,
  );
}

/** The rows that come out, as JSON has them. */
function checkRows(text: string, rows: readonly Row[], expected: readonly Row[]): void {
  assert.deepEqual(JSON.parse(JSON.stringify(runRows(text, rows))), expected, text);
}

test('without a window rows are analysed, filtered, projected', () => {
  check('SELECT lag(f) AS before, f FROM s WHERE f > 1 ORDER BY f LIMIT 2', [
    'limit LIMIT 2',
    '  project lag(f) AS before, f',
    '    order ORDER BY f',
    '      filter WHERE f > 1',
    '        analytic lag(f) (on each row, before WHERE)',
    '          source s (columns f)',
  ]);
});

test('WHERE stands before windows of time that do not depend on rows, and within all others', () => {
  const rest = ['  aggregate count(*)'];
  check('SELECT count(*) FROM s WHERE f > 1 GROUP BY HOPPINGWINDOW(ss, 10, 5)', [
    'project count(*)',
    ...rest,
    '    window HOPPINGWINDOW(ss, 10, 5) (keeps aggregates only)',
    '      filter WHERE f > 1',
    '        source s (columns f)',
  ]);
  for (const window of [
    'COUNTWINDOW(5)',
    'SLIDINGWINDOW(ss, 10)',
    'SESSIONWINDOW(ss, 10, 5)',
    'STATEWINDOW(i > 1, j > 1)',
  ]) {
    const planned = planOf(`SELECT count(*) FROM s WHERE f > 1 GROUP BY ${window}`);
    assert.ok(nodeOf(planned, 'window')?.where?.({ f: 2 }, testContext()), window);
    assert.equal(nodeOf(planned, 'filter'), undefined, window);
  }
});

test('groups are analysed after they are aggregated', () => {
  check(
    'SELECT text, lag(avg(f)) AS before FROM s GROUP BY text, TUMBLINGWINDOW(ss, 10) HAVING avg(f) > 1 ORDER BY before DESC',
    [
      'project text, lag(avg(f)) AS before',
      '  order ORDER BY before DESC',
      '    having HAVING avg(f) > 1',
      '      analytic lag(avg(f)) (on each row of the result)',
      '        aggregate avg(f), by text (keeps the first row of each group)',
      '          window TUMBLINGWINDOW(ss, 10) (keeps aggregates only)',
      '            source s (columns f, text)',
    ],
  );
});

test('a window without groups keeps its rows', () => {
  check('SELECT * FROM demo GROUP BY COUNTWINDOW(3, 1) FILTER (WHERE a > 1)', [
    'project *',
    '  window COUNTWINDOW(3, 1) FILTER (WHERE a > 1) (keeps rows)',
    '    source demo (without schema; all columns)',
  ]);
});

test('tables are looked up, streams are joined in a window', () => {
  check('SELECT s.f, t.label FROM s LEFT JOIN t ON s.i = t.id AND t.label != "x"', [
    'project s.f, t.label',
    '  lookup LEFT JOIN t ON s.i = t.id AND t.label != "x" (by id; with a further condition)',
    '    source s (columns f, i)',
    '    source t (columns id, label)',
  ]);
  check('SELECT a.f FROM s AS a INNER JOIN demo AS b ON b.k + 1 = a.i WHERE b.x > 1 GROUP BY COUNTWINDOW(5)', [
    'project a.f',
    '  filter WHERE b.x > 1',
    '    join INNER JOIN demo AS b ON b.k + 1 = a.i (by 1 equal key)',
    '      window COUNTWINDOW(5) (keeps rows)',
    '        source s AS a (columns f, i)',
    '        source demo AS b (without schema; columns k, x)',
  ]);
});

test('the sides of ON are compiled for the tuples they read', () => {
  const lookup = nodeOf(
    planOf('SELECT * FROM demo INNER JOIN t ON t.id = demo.a + 1 AND t.label LIKE demo.b'),
    'lookup',
  );
  assert.deepEqual(
    lookup?.keys.map(({ field, value }) => [field, value([{ a: 1 }, undefined], testContext())]),
    [['id', 2]],
  );
  assert.equal(lookup?.rest?.([{ b: 'x%' }, { label: 'xy' }], testContext()), true);
  const join = nodeOf(
    planOf('SELECT * FROM demo FULL JOIN other ON demo.a = other.b AND demo.c < other.d GROUP BY COUNTWINDOW(2)'),
    'join',
  );
  assert.deepEqual(
    join?.keys.map(({ left, right }) => [
      left([{ a: 5 }, undefined], testContext()),
      right([undefined, { b: 6 }], testContext()),
    ]),
    [[5, 6]],
  );
  assert.equal(join?.rest?.([{ c: 1 }, { d: 2 }], testContext()), true);
});

test('columns of several sources are found by their source, or by their name when only one has it', () => {
  const text =
    'SELECT i, x, s.f AS mine, demo.f AS theirs, *  FROM s INNER JOIN demo ON s.i = demo.k GROUP BY COUNTWINDOW(2)';
  const row = nodeOf(planOf(text), 'project')?.project(
    [
      { i: 1, f: 2 },
      { f: 3, x: 4, i: 9 },
    ],
    testContext(),
  );
  assert.deepEqual(row, { i: 1, x: 4, mine: 2, theirs: 3, f: 2 });
  checkWrong(
    'SELECT i FROM s AS a INNER JOIN s AS b ON a.i = b.i GROUP BY COUNTWINDOW(2)',
    /i is a column of more than one source; write a\.i or b\.i/,
  );
});

test('a name that any of several sources may have is that of the first that has it', () => {
  const planned = planOf('SELECT x, y FROM demo INNER JOIN other ON demo.k = other.k GROUP BY COUNTWINDOW(2)');
  const project = nodeOf(planned, 'project');
  assert.deepEqual(project?.project([{ y: 1 }, { x: 2, y: 3 }], testContext()), { x: 2, y: 1 });
  assert.deepEqual(
    planned.sources.map(({ columns }) => columns),
    [
      ['k', 'x', 'y'],
      ['k', 'x', 'y'],
    ],
  );
});

test('aliases refer to aliases', () => {
  checkRows('SELECT a + 1 AS sum1, sum1 + 1 AS sum2 FROM demo', [{ a: 1 }], [{ sum1: 2, sum2: 3 }]);
  checkRows('SELECT sum1 + 1 AS sum2, a + 1 AS sum1 FROM demo', [{ a: 1 }], [{ sum2: 3, sum1: 2 }]);
  checkRows('SELECT a + 1 AS a, a + 2 AS sum2 FROM demo', [{ a: 1 }], [{ a: 2, sum2: 4 }]);
  checkRows('SELECT a + 1 AS a FROM demo WHERE a > 1', [{ a: 1 }, { a: 2 }], [{ a: 3 }]);
  checkRows('SELECT a + 1 AS a, a * 2 AS b FROM demo WHERE b > 5', [{ a: 1 }, { a: 2 }], [{ a: 3, b: 6 }]);
  checkRows('SELECT a * 2 AS twofold FROM demo WHERE twofold > 3', [{ a: 1 }, { a: 2 }], [{ twofold: 4 }]);
  checkRows(
    'SELECT f * 2 AS i FROM s WHERE i > 3',
    [
      { f: 9, i: 1 },
      { f: 1, i: 4 },
    ],
    [{ i: 2 }],
  );
  checkRows('SELECT a AS hidden INVISIBLE, hidden + 1 AS b FROM demo', [{ a: 1 }], [{ b: 2 }]);
  checkRows('SELECT rand() AS r, r + 1 AS s FROM demo', [{}], [{ r: 0.25, s: 1.25 }]);
  checkWrong('SELECT b AS a, a AS b FROM demo', /made from itself; write demo\./);
});

test('stars have EXCEPT and REPLACE, and REPLACE stands above EXCEPT', () => {
  const rows = [{ a: 1, b: 2, c: 3 }];
  checkRows('SELECT * FROM demo', rows, rows);
  checkRows('SELECT *, a + b AS d FROM demo', rows, [{ a: 1, b: 2, c: 3, d: 3 }]);
  checkRows('SELECT * EXCEPT (a, b) FROM demo', rows, [{ c: 3 }]);
  checkRows('SELECT * REPLACE (a + b AS c) FROM demo', rows, [{ a: 1, b: 2, c: 3 }]);
  checkRows('SELECT * EXCEPT (a, b) REPLACE (a + 1 AS a) FROM demo', rows, [{ c: 3, a: 2 }]);
  checkRows('SELECT demo.* FROM demo', rows, rows);
  checkSchema(
    'SELECT * EXCEPT (list, place, raw, at) REPLACE (upper(text) AS text) FROM s',
    'i bigint, j bigint, f float, flag boolean, text string',
  );
});

test('columns without an alias have the name that says most', () => {
  checkRows(
    'SELECT a.b, c->d, e[0], l[1:], abs(x), 1 + 1, demo.y FROM demo',
    [{ a: { b: 1 }, c: { d: 2 }, e: [3], l: [4, 5], x: -6, y: 7 }],
    [{ b: 1, d: 2, e: 3, l: [5], abs: 6, field_5: 2, y: 7 }],
  );
  checkWrong('SELECT avg(i), avg(j) FROM s GROUP BY COUNTWINDOW(2)', /two columns are called avg; name one with AS/);
});

test('rows of a statement have one shape: NULL is a field that is undefined', () => {
  assert.deepEqual(runRows('SELECT a, b FROM demo', [{ a: null }]), [{ a: undefined, b: undefined }]);
});

test('types follow from the schema', () => {
  checkSchema(
    'SELECT i + j AS a, i / f AS b, i > 1 AS c, concat(text, "x") AS d, list[0] AS e, place.x, cast(text, "bigint") AS g FROM s',
    'a bigint, b float, c boolean, d string, e float, x float, g bigint',
  );
  checkSchema(
    'SELECT coalesce(i, f) AS a, CASE WHEN flag THEN 1 ELSE NULL END AS b, sum(i) AS c, avg(i) AS d, count(*) AS e FROM s GROUP BY COUNTWINDOW(2)',
    'a float, b bigint, c bigint, d float, e bigint',
  );
  checkSchema('SELECT a, a + 1 AS b FROM demo', 'a any, b float');
  checkSchema('SELECT * FROM demo', undefined);
  checkSchema('WITH x AS (SELECT i, f FROM s) SELECT *, i * 2 AS k FROM x', 'i bigint, f float, k bigint');
});

test('windows have their lengths in milliseconds or rows', () => {
  const shapeOf = (window: string) => nodeOf(planOf(`SELECT count(*) FROM demo GROUP BY ${window}`), 'window')?.shape;
  assert.deepEqual(shapeOf('TUMBLINGWINDOW(mi, 2)'), { type: 'tumbling', length: 120_000 });
  assert.deepEqual(shapeOf('HOPPINGWINDOW(hh, 2, 1)'), { type: 'hopping', length: 7_200_000, interval: 3_600_000 });
  assert.deepEqual(shapeOf('SLIDINGWINDOW(ss, 5)'), { type: 'sliding', length: 5000, delay: 0 });
  assert.deepEqual(shapeOf('SLIDINGWINDOW(ms, 5, 7)'), { type: 'sliding', length: 5, delay: 7 });
  assert.deepEqual(shapeOf('SESSIONWINDOW(ss, 10, 2)'), { type: 'session', maximum: 10_000, timeout: 2000 });
  assert.deepEqual(shapeOf('COUNTWINDOW(5)'), { type: 'count', length: 5, interval: 5 });
  assert.deepEqual(shapeOf('COUNTWINDOW(5, 2)'), { type: 'count', length: 5, interval: 2 });
});

function idOf(text: string, kind: PlanNode['kind']): string | undefined {
  return nodeOf(planOf(text), kind)?.id;
}

test('an operator keeps its id while it and what is before it mean the same', () => {
  const before = 'SELECT avg(f) AS m FROM s WHERE i > 1 GROUP BY text, TUMBLINGWINDOW(ss, 10)';
  const same = [
    'select   avg( f ) as other_name from s as renamed where renamed.i > 1 group by text, tumblingwindow(ss, 10)',
    'SELECT avg(f) + 1 AS m FROM s WHERE i > 1 GROUP BY text, TUMBLINGWINDOW(ss, 10) HAVING avg(f) > 5 ORDER BY m LIMIT 3',
  ];
  for (const text of same)
    for (const kind of ['window', 'aggregate'] as const) assert.equal(idOf(text, kind), idOf(before, kind), text);
  const changed = [
    'SELECT avg(f) AS m FROM s WHERE i > 2 GROUP BY text, TUMBLINGWINDOW(ss, 10)',
    'SELECT avg(f) AS m FROM s WHERE i > 1 GROUP BY text, TUMBLINGWINDOW(ss, 20)',
    'SELECT max(f) AS m FROM s WHERE i > 1 GROUP BY text, TUMBLINGWINDOW(ss, 10)',
    'SELECT avg(f) AS m FROM s WHERE i > 1 GROUP BY i, TUMBLINGWINDOW(ss, 10)',
  ];
  for (const text of changed) assert.notEqual(idOf(text, 'aggregate'), idOf(before, 'aggregate'), text);
});

test('an analytic call keeps its id whatever stands beside it', () => {
  const callIds = (text: string) => nodeOf(planOf(text), 'analytic')?.calls.map(({ id }) => id);
  const [alone] = callIds('SELECT lag(f) AS x FROM s') ?? [];
  assert.deepEqual(callIds('SELECT latest(i) AS y, lag(f) AS z FROM s WHERE i > 1')?.[1], alone);
  assert.notDeepEqual(callIds('SELECT lag(f, 2) AS x FROM s')?.[0], alone);
  assert.notDeepEqual(callIds('SELECT lag(f) OVER (PARTITION BY i) AS x FROM s')?.[0], alone);
});

test('hits are counted where the statement asks for them', () => {
  const hitsOf = (text: string) => planOf(text).hits;
  assert.equal(hitsOf('SELECT a FROM demo'), undefined);
  assert.equal(hitsOf('SELECT last_hit_count() AS n FROM demo'), 'select');
  assert.equal(hitsOf('SELECT last_hit_count() AS n FROM demo WHERE last_hit_time() < 5'), 'where');
  assert.equal(
    hitsOf('SELECT count(*) AS n FROM demo GROUP BY COUNTWINDOW(2) HAVING last_agg_hit_count() < 5'),
    'having',
  );
  assert.equal(hitsOf('SELECT * FROM demo GROUP BY SLIDINGWINDOW(ss, 2) OVER (WHEN last_hit_count() < 5)'), 'trigger');
});
