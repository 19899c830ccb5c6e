/** Functions on JSON, as text and as structures. */
import { compileJsonPath, type JsonPathReader } from '@skerry/api/jsonpath';
import { ANY, ARRAY, BOOLEAN, STRING } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import type { Value } from '../value.ts';
import { describe, toJson } from '../values.ts';
import { isTooDeep, MAX_JSON_DEPTH } from './json-depth.ts';
import { any, string } from './parameters.ts';
import { ArgumentProblem, prepared, type ScalarFunction, scalar } from './specification.ts';

/** Longer than any that a person writes; what comes with a row may be anything. */
const MAX_PATH_LENGTH = 1024;

const PATH = [any('value'), string('path')] as const;

export const JSON_FUNCTIONS: readonly ScalarFunction[] = [
  scalar('json', 'to_json', [any('value')], STRING, 'The value as JSON text.', (value) => toJson(value)),
  scalar('json', 'parse_json', [string('text')], ANY, 'The value that JSON text stands for.', parseJson),
  onPath(
    'json_path_exists',
    BOOLEAN,
    'Whether the JSON path leads anywhere in the value.',
    (found) => found.length > 0,
  ),
  onPath('json_path_query', ARRAY, 'All values that the JSON path leads to.', (found) => found),
  onPath(
    'json_path_query_first',
    ANY,
    'The first value that the JSON path leads to; NULL when there is none.',
    (found) => found[0],
  ),
];

function onPath(
  name: string,
  returns: typeof ANY,
  summary: string,
  answer: (found: readonly Value[]) => Value,
): ScalarFunction {
  return scalar('json', name, PATH, returns, summary, (value, path) => answer(readerOf(path)(value) as Value[]), {
    prepare: ([, path]) => {
      if (typeof path !== 'string') return undefined;
      const read = compileJsonPath(canonical(path));
      if (read === undefined) {
        throw new ArgumentProblem(1, 'this is no JSON path', 'write it like $.a.b, $.a[0], $.a[*].b or $.a[? @.b>1].c');
      }
      return prepared(PATH, (value) => answer(read(value) as Value[]));
    },
  });
}

function readerOf(path: string): JsonPathReader {
  const read = path.length > MAX_PATH_LENGTH ? undefined : compileJsonPath(canonical(path));
  if (read === undefined) throw new RowError(`${describe(path)} is no JSON path`);
  return read;
}

/** Conditions may stand without parentheses, and names in brackets without quotes. */
function canonical(path: string): string {
  return path
    .replaceAll(/\[\?\s*([^()[\]]+?)\s*\]/g, '[?($1)]')
    .replaceAll(/\[\?\s+\(/g, '[?(')
    .replaceAll(/\[([\p{L}_][^\][?()'"*:,]*)\]/gu, '["$1"]');
}

function parseJson(text: string): Value {
  if (isTooDeep(text)) {
    throw new RowError(`parse_json: more than ${MAX_JSON_DEPTH} levels of arrays and structs`);
  }
  try {
    return JSON.parse(text) as Value;
  } catch (cause) {
    throw new RowError(`parse_json: ${describe(text)} is no JSON`, { cause });
  }
}
