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
  readonly falls: Float64Array | undefined;
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
  const { firsts, lasts, mins, maxes, falls } = steps;
  const places = steps.starts.map((start) => start / width);
  writer.varint(steps.length);
  writeIntegers(writer, places);
  for (const column of [steps.counts, rounded(steps), firsts, lasts]) writer.block(numbersOf(column));
  // Of what only rises, and of much else, these are the same.
  writer.block(isSame(mins, firsts) ? NOTHING : numbersOf(mins));
  writer.block(isSame(maxes, lasts) ? NOTHING : numbersOf(maxes));
  writer.block(falls === undefined ? NOTHING : numbersOf(falls));
  return sealed(writer.finish());
}

/** Undefined when the bytes are not what was written. Each column is read when it is asked for. */
export function decodeTier(bytes: Uint8Array, width: number): Steps | undefined {
  const body = opened(bytes);
  if (body === undefined) return undefined;
  try {
    return new StoredSteps(new ByteReader(body), width);
  } catch {
    return undefined;
  }
}

const NOTHING = new Uint8Array(0);

class StoredSteps implements Steps {
  readonly length: number;
  readonly starts: Float64Array;
  readonly #blocks: readonly Uint8Array[];

  constructor(reader: ByteReader, width: number) {
    const length = reader.varint();
    if (length > MAX_CHUNK_ROWS) throw new RangeError('too many steps');
    const starts = readIntegers(reader, length);
    for (let step = 0; step < length; step++) starts[step] = (starts[step] ?? 0) * width;
    this.length = length;
    this.starts = starts;
    this.#blocks = Array.from({ length: 7 }, () => reader.block());
  }

  get counts(): Float64Array {
    return this.#column(0) ?? this.starts;
  }

  get sums(): Float64Array {
    return this.#column(1) ?? this.starts;
  }

  get firsts(): Float64Array {
    return this.#column(2) ?? this.starts;
  }

  get lasts(): Float64Array {
    return this.#column(3) ?? this.starts;
  }

  get mins(): Float64Array {
    return this.#column(4) ?? this.firsts;
  }

  get maxes(): Float64Array {
    return this.#column(5) ?? this.lasts;
  }

  get falls(): Float64Array | undefined {
    return this.#column(6);
  }

  #column(place: number): Float64Array | undefined {
    const block = this.#blocks[place];
    return block === undefined || block.length === 0 ? undefined : readNumbers(new ByteReader(block), this.length);
  }
}

function numbersOf(column: Float64Array): Uint8Array {
  const writer = new ByteWriter();
  writeNumbers(writer, column);
  return writer.finish();
}

function isSame(column: Float64Array, other: Float64Array): boolean {
  return column.every((value, row) => Object.is(value, other[row]));
}

/** Undefined where there would be too many steps for the rows, or no row counts. */
function stepsOf(rows: Rows, width: number): Steps | undefined {
  const most = Math.floor(rows.length * MAX_TIER_PART);
  const length = countSteps(rows, width, most);
  if (length === 0 || length > most) return undefined;
  const found = emptySteps(length);
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
      start = Math.floor(time / width) * width;
      open(found, ++step, start, value);
    } else {
      add(found, step, value, isFall ? before : 0);
    }
    before = value;
  }
  return falls <= rows.length * MAX_FALLS_PART ? found : { ...found, falls: undefined };
}

/** Stops counting beyond `most`. */
function countSteps({ length, times, values, qualities }: Rows, width: number, most: number): number {
  let count = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < length && count <= most; row++) {
    const time = times[row] ?? 0;
    if (time < end || !counts(values[row] ?? 0, qualities[row] ?? 0)) continue;
    count++;
    end = (Math.floor(time / width) + 1) * width;
  }
  return count;
}

type Writable = Steps & { readonly falls: Float64Array };

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
