/**
 * Times and values of one series as few bytes: what a row has beyond what the one before lets expect. A block has few rows of many
 * series; what they have in common is for zstd to find, so that the same kind of number stands together.
 */
import type { Boxed } from '../../contract/index.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

export interface Column {
  readonly from: number;
  readonly to: number;
}

// ——— times ———

const Time = { milliseconds: 0, microseconds: 1, raw: 2 } as const;
const MAX_EXACT = 2 ** 50;

/** `times[from]` to `times[to - 1]`; `near` is a time that the first one is probably close to. Returns the first one. */
export function writeTimes(out: ByteWriter, times: Float64Array, { from, to }: Column, near: number): number {
  const first = times[from] ?? 0;
  const unit = unitOf(times, from, to);
  if (unit === undefined || !Number.isInteger(near * unit)) {
    out.byte(Time.raw);
    for (let row = from; row < to; row++) out.float64(times[row] ?? 0);
    return near;
  }
  out.byte(unit === 1 ? Time.milliseconds : Time.microseconds);
  const at = (row: number) => Math.round((times[row] ?? 0) * unit);
  out.signed(at(from) - Math.round(near * unit));
  if (to - from === 1) return first;
  // Their mean distance: what remains is small, however long it is.
  const step = Math.round((at(to - 1) - at(from)) / (to - from - 1));
  out.signed(step);
  for (let row = from + 1, before = at(from); row < to; row++) {
    const time = at(row);
    out.signed(time - before - step);
    before = time;
  }
  return first;
}

export function readTimes(input: ByteReader, times: Float64Array, { from, to }: Column, near: number): number {
  const mode = input.byte();
  if (mode === Time.raw) {
    for (let row = from; row < to; row++) times[row] = input.float64();
    return near;
  }
  if (mode !== Time.milliseconds && mode !== Time.microseconds) throw new RangeError('no such form of times');
  const unit = mode === Time.milliseconds ? 1 : 1000;
  let time = Math.round(near * unit) + input.signed();
  times[from] = time / unit;
  if (to - from > 1) {
    const step = input.signed();
    for (let row = from + 1; row < to; row++) {
      time += step + input.signed();
      times[row] = time / unit;
    }
  }
  return times[from] ?? 0;
}

/** Undefined when they are no multiples of a microsecond that a number holds exactly. */
function unitOf(times: Float64Array, from: number, to: number): number | undefined {
  let unit = 1;
  for (let row = from; row < to; row++) {
    const time = times[row] ?? 0;
    if (Number.isInteger(time) && Math.abs(time) < MAX_EXACT / 1000 && !Object.is(time, -0)) continue;
    const ticks = Math.round(time * 1000);
    if (!(Math.abs(ticks) < MAX_EXACT) || ticks / 1000 !== time || Object.is(time, -0)) return undefined;
    unit = 1000;
  }
  return unit;
}

// ——— values ———

/** From 16 on: decimals of float32, and from 32 on of float64, with so many digits behind the point. */
const Value = { raw: 0, boxed: 1, float32: 16, float64: 32 } as const;
const MAX_DIGITS = 6;
const POWERS = Array.from({ length: MAX_DIGITS + 1 }, (_, digits) => 10 ** digits);

export interface ValueColumns {
  readonly values: Float64Array;
  readonly boxed?: ReadonlyMap<number, Boxed>;
}

export function writeValues(out: ByteWriter, { values, boxed }: ValueColumns, { from, to }: Column): void {
  if (boxed !== undefined && hasBoxed(boxed, from, to)) {
    out.byte(Value.boxed);
    for (let row = from; row < to; row++) writeBoxed(out, boxed.get(row) ?? values[row] ?? Number.NaN);
    return;
  }
  const form = formOf(values, from, to);
  out.byte(form);
  if (form === Value.raw) {
    for (let row = from; row < to; row++) out.float64(values[row] ?? 0);
    return;
  }
  const power = powerOf(form);
  for (let row = from, before = 0; row < to; row++) {
    const number = Math.round((values[row] ?? 0) * power);
    out.signed(number - before);
    before = number;
  }
}

/** Boxed values go into `boxed`. */
export function readValues(
  input: ByteReader,
  values: Float64Array,
  boxed: Map<number, Boxed>,
  { from, to }: Column,
): void {
  const form = input.byte();
  if (form === Value.raw) {
    for (let row = from; row < to; row++) values[row] = input.float64();
    return;
  }
  if (form === Value.boxed) {
    for (let row = from; row < to; row++) {
      const value = readBoxed(input);
      values[row] = typeof value === 'number' ? value : Number.NaN;
      if (typeof value !== 'number') boxed.set(row, value);
    }
    return;
  }
  const power = powerOf(form);
  for (let row = from, number = 0; row < to; row++) {
    number += input.signed();
    values[row] = form < Value.float64 ? Math.fround(number / power) : number / power;
  }
}

function powerOf(form: number): number {
  const power = POWERS[form - (form < Value.float64 ? Value.float32 : Value.float64)];
  if (power === undefined) throw new RangeError('no such form of values');
  return power;
}

/** The fewest digits with which every value comes back to the last bit. */
function formOf(values: Float64Array, from: number, to: number): number {
  const digits = digitsOf(values, from, to, (value) => value);
  if (digits !== undefined) return Value.float64 + digits;
  const single = digitsOf(values, from, to, Math.fround);
  return single === undefined ? Value.raw : Value.float32 + single;
}

function digitsOf(
  values: Float64Array,
  from: number,
  to: number,
  narrow: (value: number) => number,
): number | undefined {
  let digits = 0;
  let power = 1;
  for (let row = from; row < to; row++) {
    const value = values[row] ?? 0;
    while (!(narrow(Math.round(value * power) / power) === value)) {
      if (++digits > MAX_DIGITS) return undefined;
      power = POWERS[digits] ?? 1;
    }
    if (!(Math.abs(value * power) < MAX_EXACT) || Object.is(value, -0)) return undefined;
  }
  return areExact(values, from, to, power, narrow) ? digits : undefined;
}

/** What came back with fewer digits may not with more. */
function areExact(
  values: Float64Array,
  from: number,
  to: number,
  power: number,
  narrow: (value: number) => number,
): boolean {
  if (power === 1) return true;
  for (let row = from; row < to; row++) {
    const value = values[row] ?? 0;
    const number = Math.round(value * power);
    if (narrow(number / power) !== value || !(Math.abs(number) < MAX_EXACT)) return false;
  }
  return true;
}

function hasBoxed(boxed: ReadonlyMap<number, Boxed>, from: number, to: number): boolean {
  for (let row = from; row < to; row++) if (boxed.has(row)) return true;
  return false;
}

const Box = { number: 0, text: 1, bytes: 2, integer: 3, json: 4 } as const;

function writeBoxed(out: ByteWriter, value: number | Boxed): void {
  if (typeof value === 'number') {
    out.byte(Box.number);
    out.float64(value);
  } else if (typeof value === 'string') {
    out.byte(Box.text);
    out.text(value);
  } else if (typeof value === 'bigint') {
    out.byte(Box.integer);
    out.text(String(value));
  } else if (value instanceof Uint8Array) {
    out.byte(Box.bytes);
    out.block(value);
  } else {
    out.byte(Box.json);
    out.text(JSON.stringify(value));
  }
}

function readBoxed(input: ByteReader): number | Boxed {
  const kind = input.byte();
  switch (kind) {
    case Box.number:
      return input.float64();
    case Box.text:
      return input.text();
    case Box.bytes:
      return new Uint8Array(input.block());
    case Box.integer:
      return toInteger(input.text());
    case Box.json:
      return toStructure(input.text());
    default:
      throw new RangeError('no such kind of value');
  }
}

/** Nobody makes us compute with thousands of digits. */
function toInteger(text: string): bigint {
  if (!/^-?\d{1,20}$/.test(text)) throw new RangeError('no such integer');
  return BigInt(text);
}

function toStructure(text: string): Boxed {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new RangeError('no list and no structure');
  return value as Boxed;
}
