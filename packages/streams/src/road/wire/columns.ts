/** Times and values of one series as small numbers: what a row has beyond what the one before lets expect. */
import type { Boxed } from '../../contract/index.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import type { NumberReader, NumberWriter } from './number-streams.ts';

export interface Column {
  readonly from: number;
  readonly to: number;
}

// ——— times ———

const Time = { milliseconds: 0, microseconds: 1, raw: 2 } as const;
/** In microseconds: until 2112. */
const MAX_TICKS = 2 ** 52;
/** Sums and differences of a few such numbers are exact. */
const MAX_EXACT = 2 ** 50;

/** What the series before it began with: the next one probably does so, too. */
export interface Expected {
  time: number;
  step: number;
}

export function writeTimes(out: NumberWriter, times: Float64Array, { from, to }: Column, expected: Expected): void {
  const { head, rest } = out;
  const unit = unitOf(times, from, to);
  if (unit === undefined || !Number.isInteger(expected.time * unit)) {
    head.byte(Time.raw);
    for (let row = from; row < to; row++) rest.float64(times[row] ?? 0);
    return;
  }
  head.byte(unit === 1 ? Time.milliseconds : Time.microseconds);
  const first = Math.round((times[from] ?? 0) * unit);
  out.times.signed(first - Math.round(expected.time * unit));
  expected.time = first / unit;
  if (to - from === 1) return;
  const distances = new Float64Array(to - from - 1);
  for (let row = from + 1, before = first; row < to; row++) {
    const time = Math.round((times[row] ?? 0) * unit);
    distances[row - from - 1] = time - before;
    before = time;
  }
  // Gaps and what comes late leave it as it is.
  const step = distances.toSorted()[distances.length >> 1] ?? 0;
  out.times.signed(step - Math.round(expected.step * unit));
  expected.step = step / unit;
  for (let at = 0; at < distances.length; at++) distances[at] = (distances[at] ?? 0) - step;
  out.column(distances, distances.length);
}

export function readTimes(input: NumberReader, times: Float64Array, { from, to }: Column, expected: Expected): void {
  const { head, rest } = input;
  const mode = head.byte();
  if (mode === Time.raw) {
    for (let row = from; row < to; row++) times[row] = rest.float64();
    return;
  }
  if (mode !== Time.milliseconds && mode !== Time.microseconds) throw new RangeError('no such form of times');
  const unit = mode === Time.milliseconds ? 1 : 1000;
  let time = Math.round(expected.time * unit) + input.times.signed();
  times[from] = time / unit;
  expected.time = time / unit;
  if (to - from === 1) return;
  const step = Math.round(expected.step * unit) + input.times.signed();
  expected.step = step / unit;
  const distances = new Float64Array(to - from - 1);
  input.column(distances, distances.length);
  for (let row = from + 1; row < to; row++) {
    time += step + (distances[row - from - 1] ?? 0);
    times[row] = time / unit;
  }
}

/** 1 for milliseconds, 1000 for microseconds; undefined when they are neither, or lie too far apart for sums of them to be exact. */
function unitOf(times: Float64Array, from: number, to: number): number | undefined {
  let unit = 1;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (let row = from; row < to; row++) {
    const time = times[row] ?? 0;
    const ticks = Math.round(time * 1000);
    if (!(ticks >= 0 && ticks < MAX_TICKS) || ticks / 1000 !== time || Object.is(time, -0)) return undefined;
    if (!Number.isInteger(time)) unit = 1000;
    least = Math.min(least, ticks);
    most = Math.max(most, ticks);
  }
  return most - least < MAX_EXACT ? unit : undefined;
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

export function writeValues(out: NumberWriter, { values, boxed }: ValueColumns, { from, to }: Column): void {
  const { head, rest } = out;
  if (boxed !== undefined && hasBoxed(boxed, from, to)) {
    head.byte(Value.boxed);
    for (let row = from; row < to; row++) writeBoxed(rest, boxed.get(row) ?? values[row] ?? Number.NaN);
    return;
  }
  const form = formOf(values, from, to);
  head.byte(form);
  if (form === Value.raw) {
    for (let row = from; row < to; row++) rest.float64(values[row] ?? 0);
    return;
  }
  const power = powerOf(form);
  const first = Math.round((values[from] ?? 0) * power);
  out.values.signed(first);
  const changes = new Float64Array(to - from - 1);
  for (let row = from + 1, before = first; row < to; row++) {
    const number = Math.round((values[row] ?? 0) * power);
    changes[row - from - 1] = number - before;
    before = number;
  }
  if (changes.length > 0) out.column(changes, changes.length);
}

/** Boxed values go into `boxed`. */
export function readValues(
  input: NumberReader,
  values: Float64Array,
  boxed: Map<number, Boxed>,
  { from, to }: Column,
): void {
  const { head, rest } = input;
  const form = head.byte();
  if (form === Value.raw) {
    for (let row = from; row < to; row++) values[row] = rest.float64();
    return;
  }
  if (form === Value.boxed) {
    for (let row = from; row < to; row++) {
      const value = readBoxed(rest);
      values[row] = typeof value === 'number' ? value : Number.NaN;
      if (typeof value !== 'number') boxed.set(row, value);
    }
    return;
  }
  const power = powerOf(form);
  const toValue = (number: number) => (form < Value.float64 ? Math.fround(number / power) : number / power);
  let number = input.values.signed();
  values[from] = toValue(number);
  if (to - from === 1) return;
  const changes = new Float64Array(to - from - 1);
  input.column(changes, changes.length);
  for (let row = from + 1; row < to; row++) {
    number += changes[row - from - 1] ?? 0;
    values[row] = toValue(number);
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
