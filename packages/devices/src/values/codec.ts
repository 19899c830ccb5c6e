/** Between what a protocol carries and what a property means: order of bytes and words, bits, scale, expression, unit. */
import type { Encoding, RawType, RawValue } from './encoding.ts';
import { compileExpression } from './expression.ts';
import { conversion, parseUnit } from './units.ts';
import { float32From, integerValue, type Value, ValueError } from './value.ts';
import { formatValueType, integerRange, isNumeric, type ScalarType, type ValueType } from './value-type.ts';
import { bytesFromWire, bytesToWire, wireSize } from './wire.ts';

export interface Codec {
  /** Bytes that the raw value has on a wire without types; undefined when it depends on the value. */
  readonly size: number | undefined;
  /** The bits that a write may change; all without it. */
  readonly mask?: bigint;
  /** Throws a ValueError. */
  readonly decode: (raw: RawValue) => Value;
  /** The raw value to write, as bytes when `asBytes`. Throws a ValueError. */
  readonly encode: (value: Value, asBytes: boolean) => RawValue;
}

/** Throws a ValueError or an ExpressionError that completes a sentence about the encoding. */
export function compileCodec(type: ValueType, unit: string | undefined, encoding: Encoding = {}): Codec {
  const raw: RawType = encoding.type ?? defaultRawType(type);
  const size = wireSize(type, raw, encoding.length);
  const mask = encoding.bitMask === undefined ? undefined : BigInt(encoding.bitMask);
  const change = compileChange(type, unit, encoding, mask);
  return {
    size,
    ...(mask === undefined ? {} : { mask }),
    decode: (given) =>
      cast(
        type,
        change.decode(
          given instanceof Uint8Array && raw !== 'bytes' ? bytesFromWire(given, type, raw, encoding) : given,
        ),
      ),
    encode: (value, asBytes) => {
      const plain = change.encode(value);
      return asBytes && !(plain instanceof Uint8Array && raw === 'bytes')
        ? bytesToWire(plain, type, raw, encoding)
        : plain;
    },
  };
}

/**
 * What `decode` makes of bytes before all else. For drivers that read many small values: their threads then hand on
 * numbers, which cost less than pieces of memory. Throws a ValueError.
 */
export function wireReader(type: ValueType, encoding: Encoding = {}): (bytes: Uint8Array) => RawValue {
  const raw: RawType = encoding.type ?? defaultRawType(type);
  return raw === 'bytes' ? (bytes) => bytes.slice() : (bytes) => bytesFromWire(bytes, type, raw, encoding);
}

function defaultRawType(type: ValueType): RawType {
  if (type.kind === 'scalar') return type.scalar === 'datetime' ? 'int64' : type.scalar;
  if (type.kind === 'list') return defaultRawType(type.items);
  return 'bytes';
}

interface Change {
  readonly decode: (raw: RawValue) => RawValue;
  readonly encode: (value: RawValue) => RawValue;
}

const AS_IT_IS: Change = { decode: (raw) => raw, encode: (value) => value };

/** Bits first, then numbers; nothing at all where nothing is asked, so that 64-bit integers stay exact. */
function compileChange(
  type: ValueType,
  unit: string | undefined,
  encoding: Encoding,
  mask: bigint | undefined,
): Change {
  const numbers = compileNumbers(unit, encoding);
  if (mask === undefined && numbers === undefined) return AS_IT_IS;
  const items = type.kind === 'list' ? type.items : type;
  if (!isNumeric(items) && !(items.kind === 'scalar' && items.scalar === 'bool'))
    throw new ValueError(`has steps for numbers, but the property is ${formatValueType(type)}`);
  const shift = mask === undefined ? 0n : trailingZeros(mask);
  const one: Change = {
    decode: (raw) => {
      const bits = mask === undefined ? raw : (integerFrom(raw) & mask) >> shift;
      return numbers === undefined ? bits : numbers.decode(Number(bits));
    },
    encode: (value) => {
      const number = numbers === undefined ? value : numbers.encode(Number(value));
      return mask === undefined ? number : bitsOf(integerFrom(number), mask, shift);
    },
  };
  if (type.kind !== 'list') return one;
  return {
    decode: (raw) => listOf(raw).map(one.decode),
    encode: (value) => listOf(value).map(one.encode),
  };
}

function bitsOf(integer: bigint, mask: bigint, shift: bigint): bigint {
  const bits = integer << shift;
  if (integer < 0n || (bits & mask) !== bits) throw new ValueError(`does not fit into the bitMask ${mask}: ${integer}`);
  return bits;
}

function listOf(raw: RawValue): readonly RawValue[] {
  if (Array.isArray(raw)) return raw;
  throw new ValueError('must be a list');
}

interface Numbers {
  decode(number: number): number;
  encode(number: number): number;
}

function compileNumbers(unit: string | undefined, encoding: Encoding): Numbers | undefined {
  const { scale = 1, offset = 0, expression, writeExpression } = encoding;
  const converted = compileUnit(unit, encoding.unit);
  const isLinear = scale !== 1 || offset !== 0;
  if (!isLinear && expression === undefined && writeExpression === undefined && converted === undefined)
    return undefined;
  if (scale === 0) throw new ValueError('has the scale 0, which loses every value');
  const forward = expression === undefined ? undefined : compileExpression(expression, ['x']);
  const backward = writeExpression === undefined ? undefined : compileExpression(writeExpression, ['x']);
  const { factor, offset: shift } = converted ?? { factor: 1, offset: 0 };
  return {
    decode: (number) => {
      const linear = number * scale + offset;
      const computed = forward === undefined ? linear : Number(forward.evaluate([linear]));
      return computed * factor + shift;
    },
    encode: (number) => {
      if (backward !== undefined) return Number(backward.evaluate([number]));
      if (forward !== undefined)
        throw new ValueError('has an expression without a writeExpression, so it cannot be written');
      return ((number - shift) / factor - offset) / scale;
    },
  };
}

function compileUnit(unit: string | undefined, rawUnit: string | undefined): ReturnType<typeof conversion> {
  if (rawUnit === undefined || rawUnit === unit) return undefined;
  const [from, to] = [parseUnit(rawUnit), unit === undefined ? undefined : parseUnit(unit)];
  if (from === undefined) throw new ValueError(`has the unit ${rawUnit}, which is not a UCUM code`);
  if (to === undefined) throw new ValueError(`has the unit ${rawUnit}, but the property has no unit`);
  const way = conversion(from, to);
  if (way === undefined) throw new ValueError(`has the unit ${rawUnit}, which does not measure what ${unit} does`);
  return way;
}

function trailingZeros(mask: bigint): bigint {
  if (mask === 0n) throw new ValueError('has a bitMask without bits');
  let shift = 0n;
  while (((mask >> shift) & 1n) === 0n) shift++;
  return shift;
}

function integerFrom(raw: RawValue): bigint {
  if (typeof raw === 'bigint') return raw;
  if (typeof raw === 'boolean') return raw ? 1n : 0n;
  const number = Number(raw);
  if (!Number.isFinite(number)) throw new ValueError(`is not a number: ${String(raw)}`);
  return BigInt(Math.round(number));
}

// ——— to the property's type ———

function cast(type: ValueType, raw: RawValue): Value {
  switch (type.kind) {
    case 'scalar':
      return castScalar(type.scalar, raw);
    case 'list': {
      const list = listOf(raw);
      if (type.length !== undefined && list.length !== type.length)
        throw new ValueError(`has ${list.length} items instead of ${type.length}`);
      return list.map((item) => cast(type.items, item));
    }
    case 'struct': {
      if (typeof raw !== 'object' || raw instanceof Uint8Array || Array.isArray(raw))
        throw new ValueError(`is no ${type.name}`);
      const struct = raw as { readonly [field: string]: RawValue };
      return Object.fromEntries(
        type.fields.map(({ name, type: field }) => {
          const value = Object.hasOwn(struct, name) ? struct[name] : undefined;
          if (value === undefined) throw new ValueError(`lacks the field ${name}`);
          return [name, cast(field, value)];
        }),
      );
    }
  }
}

function castScalar(type: ScalarType, raw: RawValue): Value {
  switch (type) {
    case 'float64':
      return numberFrom(raw);
    case 'float32':
      return float32From(numberFrom(raw));
    case 'bool':
      return typeof raw === 'boolean' ? raw : booleanFrom(raw);
    case 'string':
      return typeof raw === 'object' ? textFrom(raw) : String(raw);
    case 'bytes':
      if (raw instanceof Uint8Array) return raw;
      if (typeof raw === 'string') return new TextEncoder().encode(raw);
      throw new ValueError('is not bytes');
    case 'datetime':
      return typeof raw === 'string' ? timeFrom(raw) : numberFrom(raw);
    default:
      return castInteger(type, raw);
  }
}

function castInteger(type: ScalarType, raw: RawValue): number | bigint {
  // The common case without a bigint: a number that the type holds.
  if (typeof raw === 'number' && !type.endsWith('int64')) {
    const rounded = Math.round(raw);
    const range = RANGES[type];
    // Without the sign that zero may have here.
    if (range !== undefined && rounded >= range.least && rounded <= range.greatest) return rounded + 0;
  }
  if (typeof raw === 'string' && /^-?\d{1,20}$/.test(raw)) return integerValue(type, BigInt(raw));
  return integerValue(type, integerFrom(raw));
}

const RANGES: Readonly<Partial<Record<ScalarType, { readonly least: number; readonly greatest: number }>>> =
  Object.fromEntries(
    (['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'] as const).map((type) => {
      const range = integerRange(type);
      return [type, { least: Number(range?.least), greatest: Number(range?.greatest) }];
    }),
  );

function numberFrom(raw: RawValue): number {
  if (typeof raw === 'number') return raw;
  const number = typeof raw === 'object' || raw === '' ? Number.NaN : Number(raw);
  if (Number.isNaN(number)) throw new ValueError('is not a number');
  return number;
}

const TRUE = new Set(['true', 'on', 'yes', '1']);
const FALSE = new Set(['false', 'off', 'no', '0']);

function booleanFrom(raw: RawValue): boolean {
  if (typeof raw === 'number' || typeof raw === 'bigint') return Number(raw) !== 0;
  const word = typeof raw === 'string' ? raw.trim().toLowerCase() : '';
  if (TRUE.has(word)) return true;
  if (FALSE.has(word)) return false;
  throw new ValueError('is neither true nor false');
}

function textFrom(raw: RawValue): string {
  if (raw instanceof Uint8Array) return new TextDecoder().decode(raw);
  throw new ValueError('is not a text');
}

function timeFrom(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new ValueError('is not a time');
  return time;
}
