/** Between JSON and the values of the language: integers are 64 bits wide, times are times, fields have names that can be written. */
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { parseDuration } from '../durations.ts';
import { isObject, type JsonObject, setMember } from '../json.ts';
import type { Schema } from '../schema.ts';

/** Words of the language that cannot name a field. */
const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** How a field is written in an expression; undefined when it cannot be. */
export function escapedName(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`;
  const escaped = name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(escaped) ? escaped : undefined;
}

/** A value as expressions see it; `schema` says what a text or a number means. Without one, JSON means itself. */
export function toCel(value: unknown, schema: Schema = {}): unknown {
  if (value === null) return null;
  if (typeof value === 'number') return toNumber(value, schema);
  if (typeof value === 'string') return toText(value, schema);
  if (Array.isArray(value)) return value.map((item: unknown) => toCel(item, schema.items));
  if (isObject(value)) return toMap(value, schema);
  return value;
}

function toNumber(value: number, { type }: Schema): bigint | number {
  return type !== 'number' && Number.isInteger(value) ? BigInt(value) : value;
}

function toText(value: string, { format }: Schema): unknown {
  switch (format) {
    case 'date-time':
    case 'datetime':
    case 'date':
      return new Date(value);
    case 'duration':
      return Duration.fromMilliseconds(parseDuration(value) ?? 0);
    case 'byte':
      return Uint8Array.from(Buffer.from(value, 'base64'));
    default:
      return value;
  }
}

/** Without a prototype: a key may be called `constructor`. What the schema does not know is not there. */
function toMap(value: Readonly<Record<string, unknown>>, schema: Schema): object {
  const { properties, additionalProperties } = schema;
  const isFree = properties === undefined || additionalProperties !== undefined;
  const map: Record<string, unknown> = Object.create(null);
  for (const [key, each] of Object.entries(value)) {
    if (properties !== undefined && Object.hasOwn(properties, key)) {
      const name = escapedName(key);
      if (name !== undefined) map[name] = toCel(each, properties[key]);
    } else if (isFree) map[key] = toCel(each, additionalProperties);
  }
  return map;
}

/** A value of the language as JSON; integers beyond 2^53 lose their last digits, as everywhere in JSON. */
export function fromCel(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof UnsignedInt) return Number(value.value);
  if (value instanceof Date) return value.toISOString().replace(/\.000Z$/, 'Z');
  if (value instanceof Duration) return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(fromCel);
  if (value instanceof Map) return fromEntries(value.entries());
  return isObject(value) ? fromEntries(Object.entries(value)) : value;
}

function fromEntries(entries: Iterable<[unknown, unknown]>): JsonObject {
  const object: JsonObject = {};
  for (const [key, each] of entries) setMember(object, String(key), fromCel(each));
  return object;
}
