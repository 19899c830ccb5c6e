/** Raw values as bytes in the order of a wire that knows no types: registers, frames. */
import type { Encoding, RawType, RawValue } from './encoding.ts';
import { float32From, ValueError } from './value.ts';
import { MAX_LIST_LENGTH, type ValueType } from './value-type.ts';

const SIZES: Readonly<Record<Exclude<RawType, 'string' | 'bytes'>, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  bcd16: 2,
  int32: 4,
  uint32: 4,
  bcd32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
};

/** Bytes of one value; undefined where the value decides. */
export function wireSize(type: ValueType, raw: RawType, length: number | undefined): number | undefined {
  const one = raw === 'string' || raw === 'bytes' ? length : SIZES[raw];
  if (type.kind !== 'list' || one === undefined) return one;
  return type.length === undefined ? undefined : type.length * one;
}

type Orders = Pick<Encoding, 'byteOrder' | 'wordOrder' | 'length'>;

/** Throws a ValueError when there are too few bytes. */
export function bytesFromWire(bytes: Uint8Array, type: ValueType, raw: RawType, orders: Orders): RawValue {
  if (type.kind !== 'list') return scalarFromWire(bytes, raw, orders);
  const size = raw === 'string' || raw === 'bytes' ? (orders.length ?? bytes.length) : SIZES[raw];
  const count = type.length ?? Math.min(MAX_LIST_LENGTH, Math.floor(bytes.length / Math.max(1, size)));
  return Array.from({ length: count }, (_, at) =>
    scalarFromWire(bytes.subarray(at * size, (at + 1) * size), raw, orders),
  );
}

/** Throws a ValueError when the value has no such form. */
export function bytesToWire(value: RawValue, type: ValueType, raw: RawType, orders: Orders): Uint8Array {
  if (type.kind !== 'list') return scalarToWire(value, raw, orders);
  if (!Array.isArray(value)) throw new ValueError('must be a list');
  return new Uint8Array(Buffer.concat(value.map((item: RawValue) => scalarToWire(item, raw, orders))));
}

function scalarFromWire(bytes: Uint8Array, raw: RawType, orders: Orders): RawValue {
  if (raw === 'bytes') return orders.length === undefined ? bytes : bytes.subarray(0, orders.length);
  if (raw === 'string') return textFromWire(orders.length === undefined ? bytes : bytes.subarray(0, orders.length));
  const size = SIZES[raw];
  // A register has two bytes, also where one of them is what counts: the lower one, which comes last.
  if (bytes.length < size) throw new ValueError(`has ${bytes.length} bytes instead of ${size}`);
  const first = size === 1 && bytes.length === 2 ? 1 : 0;
  const own = bytes.length === size ? bytes : bytes.subarray(first, first + size);
  const used = size === 1 ? own : ordered(own, orders);
  const view = new DataView(used.buffer, used.byteOffset, used.byteLength);
  switch (raw) {
    case 'bool':
      return bytes.some((byte) => byte !== 0);
    case 'int8':
      return view.getInt8(0);
    case 'uint8':
      return view.getUint8(0);
    case 'int16':
      return view.getInt16(0);
    case 'uint16':
      return view.getUint16(0);
    case 'int32':
      return view.getInt32(0);
    case 'uint32':
      return view.getUint32(0);
    case 'int64':
      return view.getBigInt64(0);
    case 'uint64':
      return view.getBigUint64(0);
    case 'float32':
      return view.getFloat32(0);
    case 'float64':
      return view.getFloat64(0);
    case 'bcd16':
    case 'bcd32':
      return bcdFrom(used);
  }
}

export function scalarToWire(value: RawValue, raw: RawType, orders: Orders): Uint8Array {
  if (raw === 'bytes') {
    if (value instanceof Uint8Array) return value;
    throw new ValueError('must be bytes');
  }
  if (raw === 'string') return textToWire(String(value), orders.length);
  const bytes = new Uint8Array(SIZES[raw]);
  const view = new DataView(bytes.buffer);
  switch (raw) {
    case 'float32':
      view.setFloat32(0, float32From(Number(value)));
      break;
    case 'float64':
      view.setFloat64(0, Number(value));
      break;
    case 'bool':
      bytes[0] = bitFrom(value);
      break;
    case 'bcd16':
    case 'bcd32':
      bcdInto(bytes, Number(value));
      break;
    default:
      integerInto(view, raw, value);
  }
  return ordered(bytes, orders);
}

function bitFrom(value: RawValue): number {
  const bit = Number(value);
  if (bit !== 0 && bit !== 1) throw new ValueError(`is neither 0 nor 1: ${String(value)}`);
  return bit;
}

type IntegerRaw = Exclude<RawType, 'string' | 'bytes' | 'bool' | 'float32' | 'float64' | 'bcd16' | 'bcd32'>;

function integerInto(view: DataView, raw: IntegerRaw, value: RawValue): void {
  const number = typeof value === 'bigint' ? value : BigInt(wholeNumber(value));
  const bits = BigInt(view.byteLength * 8);
  const [least, greatest] = raw.startsWith('u')
    ? [0n, 2n ** bits - 1n]
    : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
  if (number < least || number > greatest) throw new ValueError(`is outside of what ${raw} holds: ${number}`);
  for (let at = view.byteLength - 1, rest = number; at >= 0; at--, rest >>= 8n) view.setUint8(at, Number(rest & 0xffn));
}

function wholeNumber(value: RawValue): number {
  const number = Math.round(Number(value));
  if (!Number.isFinite(number)) throw new ValueError('is not a number');
  return number;
}

/** Big-endian bytes from the wire's order, and the other way: the same change. */
function ordered(bytes: Uint8Array, { byteOrder = 'big', wordOrder = 'big' }: Orders): Uint8Array {
  if (byteOrder === 'big' && wordOrder === 'big') return bytes;
  const size = bytes.length;
  const result = new Uint8Array(size);
  for (let at = 0; at < size; at++) {
    const word = at >> 1;
    const fromWord = wordOrder === 'big' || size < 4 ? word : size / 2 - 1 - word;
    const inWord = byteOrder === 'big' || size < 2 ? at & 1 : 1 - (at & 1);
    result[at] = bytes[fromWord * 2 + inWord] ?? 0;
  }
  return result;
}

function bcdFrom(bytes: Uint8Array): number {
  let number = 0;
  for (const byte of bytes) {
    const [high, low] = [byte >> 4, byte & 0xf];
    if (high > 9 || low > 9) throw new ValueError('has digits above nine, so it is no binary-coded decimal');
    number = number * 100 + high * 10 + low;
  }
  return number;
}

function bcdInto(bytes: Uint8Array, value: number): void {
  const number = Math.round(value);
  if (!(number >= 0 && number < 100 ** bytes.length))
    throw new ValueError(`does not fit into ${bytes.length * 2} decimal digits: ${value}`);
  for (let at = bytes.length - 1, rest = number; at >= 0; at--, rest = Math.floor(rest / 100)) {
    const pair = rest % 100;
    bytes[at] = (Math.floor(pair / 10) << 4) | (pair % 10);
  }
}

/** Up to the first zero: texts in registers are filled up with them. */
function textFromWire(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function textToWire(text: string, length: number | undefined): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (length === undefined) return bytes;
  if (bytes.length > length) throw new ValueError(`has ${bytes.length} bytes, and there is room for ${length}`);
  const filled = new Uint8Array(length);
  filled.set(bytes);
  return filled;
}
