/** Functions on arrays. Indexes begin at 0; below 0 they count from the end. */
import { ANY, ARRAY, arrayOf, BIGINT, BOOLEAN, type DataType, FLOAT, STRING, STRUCT, unify } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import type { EvalContext, Value } from '../value.ts';
import { compare, describe, isArray, isNull, isSame, isStruct, keyOf, toText } from '../values.ts';
import { any, array, integer, literal, nullable, optional, rest, string } from './parameters.ts';
import {
  ArgumentProblem,
  type Lookup,
  prepared,
  type ScalarCall,
  type ScalarFunction,
  sameAsFirst,
  scalar,
} from './specification.ts';
import { bounded } from './text.ts';

/** No expression makes an array of more elements. */
const MAX_ELEMENTS = 100_000;

const elementOfFirst = ([first]: readonly DataType[]): DataType => (first?.kind === 'array' ? first.element : ANY);

const ONE = [array('array')] as const;
const TWO = [array('array'), array('other')] as const;
const SEARCH = [array('array'), nullable(any('value'))] as const;
const NULLABLE_SEARCH = [nullable(array('array')), nullable(any('value'))] as const;
const MAP = [literal(string('function')), array('array')] as const;

export const ARRAYS: readonly ScalarFunction[] = [
  scalar(
    'array',
    'array_avg',
    ONE,
    FLOAT,
    'The average of the numbers in the array; NULL when there are none.',
    average,
  ),
  scalar(
    'array',
    'array_cardinality',
    [nullable(array('array'))],
    BIGINT,
    'How many elements the array has; NULL has none.',
    count,
  ),
  scalar(
    'array',
    'array_concat',
    [rest(nullable(array('array')))],
    sameAsFirst,
    'All arrays as one; NULL counts as an empty one.',
    (arrays) => sized(arrays.flatMap((one) => one ?? [])),
  ),
  scalar(
    'array',
    'array_contains',
    SEARCH,
    BOOLEAN,
    'Whether the value is in the array.',
    (items, value) => position(items, value) >= 0,
  ),
  scalar(
    'array',
    'array_contains_any',
    [nullable(array('array')), array('other')],
    BOOLEAN,
    'Whether the arrays have an element in common.',
    (items, other) => shared(items ?? [], other).length > 0,
  ),
  scalar(
    'array',
    'array_create',
    [rest(nullable(any('value')))],
    (types) => arrayOf(types.reduce(unify, types[0] ?? ANY)),
    'An array of the arguments.',
    (values) => [...values],
  ),
  scalar('array', 'array_distinct', ONE, sameAsFirst, 'The array without repetitions.', (items) => distinct(items)),
  scalar(
    'array',
    'array_except',
    TWO,
    sameAsFirst,
    'What is in the first array and not in the other, without repetitions.',
    (items, other) => {
      const excluded = keysOf(other);
      return distinct(items).filter((item) => !excluded.has(keyOf(item)));
    },
  ),
  scalar('array', 'array_flatten', ONE, elementOfFirst, 'The elements of the arrays in the array.', (items) => {
    const flat = items.flatMap((item) => {
      if (!isArray(item)) throw new RowError(`array_flatten: an array is needed, found ${describe(item)}`);
      return item;
    });
    return sized(flat);
  }),
  scalar('array', 'array_intersect', TWO, sameAsFirst, 'What is in both arrays, without repetitions.', shared),
  scalar(
    'array',
    'array_join',
    [array('array'), string('separator'), optional(string('null'))],
    STRING,
    'The elements as one string with the separator between; NULL is left out, or stands as the third argument.',
    (items, separator, replacement) => join(items, separator, replacement),
  ),
  scalar(
    'array',
    'array_last_position',
    NULLABLE_SEARCH,
    BIGINT,
    'Where the value last stands in the array, from 0; -1 when it does not.',
    (items, value) => (items ?? []).findLastIndex((item) => isSame(item, value)),
  ),
  scalar(
    'array',
    'array_map',
    MAP,
    ARRAY,
    'The array with the function of that name applied to each element.',
    () => {
      throw new RowError('array_map: the function has to be named by a literal');
    },
    { prepare: prepareMap },
  ),
  scalar('array', 'array_max', ONE, elementOfFirst, 'The greatest element; NULL does not count.', (items) =>
    extreme(items, 1),
  ),
  scalar('array', 'array_min', ONE, elementOfFirst, 'The smallest element; NULL does not count.', (items) =>
    extreme(items, -1),
  ),
  scalar(
    'array',
    'array_position',
    NULLABLE_SEARCH,
    BIGINT,
    'Where the value first stands in the array, from 0; -1 when it does not.',
    (items, value) => position(items ?? [], value),
  ),
  scalar('array', 'array_remove', SEARCH, sameAsFirst, 'The array without the value.', (items, value) =>
    items.filter((item) => !isSame(item, value)),
  ),
  scalar('array', 'array_shuffle', ONE, sameAsFirst, 'The elements in a random order.', shuffle),
  scalar('array', 'array_sort', ONE, sameAsFirst, 'The elements in order: numbers before strings.', (items) =>
    items.toSorted(compare),
  ),
  scalar(
    'array',
    'array_union',
    TWO,
    sameAsFirst,
    'What is in one of the arrays or both, without repetitions.',
    (items, other) => sized(distinct([...items, ...other])),
  ),
  scalar(
    'array',
    'cardinality',
    [nullable(array('array'))],
    BIGINT,
    'How many elements the array has; NULL has none.',
    count,
  ),
  scalar(
    'array',
    'element_at',
    [array('array'), integer('index')],
    elementOfFirst,
    'The element at that index.',
    (items, index) => {
      if (index >= items.length || index < -items.length)
        throw new RowError(`element_at: there is no element ${index}`);
      return items.at(index);
    },
  ),
  scalar(
    'array',
    'kvpair_array_to_obj',
    ONE,
    STRUCT,
    'A struct of an array of structs with the fields key and value.',
    (items) => Object.fromEntries(items.map(pairOf)),
  ),
  scalar(
    'array',
    'repeat',
    [any('value'), integer('count')],
    ([first]) => arrayOf(first ?? ANY),
    'An array that has the value so many times.',
    (value, times) => {
      if (times < 0) throw new RowError('repeat: a count cannot be negative');
      return Array.from({ length: allowed(times) }, () => value);
    },
  ),
  scalar(
    'array',
    'sequence',
    [integer('start'), integer('stop'), optional(integer('step'))],
    arrayOf(BIGINT),
    'The bigints from start to stop, both included, by steps of 1, or -1 downwards, or of the third argument.',
    sequence,
  ),
];

function count(items: readonly Value[] | undefined): number {
  return items?.length ?? 0;
}

function position(items: readonly Value[], value: Value): number {
  return items.findIndex((item) => isSame(item, value));
}

function keysOf(items: readonly Value[]): Set<string> {
  return new Set(items.map(keyOf));
}

function distinct(items: readonly Value[]): Value[] {
  const known = new Set<string>();
  return items.filter((item) => {
    const key = keyOf(item);
    return !known.has(key) && known.add(key) !== undefined;
  });
}

function shared(items: readonly Value[], other: readonly Value[]): Value[] {
  const wanted = keysOf(other);
  return distinct(items).filter((item) => wanted.has(keyOf(item)));
}

function average(items: readonly Value[]): Value {
  const numbers = items.filter((item) => typeof item === 'number' || typeof item === 'bigint').map(Number);
  return numbers.length === 0 ? undefined : numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}

function extreme(items: readonly Value[], sign: 1 | -1): Value {
  let best: Value;
  for (const item of items) {
    if (!isNull(item) && (isNull(best) || compare(item, best) * sign > 0)) best = item;
  }
  return best;
}

function join(items: readonly Value[], separator: string, replacement: string | undefined): string {
  const texts = items.flatMap((item) => (isNull(item) ? (replacement ?? []) : toText(item)));
  return bounded(texts.join(separator));
}

function shuffle(items: readonly Value[], { random }: EvalContext): Value {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other], shuffled[last]];
  }
  return shuffled;
}

function pairOf(item: Value): [string, Value] {
  const key = isStruct(item) ? item['key'] : undefined;
  if (typeof key !== 'string' || !isStruct(item)) {
    throw new RowError(`kvpair_array_to_obj: a struct with a key is needed, found ${describe(item)}`);
  }
  return [key, item['value']];
}

function sequence(start: number, stop: number, step = start <= stop ? 1 : -1): Value {
  if (step === 0) throw new RowError('sequence: a step cannot be 0');
  const length = Math.max(0, Math.floor((stop - start) / step) + 1);
  return Array.from({ length: allowed(length) }, (_, index) => start + index * step);
}

function allowed(length: number): number {
  if (length > MAX_ELEMENTS) throw new RowError(`an array of ${length} elements is too large`);
  return length;
}

function sized(items: Value[]): Value[] {
  allowed(items.length);
  return items;
}

function prepareMap([name]: readonly Value[], lookup: Lookup): ScalarCall {
  const inner = lookup(String(name).toLowerCase());
  const parameter = inner?.parameters[0];
  if (
    inner === undefined ||
    parameter === undefined ||
    inner.parameters.slice(1).some(({ isOptional }) => !isOptional)
  ) {
    throw new ArgumentProblem(
      0,
      `"${String(name)}" is no function of one argument`,
      'name one such as "abs" or "upper"',
    );
  }
  const call = inner.call as (...args: unknown[]) => Value;
  const absent = inner.parameters.slice(1).map(() => undefined);
  return prepared(MAP, (_, items, context) =>
    items.map((item) => {
      if (isNull(item)) return undefined;
      const argument = parameter.read(item, context);
      if (argument === undefined)
        throw new RowError(`${inner.name}: ${parameter.shows} is needed, found ${describe(item)}`);
      return call(parameter.isRest ? [argument] : argument, ...absent, context);
    }),
  );
}
