import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from '../parser/parse.ts';
import { RowError, SqlError } from '../sql-error.ts';
import { catalog, planOf, runRows } from '../testing/statements.ts';
import type { Row } from '../value.ts';
import { plan } from './planner.ts';

function checkWrong(text: string, says: RegExp): void {
  assert.throws(
    () => planOf(text),
    (error) => error instanceof SqlError && says.test(error.message),
    text,
  );
}

test('what does not fit is said where it stands', () => {
  checkWrong('SELECT temprature FROM s', /column 8: there is no column temprature/);
  checkWrong('SELECT txt FROM s', /did you mean text\?/);
  checkWrong('SELECT place.z FROM s', /there is no field z; /);
  checkWrong('SELECT s FROM s', /s is a source, not a column; write s\.column/);
  checkWrong('SELECT a FROM demmo', /no stream or table demmo; did you mean demo\?/);
  checkWrong('SELECT a FROM t', /t is a table/);
  checkWrong(
    'SELECT i FROM s WHERE text = running',
    /column 30: there is no column running; write "running" if it is a string/,
  );
  checkWrong('SELECT i FROM s WHERE running = text', /write "running"/);
  checkWrong('SELECT i FROM s WHERE text IN ("a", running)', /write "running"/);
  checkWrong('SELECT i FROM s WHERE txt = "running"', /did you mean text\?/);
  checkWrong('SELECT i FROM s WHERE text = NULL', /never true; write IS NULL/);
  checkWrong('SELECT cast(i, string) FROM s', /type of cast has to be a literal; write "string"/);
  checkWrong('SELECT text + 1 FROM s', /\+ does not go with string and bigint; write concat/);
  checkWrong('SELECT text * 2 FROM s', /write cast\(value, "float"\)/);
  checkWrong('SELECT i FROM s WHERE text > 5', /> does not go with string and bigint/);
  checkWrong('SELECT i FROM s WHERE i + 1', /WHERE is a condition, this is of type bigint/);
  checkWrong('SELECT i FROM s WHERE list = 1', /does not go with array\(float\)/);
  checkWrong('SELECT i FROM s WHERE text BETWEEN 1 AND 2', /cannot be compared/);
  checkWrong('SELECT i FROM s WHERE i LIKE "a"', /LIKE is for strings/);
  checkWrong('SELECT i FROM s WHERE i IN text', /IN takes an array/);
  checkWrong('SELECT f & 1 FROM s', /& does not go with float/);
  checkWrong('SELECT text[0:2] FROM s', /use substring/);
  checkWrong('SELECT count(*) FROM s', /needs a window; add GROUP BY TUMBLINGWINDOW\(ss, 10\), or write acc_count/);
  checkWrong('SELECT i FROM s GROUP BY i', /rows are grouped within a window/);
  checkWrong('SELECT i FROM s HAVING i > 1', /HAVING is for groups; write WHERE/);
  checkWrong(
    'SELECT i FROM s WHERE sum(i) > 1 GROUP BY COUNTWINDOW(2)',
    /cannot stand in WHERE; put the condition into HAVING/,
  );
  checkWrong('SELECT sum(avg(i)) FROM s GROUP BY COUNTWINDOW(2)', /avg is an aggregate, which cannot stand in sum/);
  checkWrong('SELECT sum(*) FROM s GROUP BY COUNTWINDOW(2)', /sum does not take \*/);
  checkWrong('SELECT 1 + * FROM s', /\* cannot stand here/);
  checkWrong(
    'SELECT avg(i) OVER (PARTITION BY j) FROM s GROUP BY COUNTWINDOW(2)',
    /OVER is for analytic functions, avg is none; write acc_avg/,
  );
  checkWrong('SELECT i FROM s WHERE changed_cols("", true, i)', /gives columns and stands in SELECT only/);
  checkWrong('SELECT changed_cols("", true, i) AS x FROM s', /have no alias; use its prefix/);
  checkWrong('SELECT percentile(i, 2) FROM s GROUP BY COUNTWINDOW(2)', /a percentile is a number from 0 to 1/);
  checkWrong('SELECT lag(i, j) FROM s', /offset of lag has to be a literal/);
  checkWrong('SELECT a FROM demo INNER JOIN other ON demo.a = other.a', /streams are joined within a window/);
  checkWrong('SELECT a FROM demo RIGHT JOIN t ON demo.a = t.id', /a right join with the table t/);
  checkWrong('SELECT a FROM demo INNER JOIN t ON demo.a > t.id', /nothing says which rows of the table t/);
  checkWrong(
    'SELECT a FROM demo INNER JOIN demo ON true GROUP BY COUNTWINDOW(2)',
    /two sources are called demo; give one another name/,
  );
  checkWrong(
    'SELECT demo.a FROM demo INNER JOIN other ON lag(other.a) = demo.a GROUP BY COUNTWINDOW(2)',
    /lag is an analytic function, which cannot stand in ON/,
  );
  checkWrong(
    'SELECT demo.a FROM demo INNER JOIN other ON true WHERE lag(other.a) = 1 GROUP BY COUNTWINDOW(2)',
    /cannot stand in WHERE; put it into a common table/,
  );
  checkWrong(
    'SELECT sum(lag(other.a)) FROM demo INNER JOIN other ON true GROUP BY COUNTWINDOW(2)',
    /cannot stand in sum/,
  );
  checkWrong('SELECT twice(text) FROM s', /twice takes float here, found string/);
  checkWrong('SELECT a FROM demo GROUP BY TUMBLINGWINDOW(ss, 0)', /length 0/);
  checkWrong('SELECT a FROM demo GROUP BY COUNTWINDOW(2, 3)', /rows would be lost/);
  checkWrong('SELECT a FROM demo GROUP BY TUMBLINGWINDOW(dd, 1000)', /too long; at most a year/);
  checkWrong('SELECT a FROM demo GROUP BY TUMBLINGWINDOW(ss, 1) OVER (WHEN a)', /WHEN is for sliding windows/);
  checkWrong('SELECT a FROM demo GROUP BY TUMBLINGWINDOW(ss, 1) OVER (PARTITION BY a)', /put the column into GROUP BY/);
  checkWrong('SELECT a FROM demo GROUP BY tumble(ss, 1)', /no function tumble; write TUMBLINGWINDOW/);
  checkWrong('SELECT tumblingwindow(ss, 1) FROM demo', /a window stands in GROUP BY/);
  checkWrong('SELECT unnest(a), unnest(b) FROM demo', /one unnest/);
  checkWrong(
    'WITH x AS (SELECT 1 AS a FROM demo), x AS (SELECT 1 AS a FROM demo) SELECT a FROM x',
    /two common tables/,
  );
  checkWrong('WITH x AS (SELECT i FROM s) SELECT j FROM x', /no column j/);
  checkWrong('SELECT twice() FROM demo', /twice takes 1 arguments/);
  checkWrong('SELECT twise(1) FROM demo', /did you mean twice\?/);
});

const PARTS = {
  columns: [
    '*',
    'a',
    'i + 1 AS x',
    'text',
    'count(*)',
    'avg(f) AS m',
    'lag(f)',
    'x * 2',
    'unnest(list)',
    'place.x',
    'list[0]',
    'abs(text)',
    'm + 1',
  ],
  from: ['s', 'demo', 's INNER JOIN t ON s.i = t.id', 'demo LEFT JOIN other ON demo.a = other.b', 'nowhere'],
  where: [
    '',
    'WHERE i > 1',
    'WHERE text LIKE "a%"',
    'WHERE had_changed(true, f)',
    'WHERE count(*) > 1',
    'WHERE a IN list',
  ],
  group: [
    '',
    'GROUP BY COUNTWINDOW(2)',
    'GROUP BY text, TUMBLINGWINDOW(ss, 1)',
    'GROUP BY SLIDINGWINDOW(ss, 1) OVER (WHEN i > 1)',
    'GROUP BY i',
  ],
  end: ['', 'HAVING count(*) > 1', 'ORDER BY text', 'ORDER BY m DESC LIMIT 1', 'LIMIT 2'],
};

test('aliases of aliases are bounded: in columns each is evaluated once, in WHERE each stands for all of its own', () => {
  const columns = Array.from({ length: 60 }, (_, index) => `a${index} + a${index} AS a${index + 1}`).join(', ');
  const [row] = runRows(`SELECT ${columns} FROM demo`, [{ a0: 1 }]);
  assert.equal(row?.['a60'], 2 ** 60);
  checkWrong(`SELECT ${columns} FROM demo WHERE a60 > 1`, /too large; use WITH/);
  const long = Array.from({ length: 4 }, (_, index) => `${`a${index} + `.repeat(400)}1 AS a${index + 1}`).join(', ');
  checkWrong(`SELECT ${long} FROM demo WHERE a4 > 1`, /too large; use WITH/);
  const nested = Array.from({ length: 60 }, (_, index) => `lag(a${index}) AS a${index + 1}`).join(', ');
  assert.equal(planOf(`SELECT ${nested} FROM demo`).sources.length, 1);
});

test('any statement is planned or refused with a SqlError, and its expressions throw nothing but RowErrors', () => {
  const oneOf = (parts: readonly string[]) => fc.constantFrom(...parts);
  const columns = fc.uniqueArray(oneOf(PARTS.columns), { minLength: 1, maxLength: 3 }).map((list) => list.join(', '));
  const text = fc
    .tuple(columns, oneOf(PARTS.from), oneOf(PARTS.where), oneOf(PARTS.group), oneOf(PARTS.end))
    .map(([column, from, ...rest]) => `SELECT ${column} FROM ${from} ${rest.join(' ')}`);
  const row = fc.dictionary(
    fc.constantFrom('a', 'i', 'f', 'text', 'list', 'place', 'm', 'x'),
    fc.jsonValue({ maxDepth: 1 }),
  );
  let planned = 0;
  fc.assert(
    fc.property(text, row, (statement, values) => {
      try {
        const made = plan(parse(statement), catalog);
        planned += 1;
        if (made.sources.length === 1) runRows(statement, [values as Row, values as Row]);
      } catch (error) {
        assert.ok(
          error instanceof SqlError || error instanceof RowError,
          `${statement}: ${error instanceof Error ? error.stack : error}`,
        );
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(planned > 100, `${planned} of them were planned`);
});
