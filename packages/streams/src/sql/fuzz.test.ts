import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tokenize } from './lexer.ts';
import { parse } from './parser/parse.ts';
import { explainText } from './plan/explain.ts';
import type { Plan } from './plan/plan.ts';
import { plan } from './plan/planner.ts';
import { print } from './print.ts';
import { SqlError } from './sql-error.ts';
import { catalog } from './testing/statements.ts';

const VALID = [
  'SELECT i, f * 2 AS twice, upper(text) FROM s WHERE flag AND i BETWEEN 1 AND 9 OR text LIKE "a%"',
  'SELECT * EXCEPT (raw, list) REPLACE (f * 2 AS f), i + 1 AS next FROM s WHERE NOT flag',
  'SELECT text, count(*) FILTER (WHERE i > 3) AS n, avg(f) FROM s GROUP BY text, TUMBLINGWINDOW(ss, 10) HAVING count(*) > 2 ORDER BY n DESC LIMIT 5',
  'SELECT collect(*)[0]->a[1:2] AS x FROM demo GROUP BY SLIDINGWINDOW(ss, 2, 1) FILTER (WHERE a > 1) OVER (WHEN temperature > 20)',
  'SELECT lag(f, 1, 0) OVER (PARTITION BY text WHEN i > 2) AS before, changed_cols("c_", true, i, f) FROM s',
  'SELECT demo.a, other.b FROM demo LEFT JOIN other ON demo.id = other.id GROUP BY HOPPINGWINDOW(mi, 2, 1)',
  'SELECT s.i, t.label FROM s INNER JOIN t ON s.i = t.id WHERE t.label IN ("x", "y")',
  'WITH hot AS (SELECT f, text FROM s WHERE f > 2.5e3) SELECT text, max(f) FROM hot GROUP BY text, SESSIONWINDOW(ss, 20, 2)',
  'SELECT CASE WHEN i = 1 THEN "one" WHEN i < 0 THEN NULL ELSE cast(i, "string") END AS word FROM s -- end',
  'SELECT twice(f), unnest(list), row_number() FROM `s` GROUP BY COUNTWINDOW(5, 2)',
  'SELECT json_path_query(demo->x, "$.a[*]"), meta(topic), `line-1`.v FROM demo INNER JOIN `line-1` ON demo.a = `line-1`.a GROUP BY STATEWINDOW(a > 1, a < 0)',
];

const PIECES = fc.oneof(
  fc.constantFrom(...Array.from('()[]{},.;:*+-/%<>=!|&^?@#$`"\'\\\u0000\n\u2028')),
  fc.constantFrom(
    'SELECT',
    'FROM',
    'OVER',
    'WHEN',
    'CASE',
    'END',
    'NOT',
    'AS',
    'IN',
    'NULL',
    'EXCEPT',
    'WITH',
    '->',
    '--',
    '/*',
    '::',
  ),
  fc.constantFrom(
    'constructor',
    '__proto__',
    'toString',
    'hasOwnProperty',
    '99999999999999999999',
    '1e999',
    '0.',
    '𝟛',
    '\ud800',
  ),
  fc.string({ maxLength: 4, unit: 'binary' }),
);

/** Replaces, leaves out, doubles or swaps tokens of a query that is in order. */
const mutated: fc.Arbitrary<string> = fc
  .record({
    query: fc.constantFrom(...VALID),
    changes: fc.array(
      fc.record({
        at: fc.nat(200),
        other: fc.nat(200),
        how: fc.constantFrom('drop', 'put', 'double', 'swap', 'cut'),
        piece: PIECES,
      }),
      { minLength: 1, maxLength: 2 },
    ),
  })
  .map(({ query, changes }) => {
    const tokens = tokenize(query).map(({ start, end }) => query.slice(start, end));
    for (const { at, other, how, piece } of changes) {
      const [here, there] = [at % tokens.length, other % tokens.length];
      if (how === 'drop') tokens.splice(here, 1);
      else if (how === 'put') tokens.splice(here, 0, piece);
      else if (how === 'double') tokens.splice(here, 0, ...tokens.slice(here, here + 1 + (other % 9)));
      else if (how === 'swap') [tokens[here], tokens[there]] = [tokens[there] ?? '', tokens[here] ?? ''];
      else tokens.splice(here);
      if (tokens.length === 0) tokens.push(piece);
    }
    return tokens.join(' ');
  });

/** What operators do, whatever they are called. */
function idsOf(planned: Plan): readonly string[] {
  return explainText(planned).match(/#[a-z]+-[0-9a-f]+$/gm) ?? [];
}

/** Either it is in order, and means the same when it is printed; or a SqlError points at a place within it. */
function check(text: string): void {
  try {
    const statement = parse(text);
    const planned = plan(statement, catalog);
    assert.deepEqual(idsOf(plan(parse(print(statement)), catalog)), idsOf(planned));
  } catch (error) {
    if (!(error instanceof SqlError))
      throw new Error(`not a SqlError for ${JSON.stringify(text.slice(0, 500))}`, { cause: error });
    assert.ok(error.line >= 1 && error.column >= 1, text);
    const line = text.split('\n')[error.line - 1];
    assert.ok(
      line !== undefined && error.column <= line.length + 1,
      `${error.line}:${error.column} is not in ${JSON.stringify(text)}`,
    );
    assert.ok(error.message.length < 2000, 'the message is for people');
  }
}

test('queries that are in order are', () => {
  for (const query of VALID) plan(parse(query), catalog);
});

test('whatever a query has become, it is in order or refused with a place within it', () => {
  fc.assert(fc.property(mutated, check), { numRuns: 3000 });
});

test('any text is in order or refused with a place within it', () => {
  fc.assert(fc.property(fc.string({ maxLength: 80, unit: 'binary' }), check), { numRuns: 500 });
});

test('depth and length are bounded', () => {
  const many = (count: number, piece: string, between = '') => Array(count).fill(piece).join(between);
  for (const text of [
    `SELECT ${many(60_000, '(')}1${many(60_000, ')')} FROM demo`,
    `SELECT ${many(60_000, '-')}1 FROM demo`,
    `SELECT ${many(30_000, 'NOT ')}a FROM demo`,
    `SELECT ${many(60_000, 'a', '+')} FROM demo`,
    `SELECT ${many(60_000, 'a', '->')} FROM demo`,
    `SELECT a${many(60_000, '[0]')} FROM demo`,
    `SELECT a${many(30_000, '.b')} FROM demo`,
    `SELECT ${many(20_000, 'abs(')}1${many(20_000, ')')} FROM demo`,
    `SELECT ${many(20_000, 'CASE WHEN a THEN ')}1 FROM demo`,
    `SELECT ${many(30_000, 'a', ',')} FROM demo`,
    `SELECT a FROM demo WHERE a IN (${many(30_000, '1', ',')})`,
    `SELECT concat(${many(30_000, 'a', ',')}) AS x FROM demo`,
    `SELECT a FROM demo GROUP BY ${many(30_000, 'a', ',')}`,
    `WITH ${Array.from({ length: 3000 }, (_, at) => `w${at} AS (SELECT a FROM ${at === 0 ? 'demo' : `w${at - 1}`})`).join(', ')} SELECT a FROM w2999`,
    `SELECT ${Array.from({ length: 40 }, (_, at) => `${at === 0 ? 'b' : `a${at - 1} + a${at - 1}`} AS a${at}`).join(', ')} FROM s`,
    `SELECT "${many(60_000, 'x')}" AS x, \`${many(4000, 'y')}\` FROM demo`,
    `SELECT ${many(300, 'x')} FROM s`,
    many(1 << 20, 'a'),
    many(1 << 19, '('),
    many(1 << 19, '/*'),
    `"${many(1 << 18, '\\u0041')}`,
  ])
    check(text);
});
