import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_STATEMENT_LENGTH } from '../lexer.ts';
import { print } from '../print.ts';
import { SqlError } from '../sql-error.ts';
import { parse } from './parse.ts';

/** The statement as it is printed again: keywords in capitals, strings in double quotes, no needless parentheses. */
function check(text: string, expected: string): void {
  assert.equal(print(parse(text)), expected);
}

function checkError(
  text: string,
  expected: { readonly at: string; readonly says: RegExp; readonly fix?: RegExp },
): void {
  const error = errorOf(text);
  assert.equal(`${error.line}:${error.column}`, expected.at, error.message);
  assert.match(error.problem, expected.says);
  if (expected.fix !== undefined) assert.match(error.fix ?? '', expected.fix);
}

function errorOf(text: string): SqlError {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof SqlError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: `it parses: ${text}` });
}

test('columns, aliases, stars with EXCEPT and REPLACE are read', () => {
  check('select a, b as c from demo', 'SELECT a, b AS c FROM demo');
  check('select a as b invisible, b + 1 from demo', 'SELECT a AS b INVISIBLE, b + 1 FROM demo');
  check('select * except(a, b) replace(c + 1 as c) from demo', 'SELECT * EXCEPT (a, b) REPLACE (c + 1 AS c) FROM demo');
  check('select d.*, 1 from demo as d', 'SELECT d.*, 1 FROM demo AS d');
  check('select `select`, `a-b`, `中文 x` from `from`', 'SELECT `select`, `a-b`, `中文 x` FROM `from`');
  check('select filter, replace, with, ss from demo', 'SELECT filter, replace, with, ss FROM demo');
});

test('operators bind as they do elsewhere', () => {
  check('select a or b and c from d', 'SELECT a OR b AND c FROM d');
  check('select (a or b) and c from d', 'SELECT (a OR b) AND c FROM d');
  check('select not a = b from d', 'SELECT NOT a = b FROM d');
  check('select a + b * c - (d - e) from x', 'SELECT a + b * c - (d - e) FROM x');
  check('select -a * -2, - -3 from x', 'SELECT -a * -2, -(-3) FROM x');
  check('select a & 1 + 2 from x', 'SELECT a & 1 + 2 FROM x');
  check('select a not between 1 and 2 + 3 and b from x', 'SELECT a NOT BETWEEN 1 AND 2 + 3 AND b FROM x');
  check("select a like 'x%' and b not like c from x", 'SELECT a LIKE "x%" AND b NOT LIKE c FROM x');
  check('select a in (1, 2) or b not in list from x', 'SELECT a IN (1, 2) OR b NOT IN list FROM x');
  check('select a is null, b is not null from x', 'SELECT a IS NULL, b IS NOT NULL FROM x');
  check('select a <> b from x', 'SELECT a != b FROM x');
});

test('structs, arrays and their parts are read', () => {
  check('select a->b.c[0][1:2][:3][x+1:][:][] from d', 'SELECT a->b.c[0][1:2][:3][x + 1:][:][:] FROM d');
  check('select d.friends[-1]->last from demo as d', 'SELECT d.friends[-1]->last FROM demo AS d');
  check('select (a + b)[0] from d', 'SELECT (a + b)[0] FROM d');
});

test('literals are read', () => {
  check(
    `select 1, 1.5, .5, 1e3, "a\\"b", 'c''d', 'e\\n', true, null from d`,
    'SELECT 1, 1.5, 0.5, 1000.0, "a\\"b", "c\'d", "e\\n", TRUE, NULL FROM d',
  );
  check('select 9223372036854775807 from d', 'SELECT 9223372036854775807 FROM d');
});

test('CASE is read in both forms', () => {
  check(
    'select case when a < 1 then "s" else "l" end, case c when 1 then 2 end from d',
    'SELECT CASE WHEN a < 1 THEN "s" ELSE "l" END, CASE c WHEN 1 THEN 2 END FROM d',
  );
});

test('calls have FILTER and OVER', () => {
  check('select count(*) filter (where a > 1) from d', 'SELECT count(*) FILTER (WHERE a > 1) FROM d');
  check(
    'select LAG(a, 1, b, true) over (partition by c, d when had_changed(true, e)) from d',
    'SELECT lag(a, 1, b, TRUE) OVER (PARTITION BY c, d WHEN had_changed(TRUE, e)) FROM d',
  );
});

test('every window is read', () => {
  for (const window of [
    'TUMBLINGWINDOW(ss, 10)',
    'HOPPINGWINDOW(mi, 10, 5)',
    'SLIDINGWINDOW(ms, 10, 5) OVER (WHEN a > 1)',
    'SESSIONWINDOW(hh, 10, 5)',
    'COUNTWINDOW(5)',
    'COUNTWINDOW(5, 1) FILTER (WHERE a > 1)',
    'STATEWINDOW(a > 1, b)',
    'STATEWINDOW(a > 1, b) OVER (PARTITION BY c)',
  ]) {
    check(`select count(*) from d group by x, ${window.toLowerCase()}`, `SELECT count(*) FROM d GROUP BY x, ${window}`);
  }
});

test('joins, common tables and all clauses are read in their order', () => {
  check(
    'with a as (select 1 as x from d), b as (select * from a) select * from b join c on b.x = c.x left join e on true cross join f ' +
      'where x group by y, countwindow(2) having count(*) > 1 order by x desc, y asc limit 3;',
    'WITH a AS (SELECT 1 AS x FROM d), b AS (SELECT * FROM a) SELECT * FROM b INNER JOIN c ON b.x = c.x LEFT JOIN e ON TRUE ' +
      'CROSS JOIN f WHERE x GROUP BY y, COUNTWINDOW(2) HAVING count(*) > 1 ORDER BY x DESC, y LIMIT 3',
  );
});

test('a stream may be called with dashes, where nothing is subtracted', () => {
  check('select a from line-1-temps as l', 'SELECT a FROM `line-1-temps` AS l');
});

test('comments are blank space', () => {
  check('select /* all\n of */ a -- and no more\n from d', 'SELECT a FROM d');
});

test('errors say where, and what to write', () => {
  checkError('selct a from b', { at: '1:1', says: /expected SELECT/, fix: /did you mean SELECT/ });
  checkError('select a\nform b', { at: '2:1', says: /expected a comma or FROM/, fix: /did you mean FROM/ });
  checkError('select a b from c', { at: '1:10', says: /found b/, fix: /comma before b, or AS b/ });
  checkError('select a, from c', { at: '1:11', says: /expected a column/, fix: /leave out the comma/ });
  checkError('select f(a b) from c', { at: '1:12', says: /expected , or \)/, fix: /comma between/ });
  checkError('select f(a, ) from c', { at: '1:13', says: /arguments/, fix: /leave out the comma/ });
  checkError('select a', { at: '1:9', says: /found the end/, fix: /FROM stream/ });
  checkError('select a from b wher c', { at: '1:17', says: /expected a clause/, fix: /did you mean WHERE/ });
  checkError('select a from b c', { at: '1:17', says: /expected a clause/, fix: /AS c/ });
  checkError('select a from b where', { at: '1:22', says: /expected an expression/ });
  checkError('select a from "b"', { at: '1:15', says: /name of a stream/, fix: /`b`/ });
  checkError("select a as 'b' from c", { at: '1:13', says: /alias/, fix: /`b`/ });
  checkError('select from from a', { at: '1:8', says: /expected a column/ });
  checkError('select a + from b', { at: '1:12', says: /expected an expression/, fix: /FROM is reserved/ });
  checkError('select (a from b', { at: '1:11', says: /close the parenthesis/ });
  checkError('select a) from b', { at: '1:9', says: /expected a comma or FROM/ });
  checkError('select a from b group by tumblingwindow(ss 10)', { at: '1:44', says: /, after the unit/ });
  checkError('select a from b group by tumblingwindow(second, 10)', {
    at: '1:41',
    says: /unit of time/,
    fix: /write ss/,
  });
  checkError('select a from b group by tumblingwindow(10)', {
    at: '1:41',
    says: /unit/,
    fix: /TUMBLINGWINDOW\(ss, length\)/,
  });
  checkError('select a from b group by countwindow(1.5)', { at: '1:38', says: /number/, fix: /whole number/ });
  checkError('select a from b group by countwindow(1), countwindow(2)', { at: '1:42', says: /one window/ });
  checkError('select a from b limit 1 where c', { at: '1:25', says: /end of the statement/, fix: /in this order/ });
  checkError('select case a end from b', { at: '1:15', says: /WHEN/ });
  checkError('select case when a end from b', { at: '1:20', says: /THEN/ });
  checkError("select 'a from b", { at: '1:8', says: /does not end/, fix: /close it with '/ });
  checkError('select /* a from b', { at: '1:8', says: /comment .* does not end/ });
  checkError('select 1a from b', { at: '1:8', says: /1a is neither/, fix: /`1a`/ });
  checkError('select “a” from b', { at: '1:8', says: /“/, fix: /write "/ });
  checkError('select 99999999999999999999 from b', { at: '1:8', says: /bigint/, fix: /\.0/ });
  checkError('select lag(a) over (order by b) from c', { at: '1:21', says: /PARTITION BY or WHEN/ });
  checkError('select a from b join c', { at: '1:23', says: /ON/ });
  checkError('select a from b, c', { at: '1:16', says: /clause/, fix: /INNER JOIN/ });
});

test('what other dialects write is translated', () => {
  checkError('select a from b where c == 1', { at: '1:25', says: /found ==/, fix: /write =/ });
  checkError('select a || b from c', { at: '1:10', says: /\|\|/, fix: /concat/ });
  checkError('select a && b from c', { at: '1:10', says: /&&/, fix: /AND/ });
  checkError('select !a from c', { at: '1:8', says: /!/, fix: /NOT/ });
  checkError('select a::int from c', { at: '1:9', says: /::/, fix: /cast/ });
  checkError('select cast(a as bigint) from c', { at: '1:15', says: /comma/, fix: /cast\(value, "bigint"\)/ });
  checkError('select distinct a from c', { at: '1:8', says: /found distinct/, fix: /deduplicate/ });
  checkError('select top 5 a from c', { at: '1:8', says: /found top/, fix: /LIMIT/ });
  checkError('select count(distinct a) from c', { at: '1:14', says: /DISTINCT|distinct/i, fix: /deduplicate/ });
  checkError('select a from c limit 1 offset 2', { at: '1:25', says: /offset/i, fix: /OFFSET/ });
  checkError('select a from c union select b from d', { at: '1:17', says: /union/, fix: /two rules/ });
  checkError('select a from (select b from c)', { at: '1:15', says: /name of a stream/, fix: /WITH/ });
  checkError('select a in (select b from c) from d', { at: '1:14', says: /SELECT/, fix: /Table/ });
  checkError('select a from b where 1 < a < 3', { at: '1:29', says: /two sides/, fix: /BETWEEN/ });
  checkError('insert into a values (1)', { at: '1:1', says: /a rule is a SELECT/, fix: /sinks/ });
  checkError('create stream a ()', { at: '1:1', says: /a rule is a SELECT/, fix: /apply a Stream/ });
});

test('the excerpt has carets under the place, also in a long line', () => {
  assert.equal(errorOf('select a\n from b wher c').excerpt, ' from b wher c\n        ^^^^');
  const long = errorOf(`select ${'a, '.repeat(100)}b from c wher d`).excerpt.split('\n');
  assert.ok((long[0] ?? '').length <= 100, 'the line is cut');
  assert.equal((long[0] ?? '').slice((long[1] ?? '').indexOf('^')).slice(0, 4), 'wher');
});

test('statements are bounded in length and depth', () => {
  checkError(`select ${'('.repeat(100)}a from b`, { at: '1:72', says: /64 levels/ });
  checkError(`select ${'not '.repeat(100)}a from b`, { at: '1:264', says: /64 levels/ });
  checkError(`select ${'a+'.repeat(501)}a from b`, { at: '1:1012', says: /500 operators/, fix: /IN/ });
  checkError(`select a${'.b'.repeat(502)} from b`, { at: '1:1011', says: /500 operators/ });
  checkError(' '.repeat(MAX_STATEMENT_LENGTH + 1), { at: '1:1', says: /65536/ });
});

const WORDS =
  'select from where group by having order limit join left inner on as and or not between like in is null case when then else end over ' +
  'partition filter with except replace tumblingwindow countwindow ss a b demo count sum lag unnest ( ) [ ] , . -> * + - / % = != < > : ; ' +
  '1 2.5 "x" `q` true';

test('no text makes the parser throw anything but a SqlError', () => {
  const soup = fc.array(fc.constantFrom(...WORDS.split(' ')), { maxLength: 40 }).map((words) => words.join(' '));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ maxLength: 200, unit: 'binary' }),
        soup,
        soup.map((tail) => `select a from b ${tail}`),
      ),
      (text) => {
        try {
          parse(text);
        } catch (error) {
          assert.ok(error instanceof SqlError, String(error));
          assert.ok(error.line >= 1 && error.column >= 1);
        }
      },
    ),
    { numRuns: 3000 },
  );
});
