/**
 * Columns of numbers. What was once a decimal (readings, counters, bool, set-points) is an integer and a power of ten, checked bit by
 * bit; the few rows that are not (NaN, infinities, -0) stand beside. Everything else is its bits, each with those of the row before
 * taken away by XOR, in planes of bytes.
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { MAX_INTEGER, readIntegers, writeIntegers } from './integers.ts';

const Form = { decimal: 0, decimal32: 1, bits64: 2, bits32: 3 } as const;

/** 10^22 is the largest power that is exact. */
const MAX_DIGITS = 22;
export const POWERS: Float64Array = Float64Array.from({ length: MAX_DIGITS + 1 }, (_, digits) => 10 ** digits);
/** More rows than this part beside the column, and the column is no decimals. */
const MAX_ODD_PART = 1 / 16;

interface Decimals {
  readonly isSingle: boolean;
  /** Digits after the point; negative: zeros before it. */
  readonly digits: number;
  readonly integers: Float64Array;
  readonly odd: readonly number[];
}

export function writeNumbers(writer: ByteWriter, values: Float64Array): void {
  const isSingle = !areDoubles(values);
  const decimals = decimalsOf(values, false) ?? (isSingle ? decimalsOf(values, true) : undefined);
  if (decimals !== undefined) {
    writeDecimals(writer, values, decimals);
  } else {
    writer.byte(isSingle ? Form.bits32 : Form.bits64);
    writeBits(writer, isSingle ? new Float32Array(values) : values);
  }
}

export function readNumbers(reader: ByteReader, length: number): Float64Array {
  const form = reader.byte();
  switch (form) {
    case Form.decimal:
    case Form.decimal32:
      return readDecimals(reader, length, form === Form.decimal32);
    case Form.bits64:
      return readBits(reader, new Float64Array(length));
    case Form.bits32:
      return new Float64Array(readBits(reader, new Float32Array(length)));
    default:
      throw new RangeError(`no form ${form} of numbers`);
  }
}

function writeDecimals(writer: ByteWriter, values: Float64Array, decimals: Decimals): void {
  writer.byte(decimals.isSingle ? Form.decimal32 : Form.decimal);
  writer.signed(decimals.digits);
  writer.varint(decimals.odd.length);
  for (const row of decimals.odd) {
    writer.varint(row);
    writer.float64(values[row] ?? Number.NaN);
  }
  writeIntegers(writer, decimals.integers);
}

function readDecimals(reader: ByteReader, length: number, isSingle: boolean): Float64Array {
  const digits = reader.signed();
  if (Math.abs(digits) > MAX_DIGITS) throw new RangeError('a scale beyond all numbers');
  const odd = new Map<number, number>();
  for (let rest = reader.varint(); rest > 0; rest--) odd.set(reader.varint(), reader.float64());
  const values = readIntegers(reader, length);
  if (digits !== 0) expand(values, digits);
  if (isSingle) for (let row = 0; row < length; row++) values[row] = Math.fround(values[row] ?? 0);
  for (const [row, value] of odd) values[row] = value;
  return values;
}

function expand(values: Float64Array, digits: number): void {
  const power = POWERS[Math.abs(digits)] ?? 1;
  // Divided, not multiplied by a fraction: only so is the result the number that the decimal stands for.
  if (digits > 0) for (let row = 0; row < values.length; row++) values[row] = (values[row] ?? 0) / power;
  else for (let row = 0; row < values.length; row++) values[row] = (values[row] ?? 0) * power;
}

function decimalsOf(values: Float64Array, isSingle: boolean): Decimals | undefined {
  const digits = digitsOf(values, isSingle);
  if (digits === undefined) return undefined;
  const power = POWERS[digits] ?? 1;
  const integers = new Float64Array(values.length);
  const odd: number[] = [];
  const maxOdd = values.length * MAX_ODD_PART + 1;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? 0;
    const integer = Math.round(value * power);
    if (isExact(value, integer, power, isSingle)) {
      integers[row] = integer;
    } else {
      if (odd.push(row) > maxOdd) return undefined;
      integers[row] = row === 0 ? 0 : (integers[row - 1] ?? 0);
    }
  }
  if (digits > 0) return { isSingle, digits, integers, odd };
  return { isSingle, digits: -takeZeros(integers), integers, odd };
}

/** So many digits after the point as the longest of the values has; undefined when too many have none that do. */
export function digitsOf(values: Float64Array, isSingle: boolean): number | undefined {
  const maxOdd = values.length * MAX_ODD_PART + 1;
  const most = isSingle ? 9 : 15;
  let digits = 0;
  let odd = 0;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? 0;
    let needed = digits;
    while (
      needed <= most &&
      !isExact(value, Math.round(value * (POWERS[needed] ?? 1)), POWERS[needed] ?? 1, isSingle)
    ) {
      needed++;
    }
    if (needed <= most) digits = needed;
    else if (++odd > maxOdd) return undefined;
  }
  return digits;
}

function isExact(value: number, integer: number, power: number, isSingle: boolean): boolean {
  if (integer > MAX_INTEGER || integer < -MAX_INTEGER) return false;
  const back = integer / power;
  if ((isSingle ? Math.fround(back) : back) !== value) return false;
  return value !== 0 || Object.is(value, 0);
}

/** Divides all by the largest power of ten that leaves them whole; returns its exponent. */
function takeZeros(integers: Float64Array): number {
  let zeros = 0;
  while (zeros < MAX_DIGITS && areTens(integers)) {
    for (let row = 0; row < integers.length; row++) integers[row] = (integers[row] ?? 0) / 10;
    zeros++;
  }
  return zeros;
}

function areTens(integers: Float64Array): boolean {
  let isAnyOther = false;
  for (const integer of integers) {
    if (Math.floor(integer / 10) * 10 !== integer) return false;
    isAnyOther ||= integer !== 0;
  }
  return isAnyOther;
}

/** Whether one of them is not a number of 32 bits. */
function areDoubles(values: Float64Array): boolean {
  for (const value of values) if (!Object.is(Math.fround(value), value)) return true;
  return false;
}

/** Little-endian: plane 0 has the lowest bytes. */
function writeBits(writer: ByteWriter, values: Float64Array | Float32Array): void {
  const width = values.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const plane = new Uint8Array(values.length);
  for (let part = 0; part < width; part++) {
    let before = 0;
    for (let row = 0, at = part; row < plane.length; row++, at += width) {
      const byte = bytes[at] ?? 0;
      plane[row] = byte ^ before;
      before = byte;
    }
    writer.packed(plane);
  }
}

function readBits<Column extends Float64Array | Float32Array>(reader: ByteReader, values: Column): Column {
  const width = values.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  for (let part = 0; part < width; part++) {
    const plane = reader.packed(values.length);
    let before = 0;
    for (let row = 0, at = part; row < plane.length; row++, at += width) {
      before ^= plane[row] ?? 0;
      bytes[at] = before;
    }
  }
  return values;
}
