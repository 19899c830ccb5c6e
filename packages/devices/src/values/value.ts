/** Values of properties: exact in memory, and how they stand in JSON and on the bus. */
import type { Boxed, Scalar } from '@skerry/streams/contract';
import { formatValueType, integerRange, type ScalarType, type ValueType } from './value-type.ts';

/**
 * bool: boolean; int8 to uint32, float32, float64: number; int64 and uint64: bigint; datetime: milliseconds since 1970;
 * string, bytes, lists and structures as they are.
 */
export type Value =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | { readonly [field: string]: Value };

/** Not a value of the type; the message completes a sentence about what was given. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}

const MAX_TEXT_LENGTH = 65_536;

// ——— JSON ———

/** From JSON as people and the API write it: 64-bit integers also as text, bytes as base64, datetime as RFC 3339. Throws a ValueError. */
export function valueFromJson(type: ValueType, json: unknown): Value {
  switch (type.kind) {
    case 'scalar':
      return scalarFromJson(type.scalar, json);
    case 'list':
      if (!Array.isArray(json)) throw wrong(type, json);
      if (type.length !== undefined && json.length !== type.length)
        throw new ValueError(`must have ${type.length} items, not ${json.length}`);
      return json.map((item) => valueFromJson(type.items, item));
    case 'struct': {
      if (!isRecord(json)) throw wrong(type, json);
      const names = new Set(type.fields.map(({ name }) => name));
      const unknown = Object.keys(json).find((name) => !names.has(name));
      if (unknown !== undefined) throw new ValueError(`has a field ${unknown}, which ${type.name} does not have`);
      return Object.fromEntries(
        type.fields.map(({ name, type: field }) => {
          if (!Object.hasOwn(json, name)) throw new ValueError(`lacks the field ${name}`);
          return [name, valueFromJson(field, json[name])];
        }),
      );
    }
  }
}

function scalarFromJson(type: ScalarType, json: unknown): Value {
  switch (type) {
    case 'bool':
      if (typeof json === 'boolean') return json;
      break;
    case 'string':
      if (typeof json === 'string' && json.length <= MAX_TEXT_LENGTH) return json;
      break;
    case 'bytes':
      if (typeof json === 'string' && BASE64.test(json) && json.length <= MAX_TEXT_LENGTH)
        return new Uint8Array(Buffer.from(json, 'base64'));
      break;
    case 'datetime': {
      const time = typeof json === 'string' && RFC_3339.test(json) ? Date.parse(json) : Number.NaN;
      if (!Number.isNaN(time)) return time;
      break;
    }
    case 'float32':
    case 'float64': {
      const number = typeof json === 'string' ? SPECIAL[json] : json;
      if (typeof number === 'number') return type === 'float32' ? float32From(number) : number;
      break;
    }
    default: {
      const integer = integerOf(json);
      if (integer !== undefined) return integerValue(type, integer);
    }
  }
  throw wrong({ kind: 'scalar', scalar: type }, json);
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;
const INTEGER = /^-?\d{1,20}$/;
/** JSON has no such numbers. */
const SPECIAL: Readonly<Record<string, number>> = Object.assign(Object.create(null), {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
});

function integerOf(json: unknown): bigint | undefined {
  if (typeof json === 'bigint') return json;
  if (typeof json === 'number' && Number.isSafeInteger(json)) return BigInt(json);
  return typeof json === 'string' && INTEGER.test(json) ? BigInt(json) : undefined;
}

/** Throws when it is outside of what the type holds. */
export function integerValue(type: ScalarType, integer: bigint): number | bigint {
  const range = integerRange(type);
  if (range === undefined || integer < range.least || integer > range.greatest)
    throw new ValueError(`must be between ${range?.least} and ${range?.greatest}, not ${integer}`);
  return type.endsWith('64') ? integer : Number(integer);
}

/** The nearest float32. Throws where that would be an infinity and the number is none. */
export function float32From(number: number): number {
  const nearest = Math.fround(number);
  if (Number.isFinite(number) && !Number.isFinite(nearest))
    throw new ValueError(`is outside of what float32 holds: ${number}`);
  return nearest;
}

function wrong(type: ValueType, json: unknown): ValueError {
  return new ValueError(`must be ${formatValueType(type)}, not ${describe(json)}`);
}

function describe(json: unknown): string {
  const text = typeof json === 'bigint' ? String(json) : (JSON.stringify(json) ?? 'nothing');
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** To JSON, so that `valueFromJson` gives the same value: integers that JSON readers would round are text. */
export function valueToJson(type: ValueType, value: Value): unknown {
  switch (type.kind) {
    case 'scalar':
      return scalarToJson(type.scalar, value);
    case 'list':
      return Array.isArray(value) ? value.map((item: Value) => valueToJson(type.items, item)) : [];
    case 'struct': {
      const struct = isRecord(value) ? (value as Readonly<Record<string, Value>>) : {};
      return Object.fromEntries(
        type.fields.map(({ name, type: field }) => [name, valueToJson(field, struct[name] ?? Number.NaN)]),
      );
    }
  }
}

function scalarToJson(type: ScalarType, value: Value): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value !== 'number') return value;
  if (type === 'datetime') return Number.isNaN(new Date(value).getTime()) ? null : new Date(value).toISOString();
  if (!Number.isFinite(value)) return String(value);
  // The shortest text that is this float32: 0.1 and not 0.10000000149011612.
  return type === 'float32' ? shortest(value) : value;
}

function shortest(value: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === Math.fround(value)) return candidate;
  }
  return value;
}

// ——— bus ———

/** As it travels in a batch. */
export function valueToBus(value: Value): Scalar | Boxed {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'bigint') return value as Boxed;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** From a batch; NaN stands for "no value", which is what a bad sample of any type may have. */
export function valueFromBus(type: ValueType, sample: Scalar | Boxed): Value {
  if (typeof sample !== 'number' || type.kind !== 'scalar') return sample as Value;
  if (type.scalar === 'bool') return Number.isNaN(sample) ? sample : sample !== 0;
  if (!type.scalar.endsWith('int64')) return sample;
  return Number.isSafeInteger(sample) ? BigInt(sample) : sample;
}

/** The same value, looked into. */
export function isSameValue(a: Value, b: Value): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item: Value, at) => isSameValue(item, b[at]));
  if (!isRecord(a) || !isRecord(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSameValue(a[name] as Value, b[name] as Value))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
