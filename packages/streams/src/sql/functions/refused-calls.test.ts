import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowError, SqlError } from '../sql-error.ts';
import { evaluate } from '../testing/statements.ts';
import type { Row } from '../value.ts';

const ROW: Row = {
  n: null,
  a: [1, 2, 2, 3],
  o: { k: 1, 'a b': [1, { x: 5 }, { x: 7 }] },
  t: '2026-02-03T04:05:06.789Z',
  e: Date.UTC(2026, 1, 3, 4, 5, 6, 789),
  bad: { not: 'a number' },
};

/** The row is refused with these words. */
function checkRefused(expression: string, says: RegExp): void {
  assert.throws(
    () => evaluate(expression, ROW),
    (error) => error instanceof RowError && says.test(error.message),
    expression,
  );
}

/** The statement is refused with these words. */
function checkWrong(expression: string, says: RegExp): void {
  assert.throws(
    () => evaluate(expression, ROW),
    (error) => error instanceof SqlError && says.test(error.message),
    expression,
  );
}

test('values that do not fit are errors of their row', () => {
  checkRefused('abs(bad)', /abs: x is a number, found a struct/);
  checkRefused('upper(a)', /upper: text is a string, found an array/);
  checkRefused('mod(1, 0)', /division by zero/);
  checkRefused('cast("x1", "bigint")', /"x1" cannot be a bigint/);
  checkRefused('cast("99999999999999999999", "bigint")', /does not fit/);
  checkRefused('cast("2026-02-30", "datetime")', /cannot be a datetime/);
  checkRefused('element_at(a, 9)', /there is no element 9/);
  checkRefused('split_value("a", "-", 1)', /there is no part 1/);
  checkRefused('parse_json("{")', /is no JSON/);
  checkRefused(`parse_json("${'['.repeat(500)}${']'.repeat(500)}")`, /128 levels/);
  checkRefused('decode("???", "base64")', /is not base64/);
  checkRefused('decompress("abc", "gzip")', /not gzip/);
  checkRefused('repeat("a", 1000000)', /too large/);
  checkRefused('sequence(1, 1000000000)', /too large/);
  checkRefused('sequence(1, 2, 0)', /step/);
  checkRefused('lpad("a", 100000000)', /too many/);
  checkRefused('object_construct("a")', /no value/);
  checkRefused('object(array_create("a"), a)', /1 keys and 4 values/);
  checkRefused('date_calc(t, "1 hour")', /no duration/);
  checkRefused('regexp_matches("a", concat("(", ""))', /no regular expression/);
  checkRefused('chr(-1)', /no character/);
  checkRefused('conv("12", 2, 10)', /"12" is no number to the base 2/);
  checkRefused('conv("", 10, 2)', /is no number/);
  checkRefused('conv("1", 1, 10)', /from 2 to 36, found 1/);
  checkRefused('conv("10000000000000000", 16, 10)', /more than 64 bits/);
});

test('what is wrong whatever rows come is found in the statement', () => {
  checkWrong('cast(a, "int")', /"int" is unknown here; write "bigint"/);
  checkWrong('format(a, 2, "nowhere at all")', /is no locale/);
  checkWrong('lag(a, -1)', /from 0 to 10000/);
  checkWrong('cast(a, b)', /type of cast has to be a literal/);
  checkWrong('encode(a, "base46")', /write "base64"/);
  checkWrong('regexp_matches(a, "(")', /regular expression/);
  checkWrong('format_time(t, "QQ")', /letter Q/);
  checkWrong('json_path_query(o, "$[")', /no JSON path/);
  checkWrong('array_map("lag", a)', /no function of one argument/);
  checkWrong('abs("x")', /x of abs is of type number, found string; write cast\(value, "float"\)/);
  checkWrong('abs()', /does not take 0 arguments; write abs\(x\)/);
  checkWrong('substring("a")', /write substring\(text, start, \[length\]\)/);
  checkWrong('abs(1) filter (where a)', /FILTER is for aggregates/);
  checkWrong('abs(1) over (when a)', /OVER is for analytic functions/);
  checkWrong('unnest(a) + 1', /unnest stands alone/);
  checkWrong('meta(1 + 2)', /takes a name/);
  checkWrong('lenght("a")', /did you mean length\?/);
  checkWrong('len("a")', /write length/);
  checkWrong('median(a)', /write percentile\(x, 0\.5\)/);
  checkWrong('last_agg_hit_count()', /write last_hit_count/);
});
