/** All functions of the language, by name. */
import { AGGREGATES } from './aggregates.ts';
import { ANALYTIC } from './analytic.ts';
import { ARRAYS } from './array.ts';
import { CONVERSION } from './conversion.ts';
import { HASHING } from './hashing.ts';
import { JSON_FUNCTIONS } from './json.ts';
import { MATH } from './math.ts';
import { OBJECTS } from './object.ts';
import { OTHERS, SPECIALS } from './other.ts';
import type { ScalarFunction, SqlFunction } from './specification.ts';
import { TEXT } from './text.ts';
import { TIMES } from './time.ts';

export const FUNCTIONS: ReadonlyMap<string, SqlFunction> = new Map(
  [
    ...MATH,
    ...TEXT,
    ...CONVERSION,
    ...HASHING,
    ...JSON_FUNCTIONS,
    ...ARRAYS,
    ...OBJECTS,
    ...TIMES,
    ...OTHERS,
    ...AGGREGATES,
    ...ANALYTIC,
    ...SPECIALS,
  ].map((one): [string, SqlFunction] => [one.name, one]),
);

export function scalarFunction(name: string): ScalarFunction | undefined {
  const found = FUNCTIONS.get(name);
  return found?.kind === 'scalar' ? found : undefined;
}

/** What functions of other dialects are called here. */
export const FOREIGN_FUNCTIONS: Readonly<Record<string, string>> = {
  tumble: 'TUMBLINGWINDOW(ss, 10)',
  hop: 'HOPPINGWINDOW(ss, 10, 5)',
  session: 'SESSIONWINDOW(ss, 60, 10)',
  len: 'length',
  char_length: 'length',
  substr: 'substring',
  ucase: 'upper',
  lcase: 'lower',
  instr: 'indexof',
  strpos: 'indexof',
  ifnull: 'coalesce',
  nvl: 'coalesce',
  uuid: 'newuuid',
  random: 'rand',
  mean: 'avg',
  median: 'percentile(x, 0.5)',
  average: 'avg',
  stddev_pop: 'stddev',
  stddev_samp: 'stddevs',
  var_pop: 'var',
  var_samp: 'vars',
  variance: 'var',
  array_agg: 'collect',
  list: 'collect',
  first: 'first_value',
  last: 'last_value',
  regexp_like: 'regexp_matches',
  regexp_substr: 'regexp_substring',
  regexp_extract: 'regexp_substring',
  date_format: 'format_time',
  strftime: 'format_time',
  to_char: 'format_time',
  current_time_millis: 'tstamp',
  unix_timestamp: 'to_seconds',
  json_extract: 'json_path_query_first',
  json_value: 'json_path_query_first',
  size: 'cardinality',
  array_contain_any: 'array_contains_any',
  explode: 'unnest',
  truncate: 'trunc',
  inc_count: 'count',
  inc_sum: 'sum',
  inc_avg: 'avg',
  inc_max: 'max',
  inc_min: 'min',
  inc_collect: 'collect',
  inc_merge_agg: 'merge_agg',
  inc_last_value: 'last_value',
};
