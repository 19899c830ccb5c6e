/** Functions on structs. */
import { ARRAY, arrayOf, BIGINT, STRING, STRUCT } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import type { Value } from '../value.ts';
import { describe, isArray, isNull } from '../values.ts';
import { any, array, nullable, rest, string, struct } from './parameters.ts';
import { type ScalarFunction, scalar } from './specification.ts';

const ONE = [struct('struct')] as const;

export const OBJECTS: readonly ScalarFunction[] = [
  scalar(
    'object',
    'erase',
    [struct('struct'), any('keys')],
    STRUCT,
    'The struct without a key, or without an array of keys.',
    (object, keys) => {
      const erased = new Set(isArray(keys) ? keys : [keys]);
      return Object.fromEntries(Object.entries(object).filter(([key]) => !erased.has(key)));
    },
  ),
  scalar('object', 'items', ONE, ARRAY, 'The fields of the struct as arrays of key and value.', (object) =>
    Object.entries(object),
  ),
  scalar('object', 'keys', ONE, arrayOf(STRING), 'The keys of the struct.', (object) => Object.keys(object)),
  scalar(
    'object',
    'object',
    [array('keys'), array('values')],
    STRUCT,
    'A struct of keys and as many values.',
    (keys, values) => {
      if (keys.length !== values.length) throw new RowError(`object: ${keys.length} keys and ${values.length} values`);
      return Object.fromEntries(keys.map((key, index): [string, Value] => [keyOf('object', key), values[index]]));
    },
  ),
  scalar(
    'object',
    'object_concat',
    [struct('struct'), rest(struct('other'))],
    STRUCT,
    'The fields of all structs in one; of those with the same key the last.',
    (first, others) => Object.fromEntries([first, ...others].flatMap((object) => Object.entries(object))),
  ),
  scalar(
    'object',
    'object_construct',
    [rest(nullable(any('key, value')))],
    STRUCT,
    'A struct of keys and values in turn; fields whose value is NULL are left out.',
    construct,
  ),
  scalar(
    'object',
    'object_pick',
    [struct('struct'), rest(string('key'))],
    STRUCT,
    'The struct with only these keys.',
    (object, keys) =>
      Object.fromEntries(keys.filter((key) => Object.hasOwn(object, key)).map((key) => [key, object[key]])),
  ),
  scalar(
    'object',
    'object_size',
    ONE,
    BIGINT,
    'How many fields the struct has.',
    (object) => Object.keys(object).length,
  ),
  scalar(
    'object',
    'obj_to_kvpair_array',
    ONE,
    ARRAY,
    'The fields of the struct as structs with the fields key and value.',
    (object) => Object.entries(object).map(([key, value]) => ({ key, value })),
  ),
  scalar('object', 'values', ONE, ARRAY, 'The values of the struct.', (object) => Object.values(object)),
  scalar('object', 'zip', [array('entries')], STRUCT, 'A struct of an array of arrays of key and value.', (entries) =>
    Object.fromEntries(
      entries.map((entry): [string, Value] => {
        if (!isArray(entry) || entry.length !== 2)
          throw new RowError(`zip: key and value are needed, found ${describe(entry)}`);
        return [keyOf('zip', entry[0]), entry[1]];
      }),
    ),
  ),
];

function construct(parts: readonly Value[]): Value {
  if (parts.length % 2 !== 0) throw new RowError('object_construct: the last key has no value');
  const entries: [string, Value][] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const key = keyOf('object_construct', parts[at]);
    if (!isNull(parts[at + 1])) entries.push([key, parts[at + 1]]);
  }
  return Object.fromEntries(entries);
}

function keyOf(name: string, key: Value): string {
  if (typeof key !== 'string') throw new RowError(`${name}: a key is a string, found ${describe(key)}`);
  return key;
}
