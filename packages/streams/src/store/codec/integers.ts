/**
 * Columns of integers: one value, a straight line, runs of values, or what is left of each after a simple guess (a fixed value, the one before, the
 * slope before), in planes of bytes. A plane has like things side by side, so that its compression comes near to its entropy.
 */
import { type ByteReader, type ByteWriter, unzigzag, zigzag } from './bytes.ts';

/** Beyond it, second differences would not be exact any more. */
export const MAX_INTEGER: number = 2 ** 50;

const Form = { constant: 0, line: 1, runs: 2, plain: 3, delta: 4, slope: 5 } as const;
type Form = (typeof Form)[keyof typeof Form];

/** What the length of a run costs, about. */
const RUN_BITS = 10;
/** With more runs than this part of the rows, there is nothing to gain. */
const MAX_RUNS_PART = 1 / 2;
const SAMPLES = 16;
const STRETCHES = 4;
const STRETCH_ROWS = 128;
/** So many planes fit into the integers that machines are fast with. */
const NARROW_PLANES = 3;
const HIGH = 0x1_0000_0000;

export interface IntegerPlan {
  readonly form: Form;
  /** What it will take, roughly: for comparing plans of the same rows. */
  readonly bits: number;
  /** What `plain` counts from. */
  readonly middle: number;
  readonly runs: number;
}

/** Which form is the smallest for values of at most `MAX_INTEGER`. */
export function planIntegers(values: Float64Array): IntegerPlan {
  const middle = middleOf(values);
  const runs = runsIn(values);
  if (runs <= 1) return { form: Form.constant, bits: 0, middle, runs };
  if (isLine(values)) return { form: Form.line, bits: 0, middle, runs };
  const { plain, delta, slope } = sampledBits(values, middle);
  const least = Math.min(plain, delta, slope);
  // Each row costs a bit at least, however often it is zero.
  const bits = Math.max(least, values.length);
  const inRuns = delta + runs * RUN_BITS;
  if (inRuns < bits && runs <= values.length * MAX_RUNS_PART) return { form: Form.runs, bits: inRuns, middle, runs };
  const form = least === plain ? Form.plain : least === delta ? Form.delta : Form.slope;
  return { form, bits, middle, runs };
}

function runsIn(values: Float64Array): number {
  let runs = Math.min(1, values.length);
  for (let row = 1; row < values.length; row++) if (values[row] !== values[row - 1]) runs++;
  return runs;
}

function isLine(values: Float64Array): boolean {
  const slope = firstSlope(values);
  for (let row = 2; row < values.length; row++) {
    if ((values[row] ?? 0) - (values[row - 1] ?? 0) !== slope) return false;
  }
  return true;
}

interface Bits {
  readonly plain: number;
  readonly delta: number;
  readonly slope: number;
}

/** Of all rows, judged by a few stretches of them. */
function sampledBits(values: Float64Array, middle: number): Bits {
  const isWhole = values.length <= STRETCHES * STRETCH_ROWS;
  const stretches = isWhole ? 1 : STRETCHES;
  const rows = isWhole ? values.length : STRETCH_ROWS;
  let plain = 0;
  let delta = 0;
  let slope = 0;
  for (let stretch = 0; stretch < stretches; stretch++) {
    const start = Math.floor(((values.length - rows) * stretch) / Math.max(1, stretches - 1));
    let before = values[start] ?? 0;
    let deltaBefore = (values[start + 1] ?? before) - before;
    for (let row = start; row < start + rows; row++) {
      const value = values[row] ?? 0;
      const difference = value - before;
      plain += bitsOf(value - middle);
      if (row === start) continue;
      delta += bitsOf(difference);
      slope += bitsOf(difference - deltaBefore);
      before = value;
      deltaBefore = difference;
    }
  }
  const scale = values.length / (rows * stretches);
  return { plain: plain * scale, delta: delta * scale, slope: slope * scale };
}

export function writeIntegers(writer: ByteWriter, values: Float64Array, plan = planIntegers(values)): void {
  const first = values[0] ?? 0;
  writer.byte(plan.form);
  switch (plan.form) {
    case Form.constant:
      writer.signed(first);
      break;
    case Form.line:
      writer.signed(first);
      writer.signed(firstSlope(values));
      break;
    case Form.runs:
      writeRuns(writer, values, plan.runs);
      break;
    case Form.plain:
      writer.signed(plan.middle);
      writePlanes(writer, offsets(values, plan.middle));
      break;
    case Form.delta:
      writer.signed(first);
      writePlanes(writer, differences(values));
      break;
    case Form.slope:
      writer.signed(first);
      writer.signed(firstSlope(values));
      writePlanes(writer, slopes(values));
  }
}

export function readIntegers(reader: ByteReader, length: number): Float64Array {
  const form = reader.byte();
  switch (form) {
    case Form.constant:
      return new Float64Array(length).fill(reader.signed());
    case Form.line:
      return fromSlopes(reader.signed(), reader.signed(), new Float64Array(length));
    case Form.runs:
      return readRuns(reader, length);
    case Form.plain:
      return fromMiddle(reader.signed(), readPlanes(reader, length));
    case Form.delta:
      return fromDifferences(reader.signed(), readPlanes(reader, length));
    case Form.slope:
      return fromSlopes(reader.signed(), reader.signed(), readPlanes(reader, length));
    default:
      throw new RangeError(`no form ${form} of integers`);
  }
}

function middleOf(values: Float64Array): number {
  const every = Math.max(1, Math.floor(values.length / SAMPLES));
  let sum = 0;
  let count = 0;
  for (let row = 0; row < values.length; row += every) {
    sum += values[row] ?? 0;
    count++;
  }
  return count === 0 ? 0 : Math.round(sum / count);
}

function bitsOf(value: number): number {
  const size = value < 0 ? -value : value;
  return size < HIGH ? 32 - Math.clz32(size) : 64 - Math.clz32(size / HIGH);
}

function writeRuns(writer: ByteWriter, values: Float64Array, count: number): void {
  const lengths = new Float64Array(count);
  const heads = new Float64Array(count);
  let run = 0;
  let start = 0;
  for (let row = 1; row <= values.length; row++) {
    if (row < values.length && values[row] === values[start]) continue;
    lengths[run] = row - start;
    heads[run++] = values[start] ?? 0;
    start = row;
  }
  writer.varint(count);
  writeIntegers(writer, lengths);
  writeIntegers(writer, heads);
}

function readRuns(reader: ByteReader, length: number): Float64Array {
  const count = reader.varint();
  if (count > length) throw new RangeError('more runs than rows');
  const lengths = readIntegers(reader, count);
  const heads = readIntegers(reader, count);
  const values = new Float64Array(length);
  let row = 0;
  for (let run = 0; run < count; run++) {
    const end = row + (lengths[run] ?? 0);
    values.fill(heads[run] ?? 0, row, end);
    row = end;
  }
  if (row !== length) throw new RangeError('runs of another length');
  return values;
}

function offsets(values: Float64Array, middle: number): Float64Array {
  const residuals = new Float64Array(values.length);
  for (let row = 0; row < values.length; row++) residuals[row] = zigzag((values[row] ?? 0) - middle);
  return residuals;
}

function differences(values: Float64Array): Float64Array {
  const residuals = new Float64Array(values.length);
  let before = values[0] ?? 0;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? 0;
    residuals[row] = zigzag(value - before);
    before = value;
  }
  return residuals;
}

/** The first of `values` and the slope that follows it are told apart. */
function slopes(values: Float64Array): Float64Array {
  const residuals = new Float64Array(values.length);
  let slope = firstSlope(values);
  let before = (values[0] ?? 0) - slope;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? 0;
    const delta = value - before;
    residuals[row] = zigzag(delta - slope);
    before = value;
    slope = delta;
  }
  return residuals;
}

function firstSlope(values: Float64Array): number {
  return values.length < 2 ? 0 : (values[1] ?? 0) - (values[0] ?? 0);
}

function fromMiddle(middle: number, residuals: Float64Array): Float64Array {
  for (let row = 0; row < residuals.length; row++) residuals[row] = middle + (residuals[row] ?? 0);
  return residuals;
}

function fromDifferences(first: number, residuals: Float64Array): Float64Array {
  let value = first;
  for (let row = 0; row < residuals.length; row++) {
    value += residuals[row] ?? 0;
    residuals[row] = value;
  }
  return residuals;
}

function fromSlopes(first: number, slope: number, residuals: Float64Array): Float64Array {
  let delta = slope;
  let value = first - slope;
  for (let row = 0; row < residuals.length; row++) {
    delta += residuals[row] ?? 0;
    value += delta;
    residuals[row] = value;
  }
  return residuals;
}

/** Of values that are not negative. */
function writePlanes(writer: ByteWriter, values: Float64Array): void {
  let largest = 0;
  for (const value of values) if (value > largest) largest = value;
  const planes = Math.max(1, Math.ceil(bitsOf(largest) / 8));
  writer.byte(planes);
  const bytes = new Uint8Array(values.length);
  for (let plane = 0; plane < planes; plane++) {
    const shift = (plane % 4) * 8;
    if (plane < 4) for (let row = 0; row < values.length; row++) bytes[row] = (values[row] ?? 0) >>> shift;
    else for (let row = 0; row < values.length; row++) bytes[row] = ((values[row] ?? 0) / HIGH) >>> shift;
    writer.packed(bytes);
  }
}

/** With their signs. */
function readPlanes(reader: ByteReader, length: number): Float64Array {
  const planes = reader.byte();
  const values = new Float64Array(length);
  if (planes <= NARROW_PLANES) readNarrow(reader, planes, values);
  else readWide(reader, planes, values);
  return values;
}

function readNarrow(reader: ByteReader, planes: number, values: Float64Array): void {
  const packed = new Int32Array(values.length);
  for (let plane = 0; plane < planes; plane++) {
    const bytes = reader.packed(values.length);
    for (let row = 0; row < bytes.length; row++) packed[row] = (packed[row] ?? 0) | ((bytes[row] ?? 0) << (plane * 8));
  }
  for (let row = 0; row < packed.length; row++) {
    const value = packed[row] ?? 0;
    values[row] = (value >>> 1) ^ -(value & 1);
  }
}

function readWide(reader: ByteReader, planes: number, values: Float64Array): void {
  for (let plane = 0, scale = 1; plane < planes; plane++, scale *= 256) {
    const bytes = reader.packed(values.length);
    for (let row = 0; row < bytes.length; row++) values[row] = (values[row] ?? 0) + (bytes[row] ?? 0) * scale;
  }
  for (let row = 0; row < values.length; row++) values[row] = unzigzag(values[row] ?? 0);
}
