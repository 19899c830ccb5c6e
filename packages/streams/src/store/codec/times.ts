/**
 * The times of a chunk, in microseconds, rising. A clock that ticks evenly is a grid, and only how far each row is off its place on the
 * grid is kept, which does not double the jitter as differences of differences do. Other times are those differences.
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { planIntegers, readIntegers, writeIntegers } from './integers.ts';

const Form = { sequence: 0, grid: 1 } as const;

/** Microseconds that all times of a chunk may be whole numbers of. */
const UNITS = [1_000_000, 100_000, 10_000, 1000, 100, 10, 1];
const MIN_GRID_ROWS = 8;
const SAMPLES = 31;

interface Grid {
  readonly step: number;
  /** How many places each row is further than the one before, less one. */
  readonly skips: Float64Array;
  readonly offsets: Float64Array;
}

export function writeTimes(writer: ByteWriter, times: Float64Array): void {
  const unit = UNITS.findIndex((each) => areWhole(times, each));
  const scaled = divided(times, UNITS[unit] ?? 1);
  writer.byte(unit);
  const sequence = planIntegers(scaled);
  const grid = gridOf(scaled);
  if (grid !== undefined && bitsOf(grid) < sequence.bits) {
    writeGrid(writer, scaled[0] ?? 0, grid);
  } else {
    writer.byte(Form.sequence);
    writeIntegers(writer, scaled, sequence);
  }
}

export function readTimes(reader: ByteReader, length: number): Float64Array {
  const scale = UNITS[reader.byte()];
  if (scale === undefined) throw new RangeError('no such unit of time');
  const times = reader.byte() === Form.grid ? readGrid(reader, length) : readIntegers(reader, length);
  if (scale !== 1) for (let row = 0; row < times.length; row++) times[row] = (times[row] ?? 0) * scale;
  return times;
}

function areWhole(times: Float64Array, unit: number): boolean {
  for (const time of times) if (Math.floor(time / unit) * unit !== time) return false;
  return true;
}

function divided(times: Float64Array, scale: number): Float64Array {
  if (scale === 1) return times;
  const scaled = new Float64Array(times.length);
  for (let row = 0; row < times.length; row++) scaled[row] = (times[row] ?? 0) / scale;
  return scaled;
}

function writeGrid(writer: ByteWriter, first: number, { step, skips, offsets }: Grid): void {
  writer.byte(Form.grid);
  writer.signed(first);
  writer.float64(step);
  writeIntegers(writer, skips);
  writeIntegers(writer, offsets);
}

function readGrid(reader: ByteReader, length: number): Float64Array {
  const first = reader.signed();
  const step = reader.float64();
  const skips = readIntegers(reader, length);
  const times = readIntegers(reader, length);
  let place = -1;
  for (let row = 0; row < length; row++) {
    place += 1 + (skips[row] ?? 0);
    times[row] = first + Math.round(place * step) + (times[row] ?? 0);
  }
  return times;
}

function bitsOf({ skips, offsets }: Grid): number {
  return planIntegers(skips).bits + planIntegers(offsets).bits;
}

function gridOf(times: Float64Array): Grid | undefined {
  const step = stepOf(times);
  if (step === undefined) return undefined;
  const first = times[0] ?? 0;
  const skips = new Float64Array(times.length);
  const offsets = new Float64Array(times.length);
  let before = -1;
  for (let row = 0; row < times.length; row++) {
    const since = (times[row] ?? 0) - first;
    const place = Math.round(since / step);
    skips[row] = place - before - 1;
    offsets[row] = since - Math.round(place * step);
    before = place;
  }
  return { step, skips, offsets };
}

/** The usual distance, made exact over the whole chunk: gaps count as the whole number of steps that they are nearest to. */
function stepOf(times: Float64Array): number | undefined {
  const last = times.length - 1;
  if (times.length < MIN_GRID_ROWS) return undefined;
  const usual = usualDistance(times);
  if (usual < 1) return undefined;
  let places = 0;
  for (let row = 1; row <= last; row++) places += Math.round(((times[row] ?? 0) - (times[row - 1] ?? 0)) / usual);
  const exact = ((times[last] ?? 0) - (times[0] ?? 0)) / places;
  // A step that was meant to be round is round: over a whole chunk, jitter at the ends hides it by less than one place.
  const round = roundedTo(exact, usual / Math.max(1, places));
  return places > 0 ? round : undefined;
}

function usualDistance(times: Float64Array): number {
  const every = Math.max(1, Math.floor((times.length - 1) / SAMPLES));
  const distances: number[] = [];
  for (let row = every; row < times.length; row += every) distances.push((times[row] ?? 0) - (times[row - 1] ?? 0));
  distances.sort((a, b) => a - b);
  return distances[distances.length >> 1] ?? 0;
}

/** The roundest number that is no further from `value` than `tolerance`. */
function roundedTo(value: number, tolerance: number): number {
  for (let unit = 10 ** Math.ceil(Math.log10(Math.max(1, value))); unit >= 1; unit /= 10) {
    const round = Math.round(value / unit) * unit;
    if (round > 0 && Math.abs(round - value) <= tolerance) return round;
  }
  return value;
}
