/**
 * A tier of a chunk: what its rows add up to, second by second, minute by minute or hour by hour. It is a function of the rows of its
 * chunk alone, so that late rows, which make the chunk anew, make its tiers anew with it; where a step goes on in the next chunk, the
 * reader adds the two parts up.
 */
import { isBad } from '../../contract/index.ts';
import { MICROS, type Rows } from '../rows.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { MAX_CHUNK_ROWS, opened, sealed } from './chunk.ts';
import { readIntegers, writeIntegers } from './integers.ts';
import { digitsOf, POWERS, readNumbers, writeNumbers } from './numbers.ts';

/** In microseconds. */
export const TIERS = { second: 1000 * MICROS, minute: 60_000 * MICROS, hour: 3_600_000 * MICROS } as const;

/** A tier is made when it has at most this part of the rows that it stands for. */
const MAX_TIER_PART = 1 / 4;
/** More falls than this part of the rows, and the series is no counter: what it grew by is then only to be had of the rows. */
const MAX_FALLS_PART = 1 / 64;

export interface Steps {
  readonly length: number;
  /** Where each step begins, in microseconds. */
  readonly starts: Float64Array;
  readonly counts: Float64Array;
  readonly sums: Float64Array;
  readonly firsts: Float64Array;
  readonly lasts: Float64Array;
  readonly mins: Float64Array;
  readonly maxes: Float64Array;
  /** The sum of the values that were followed by a smaller one; absent of what is no counter. */
  readonly falls?: Float64Array;
}

/** Whether a row is part of aggregates. */
export function counts(value: number, quality: number): boolean {
  return !Number.isNaN(value) && !isBad(quality);
}

/** The tier of that width, in bytes; undefined where it would not be much smaller than the rows. */
export function encodeTier(rows: Rows, width: number): Uint8Array | undefined {
  const steps = stepsOf(rows, width);
  if (steps === undefined) return undefined;
  const writer = new ByteWriter();
  writer.varint(steps.length);
  writeIntegers(
    writer,
    steps.starts.map((start) => start / width),
  );
  writeIntegers(writer, steps.counts);
  writeNumbers(writer, rounded(steps));
  writeNumbers(writer, steps.firsts);
  writeNumbers(writer, steps.lasts);
  writeUnless(writer, steps.mins, steps.firsts);
  writeUnless(writer, steps.maxes, steps.lasts);
  writer.byte(steps.falls === undefined ? 0 : 1);
  if (steps.falls !== undefined) writeNumbers(writer, steps.falls);
  return sealed(writer.finish());
}

/** Undefined when the bytes are not what was written. */
export function decodeTier(bytes: Uint8Array, width: number): Steps | undefined {
  const body = opened(bytes);
  if (body === undefined) return undefined;
  try {
    return readSteps(new ByteReader(body), width);
  } catch {
    return undefined;
  }
}

function readSteps(reader: ByteReader, width: number): Steps {
  const length = reader.varint();
  if (length > MAX_CHUNK_ROWS) throw new RangeError('too many steps');
  const starts = readIntegers(reader, length);
  for (let step = 0; step < length; step++) starts[step] = (starts[step] ?? 0) * width;
  const counts = readIntegers(reader, length);
  const sums = readNumbers(reader, length);
  const firsts = readNumbers(reader, length);
  const lasts = readNumbers(reader, length);
  const mins = readUnless(reader, firsts);
  const maxes = readUnless(reader, lasts);
  const steps = { length, starts, counts, sums, firsts, lasts, mins, maxes };
  return reader.byte() === 0 ? steps : { ...steps, falls: readNumbers(reader, length) };
}

/** Undefined where there would be too many steps for the rows, or no row counts. */
function stepsOf(rows: Rows, width: number): Steps | undefined {
  const most = Math.floor(rows.length * MAX_TIER_PART);
  const found = emptySteps(most);
  let step = -1;
  let start = Number.NEGATIVE_INFINITY;
  let falls = 0;
  let before = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < rows.length; row++) {
    const value = rows.values[row] ?? 0;
    if (!counts(value, rows.qualities[row] ?? 0)) continue;
    const time = rows.times[row] ?? 0;
    const isFall = value < before;
    if (isFall) falls++;
    if (time >= start + width || step < 0) {
      if (++step >= most) return undefined;
      start = Math.floor(time / width) * width;
      open(found, step, start, value);
    } else {
      add(found, step, value, isFall ? before : 0);
    }
    before = value;
  }
  return step < 0 ? undefined : cut(found, step + 1, falls <= rows.length * MAX_FALLS_PART);
}

type Writable = Required<Steps>;

function emptySteps(length: number): Writable {
  const column = () => new Float64Array(length);
  return {
    length,
    starts: column(),
    counts: column(),
    sums: column(),
    firsts: column(),
    lasts: column(),
    mins: column(),
    maxes: column(),
    falls: column(),
  };
}

function open(steps: Writable, step: number, start: number, value: number): void {
  steps.starts[step] = start;
  steps.counts[step] = 1;
  steps.sums[step] = value;
  steps.firsts[step] = value;
  steps.lasts[step] = value;
  steps.mins[step] = value;
  steps.maxes[step] = value;
}

function add(steps: Writable, step: number, value: number, fallenFrom: number): void {
  steps.counts[step] = (steps.counts[step] ?? 0) + 1;
  steps.sums[step] = (steps.sums[step] ?? 0) + value;
  steps.lasts[step] = value;
  steps.falls[step] = (steps.falls[step] ?? 0) + fallenFrom;
  if (value < (steps.mins[step] ?? 0)) steps.mins[step] = value;
  if (value > (steps.maxes[step] ?? 0)) steps.maxes[step] = value;
}

function cut(steps: Writable, length: number, isCounter: boolean): Steps {
  const part = (column: Float64Array) => column.subarray(0, length);
  return {
    length,
    starts: part(steps.starts),
    counts: part(steps.counts),
    sums: part(steps.sums),
    firsts: part(steps.firsts),
    lasts: part(steps.lasts),
    mins: part(steps.mins),
    maxes: part(steps.maxes),
    ...(isCounter ? { falls: part(steps.falls) } : {}),
  };
}

/** Sums with as many digits as the values have, where that is no further off than adding up has already made them. */
function rounded(steps: Steps): Float64Array {
  const digits = Math.max(digitsOf(steps.mins, false) ?? 0, digitsOf(steps.maxes, false) ?? 0);
  const power = POWERS[digits] ?? 1;
  return steps.sums.map((sum, step) => {
    const decimal = Math.round(sum * power) / power;
    const largest = Math.max(Math.abs(steps.mins[step] ?? 0), Math.abs(steps.maxes[step] ?? 0));
    const count = steps.counts[step] ?? 0;
    return Math.abs(decimal - sum) <= count * count * largest * Number.EPSILON ? decimal : sum;
  });
}

function writeUnless(writer: ByteWriter, column: Float64Array, other: Float64Array): void {
  const isSame = column.every((value, row) => Object.is(value, other[row]));
  writer.byte(isSame ? 1 : 0);
  if (!isSame) writeNumbers(writer, column);
}

function readUnless(reader: ByteReader, other: Float64Array): Float64Array {
  return reader.byte() === 1 ? other : readNumbers(reader, other.length);
}
