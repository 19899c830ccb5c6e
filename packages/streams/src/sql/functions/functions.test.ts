import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowError } from '../sql-error.ts';
import { evaluate, runRows, testContext } from '../testing/statements.ts';
import type { Row, Value } from '../value.ts';
import { FUNCTIONS } from './index.ts';

const ROW: Row = {
  n: null,
  a: [1, 2, 2, 3],
  o: { k: 1, 'a b': [1, { x: 5 }, { x: 7 }] },
  t: '2026-02-03T04:05:06.789Z',
  e: Date.UTC(2026, 1, 3, 4, 5, 6, 789),
  bad: { not: 'a number' },
};

type Case = readonly [expression: string, expected: Value];

function check([expression, expected]: Case): void {
  const value = evaluate(
    expression,
    ROW,
    testContext({ meta: () => ({ topic: 'a/b', deep: { x: 1 } }), keyedState: (key) => (key === 'k' ? 5 : undefined) }),
  );
  if (typeof expected === 'number' && !Number.isInteger(expected) && typeof value === 'number') {
    assert.ok(Math.abs(value - expected) < 1e-9, `${expression} is ${value}`);
    return;
  }
  assert.deepEqual(value, expected, expression);
}

const MATH: readonly Case[] = [
  ['abs(-3)', 3],
  ['abs(2.5)', 2.5],
  ['acos(1)', 0],
  ['acos(2)', undefined],
  ['asin(0)', 0],
  ['atan(1)', Math.PI / 4],
  ['atan2(1, 1)', Math.PI / 4],
  ['bitand(12, 10)', 8],
  ['bitor(12, 10)', 14],
  ['bitxor(12, 10)', 6],
  ['bitnot(0)', -1],
  ['bitand(4294967296, 4294967297)', 4294967296],
  ['ceil(1.2)', 2],
  ['ceiling(-1.2)', -1],
  ['conv("2a", 16, 10)', '42'],
  ['conv("-101", 2, 16)', '-5'],
  ['conv(255, 10, 16)', 'ff'],
  ['conv("zZ", 36, 10)', '1295'],
  ['conv("FFFFFFFFFFFFFFFF", 16, 10)', '18446744073709551615'],
  ['conv(n, 10, 2)', undefined],
  ['cos(0)', 1],
  ['cosh(0)', 1],
  ['cot(1)', 1 / Math.tan(1)],
  ['degrees(pi())', 180],
  ['exp(1)', Math.E],
  ['floor(-1.2)', -2],
  ['ln(exp(2))', 2],
  ['ln(0)', undefined],
  ['log(100)', 2],
  ['log(2, 8)', 3],
  ['log(1, 8)', undefined],
  ['log(-1)', undefined],
  ['mod(7, 3)', 1],
  ['mod(7.5, 2)', 1.5],
  ['pi()', Math.PI],
  ['power(2, 10)', 1024],
  ['pow(2, 0.5)', Math.SQRT2],
  ['radians(180)', Math.PI],
  ['rand()', 0.25],
  ['round(2.5)', 3],
  ['round(-2.5)', -3],
  ['round(1.005, 2)', 1.01],
  ['round(-1234.5678, 3)', -1234.568],
  ['round(7, 2)', 7],
  ['round(0.1234567890123456, 30)', 0.1234567890123456],
  ['round(1.5, -1)', 2],
  ['round(n, 2)', undefined],
  ['sign(-4)', -1],
  ['sin(0)', 0],
  ['sinh(0)', 0],
  ['sqrt(9)', 3],
  ['sqrt(-1)', undefined],
  ['tan(0)', 0],
  ['tanh(0)', 0],
  ['abs(n)', undefined],
  ['power(2, n)', undefined],
  ['power(n, 2)', undefined],
];

const STRINGS: readonly Case[] = [
  ['concat("a", 1, n, true)', 'a1true'],
  ['concat(a, a)', [1, 2, 2, 3, 1, 2, 2, 3]],
  ['endswith("abc", "bc")', true],
  ['format(12332.1234567, 4)', '12,332.1235'],
  ['format(12332.2, 0, "de_DE")', '12.332'],
  ['indexof("abcb", "b")', 1],
  ['indexof("abc", "x")', -1],
  ['length("中文")', 2],
  ['lower("ABC")', 'abc'],
  ['lpad("a", 2)', '  a'],
  ['ltrim("  a ")', 'a '],
  ['numbytes("中")', 3],
  ['regexp_matches("abc", "^a.c$")', true],
  ['regexp_matches("abc", "b$")', false],
  ['regexp_replace("a1b22", "[0-9]+", "#")', 'a#b#'],
  ['regexp_replace("ab", "(a)(b)", "$2$1")', 'ba'],
  ['regexp_substring("a12b3", "[0-9]+")', '12'],
  ['regexp_substring("ab", "[0-9]+")', undefined],
  ['reverse("abc")', 'cba'],
  ['rpad("a", 2)', 'a  '],
  ['rtrim(" a  ")', ' a'],
  ['split_value("/test/device001/message", "/", 0)', ''],
  ['split_value("/test/device001/message", "/", 3)', 'message'],
  ['split_value("a-b", "-", -1)', 'b'],
  ['startswith("abc", "ab")', true],
  ['substring("abcdef", 2)', 'cdef'],
  ['substring("abcdef", 2, 2)', 'cd'],
  ['trim("  a ")', 'a'],
  ['upper("abc")', 'ABC'],
  ['upper(n)', undefined],
];

const CONVERSIONS: readonly Case[] = [
  ['cast(2.9, "bigint")', 2],
  ['cast(-2.9, "bigint")', -2],
  ['cast("12", "bigint")', 12],
  ['cast("9007199254740993", "bigint")', 9007199254740993n],
  ['cast(true, "bigint")', 1],
  ['cast("1.5e2", "float")', 150],
  ['cast(12, "string")', '12'],
  ['cast(o, "string")', '{"k":1,"a b":[1,{"x":5},{"x":7}]}'],
  ['cast("true", "boolean")', true],
  ['cast(0, "boolean")', false],
  ['cast(0, "datetime")', new Date(0)],
  ['cast("2026-02-03", "datetime")', new Date(Date.UTC(2026, 1, 3))],
  ['cast("hi", "bytea")', new Uint8Array([104, 105])],
  ['cast(n, "float")', undefined],
  ['cast(1.5, "BIGINT")', 1],
  ['chr(65)', 'A'],
  ['cast(decompress(compress("hello", "zlib"), "zlib"), "string")', 'hello'],
  ['cast(decompress(compress("hello", "gzip"), "gzip"), "string")', 'hello'],
  ['cast(decompress(compress("hello", "flate"), "flate"), "string")', 'hello'],
  ['cast(decompress(compress("hello", "zstd"), "zstd"), "string")', 'hello'],
  ['dec2hex(255)', '0xff'],
  ['hex2dec("0x1F")', 31],
  ['hex2dec("ffffffffffffffff")', -1],
  ['encode("hello", "base64")', 'aGVsbG8='],
  ['cast(decode("aGVsbG8=", "base64"), "string")', 'hello'],
  ['encode("hi", "hex")', '6869'],
  ['trunc(3.789, 2)', 3.78],
  ['trunc(0.29, 2)', 0.29],
  ['trunc(-3.7, 0)', -3],
  ['crc32("abc")', '352441c2'],
  ['md5("a")', '0cc175b9c0f1b6a831c399e269772661'],
  ['sha1("a")', '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8'],
  ['sha256("a")', 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'],
  ['length(sha384("a"))', 96],
  ['length(sha512("a"))', 128],
];

const JSONS: readonly Case[] = [
  ['to_json(o)', '{"k":1,"a b":[1,{"x":5},{"x":7}]}'],
  ['to_json(cast(0, "datetime"))', '"1970-01-01T00:00:00.000Z"'],
  ['to_json(9007199254740993)', '9007199254740993'],
  ['parse_json("{\\"x\\": [1]}")->x[0]', 1],
  ['parse_json("null")', undefined],
  [`parse_json("[\\"${'['.repeat(500)}\\"]")[0]`, '['.repeat(500)],
  ['json_path_exists(o, "$.k")', true],
  ['json_path_exists(o, "$.none")', false],
  ['json_path_query(o, "$[\\"a b\\"][*].x")', [5, 7]],
  ['json_path_query(o, "$[a b][? @.x>5].x")', [7]],
  ['json_path_query(o, "$[a b][? (@.x>5)].x")', [7]],
  ['json_path_query_first(o, "$..x")', 5],
  ['json_path_query_first(o, "$.none")', undefined],
];

const ARRAYS: readonly Case[] = [
  ['array_avg(a)', 2],
  ['array_avg(array_create("x"))', undefined],
  ['array_cardinality(a)', 4],
  ['array_cardinality(n)', 0],
  ['array_concat(a, n, array_create(9))', [1, 2, 2, 3, 9]],
  ['array_contains(a, 3)', true],
  ['array_contains(n, 3)', undefined],
  ['array_contains_any(a, array_create(9, 3))', true],
  ['array_contains_any(n, a)', false],
  ['array_create(1, "a", n)', [1, 'a', undefined]],
  ['array_distinct(a)', [1, 2, 3]],
  ['array_except(a, array_create(2))', [1, 3]],
  ['array_flatten(array_create(a, array_create(4)))', [1, 2, 2, 3, 4]],
  ['array_intersect(a, array_create(2, 3, 4))', [2, 3]],
  ['array_join(array_create(1, n, "b"), "-")', '1-b'],
  ['array_join(array_create(1, n, "b"), "-", "x")', '1-x-b'],
  ['array_last_position(a, 2)', 2],
  ['array_map("abs", array_create(-1, 2, n))', [1, 2, undefined]],
  ['array_map("upper", array_create("a"))', ['A']],
  ['array_max(array_create(1, n, 7))', 7],
  ['array_min(a)', 1],
  ['array_position(a, 2)', 1],
  ['array_position(n, 2)', -1],
  ['array_remove(a, 2)', [1, 3]],
  ['array_shuffle(array_create(1, 2, 3, 4))', [4, 3, 1, 2]],
  ['array_sort(array_create(3, 2, "b", "a"))', [2, 3, 'a', 'b']],
  ['array_union(a, array_create(9))', [1, 2, 3, 9]],
  ['cardinality(a)', 4],
  ['element_at(a, -1)', 3],
  ['kvpair_array_to_obj(obj_to_kvpair_array(object_construct("x", 1)))', { x: 1 }],
  ['repeat("a", 3)', ['a', 'a', 'a']],
  ['sequence(1, 3)', [1, 2, 3]],
  ['sequence(3, 1)', [3, 2, 1]],
  ['sequence(1, 6, 2)', [1, 3, 5]],
];

const OBJECTS: readonly Case[] = [
  ['erase(object_construct("a", 1, "b", 2), "a")', { b: 2 }],
  ['erase(object_construct("a", 1, "b", 2), array_create("a", "b"))', {}],
  ['items(object_construct("a", 1))', [['a', 1]]],
  ['keys(object_construct("a", 1, "b", 2))', ['a', 'b']],
  ['values(object_construct("a", 1, "b", 2))', [1, 2]],
  ['object(array_create("a", "b"), array_create(1, 2))', { a: 1, b: 2 }],
  ['object_concat(object_construct("a", 1, "b", 2), object_construct("b", 3))', { a: 1, b: 3 }],
  ['object_construct("a", 1, "b", n)', { a: 1 }],
  ['object_pick(object_construct("a", 1, "b", 2), "b", "c")', { b: 2 }],
  ['object_size(o)', 2],
  ['obj_to_kvpair_array(object_construct("a", 1))', [{ key: 'a', value: 1 }]],
  ['zip(array_create(array_create("a", 1), array_create("b", 2)))', { a: 1, b: 2 }],
];

const TIMES: readonly Case[] = [
  ['now()', '2026-02-03 04:05:06'],
  ['now(3)', '2026-02-03 04:05:06.789'],
  ['current_timestamp()', '2026-02-03 04:05:06'],
  ['local_time()', '2026-02-03 04:05:06'],
  ['local_timestamp()', '2026-02-03 04:05:06'],
  ['cur_date()', '2026-02-03'],
  ['current_date()', '2026-02-03'],
  ['cur_time()', '04:05:06'],
  ['current_time(1)', '04:05:06.7'],
  ['date_calc("2019-01-01", "1h30m10s")', '2019-01-01 01:30:10'],
  ['date_calc("2019-01-01", "-1h30m")', '2018-12-31 22:30:00'],
  ['date_calc("2019-01-01", "1h30m10s100ms200us300ns")', '2019-01-01 01:30:10'],
  ['date_diff("2026-02-01", "2026-02-03 12:00")', 2],
  ['format_time(convert_tz("2026-02-03T20:00:00Z", "Asia/Shanghai"), "MM-dd HH")', '02-04 04'],
  ['day_name(t)', 'Tuesday'],
  ['day_of_month(t)', 3],
  ['day(e)', 3],
  ['day_of_week(t)', 3],
  ['day_of_year(t)', 34],
  ['format_time(t, "YYYY-MM-dd\'T\'HH:mm:ssSSS Z")', '2026-02-03T04:05:06.789 +0000'],
  ['format_time(e, "EEE d MMM yy h:mm a XXX z G")', 'Tue 3 Feb 26 4:05 AM +00:00 UTC AD'],
  ['format_time(e, "EEEE MMMM dd hh X XX")', 'Tuesday February 03 04 +00 +0000'],
  ['from_days(2)', '1970-01-02'],
  ['from_unix_time(86400)', '1970-01-02 00:00:00'],
  ['hour(t)', 4],
  ['last_day("2024-02-10")', '2024-02-29'],
  ['microsecond(t)', 789000],
  ['minute(t)', 5],
  ['month(t)', 2],
  ['month_name(t)', 'February'],
  ['second(t)', 6],
  ['to_seconds(t)', 1770091506],
  ['year(t)', 2026],
];

const OTHERS: readonly Case[] = [
  ['coalesce(n, none, 3, 4)', 3],
  ['event_time()', 1000],
  ['get_keyed_state("k", "bigint")', 5],
  ['get_keyed_state("other", "bigint", 9)', 9],
  ['isnull(n)', true],
  ['isnull(a)', false],
  ['last_hit_count()', 0],
  ['last_hit_time()', 0],
  ['length(newuuid())', 36],
  ['row_number()', 7],
  ['rule_id()', 'rule-1'],
  ['rule_start()', Date.UTC(2026, 1, 3, 4, 5, 6, 789)],
  ['tstamp()', Date.UTC(2026, 1, 3, 4, 5, 6, 789)],
  ['window_start()', 2000],
  ['window_end()', 3000],
  ['window_trigger()', 2500],
  ['meta(topic)', 'a/b'],
  ['meta(demo.topic)', 'a/b'],
  ['meta(deep.x)', 1],
  ['meta(none.x)', undefined],
  ['mqtt(topic)', 'a/b'],
];

const FAMILIES = { MATH, STRINGS, CONVERSIONS, JSONS, ARRAYS, OBJECTS, TIMES, OTHERS };

for (const [family, cases] of Object.entries(FAMILIES)) {
  test(`functions give what the reference says: ${family.toLowerCase()}`, () => {
    for (const one of cases) check(one);
  });
}

test('unnest makes a row of each element', () => {
  assert.deepEqual(runRows('SELECT unnest(a), b FROM demo', [{ a: [1, 2], b: 3 }]), [
    { unnest: 1, b: 3 },
    { unnest: 2, b: 3 },
  ]);
  assert.deepEqual(runRows('SELECT unnest(x), c FROM demo', [{ x: [{ a: 1, b: 2 }, { a: 3 }], c: 5 }]), [
    { a: 1, b: 2, c: 5 },
    { a: 3, c: 5 },
  ]);
  assert.deepEqual(runRows('SELECT unnest(a) FROM demo', [{ a: [] }, { a: null }, {}]), []);
  assert.throws(() => runRows('SELECT unnest(a) FROM demo', [{ a: 1 }]), RowError);
});

test('every function has a case', () => {
  const tried = new Set(['unnest', 'last_agg_hit_count', 'last_agg_hit_time']);
  for (const [expression] of Object.values(FAMILIES).flat()) {
    for (const [, name] of expression.matchAll(/([a-z_0-9]+)\(/g)) tried.add(name ?? '');
  }
  const scalars = [...FUNCTIONS.values()].filter(({ kind }) => kind === 'scalar' || kind === 'special');
  assert.deepEqual(
    scalars.map(({ name }) => name).filter((name) => !tried.has(name)),
    [],
  );
  assert.ok(FUNCTIONS.size >= 120, `${FUNCTIONS.size} functions`);
});

test('times are those of the time zone of the rule', () => {
  const shanghai = testContext({ zone: { name: 'Asia/Shanghai', offset: () => 8 * 3_600_000 } });
  assert.equal(evaluate('hour(0)', {}, shanghai), 8);
  assert.equal(evaluate('now()', {}, shanghai), '2026-02-03 12:05:06');
  assert.deepEqual(evaluate('cast("1970-01-01 08:00:00", "datetime")', {}, shanghai), new Date(0));
  assert.equal(evaluate('format_time(0, "HH:mm XXX")', {}, shanghai), '08:00 +08:00');
});

test('names that every object has are names like others', () => {
  assert.deepEqual(
    evaluate('object(array_create("__proto__", "constructor"), array_create(1, 2))'),
    JSON.parse('{"__proto__": 1, "constructor": 2}'),
  );
  assert.equal(evaluate('constructor'), undefined);
  assert.equal(evaluate('__proto__'), undefined);
  assert.equal(evaluate('o->toString', ROW), undefined);
  assert.equal(evaluate('hasOwnProperty', { hasOwnProperty: 5 }), 5);
  const merged = evaluate('object_concat(o, p)', JSON.parse('{"o": {}, "p": {"__proto__": {"x": 1}}}'));
  assert.equal(Object.getPrototypeOf(merged), Object.prototype);
  const [row] = runRows('SELECT 1 AS `__proto__`, a AS `toString` FROM demo', [{ a: 2 }]);
  assert.deepEqual(Object.entries(row ?? {}), [
    ['__proto__', 1],
    ['toString', 2],
  ]);
});
