/** A block: rows of many series, as they lie in the queue and travel. Its head says, without unpacking, of which series. */
import type { Batch, Boxed } from '../../contract/index.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { readTimes, readValues, writeTimes, writeValues } from './columns.ts';
import { NumberReader, NumberWriter } from './number-streams.ts';

/** What one block may have at most, whoever made it. */
const MAX_BLOCK_ROWS = 131_072;
const MAX_BLOCK_SERIES = 65_536;
export const MAX_BLOCK_BYTES = 4 * 1024 * 1024;
const MAX_UNPACKED_BYTES = 16 * 1024 * 1024;

const FORMAT = 1;

export interface Block {
  readonly bytes: Uint8Array;
  readonly rows: number;
}

/** Rows in the order of `order`, which has those of a series together, oldest first. */
export function encodeBlock(batch: Batch): Block {
  const order = orderOf(batch);
  const { length: rows } = batch;
  const head = new ByteWriter();
  head.byte(FORMAT);
  head.varint(rows);
  const sorted = pick(batch, order);
  const runs = runsOf(sorted);
  writeIds(head, runs);
  const body = new NumberWriter();
  for (const { from, to } of runs) body.head.varint(to - from);
  const expected = { time: 0, step: 0 };
  for (const run of runs) writeTimes(body, sorted.times, run, expected);
  for (const run of runs) writeValues(body, sorted, run);
  writeQualities(body.head, sorted);
  head.bytes(body.pack());
  return { bytes: head.take().slice(), rows };
}

/** Throws a RangeError, or zstd's error, for what is no block or is too large. */
export function decodeBlock(bytes: Uint8Array): Batch {
  const input = new ByteReader(bytes);
  const { rows: length, series: ids } = readHead(input);
  const body = new NumberReader(input.rest(), MAX_UNPACKED_BYTES);
  const runs = readRuns(body.head, ids, length);
  const series = new Uint32Array(length);
  const times = new Float64Array(length);
  const values = new Float64Array(length);
  const boxed = new Map<number, Boxed>();
  for (const { id, from, to } of runs) series.fill(id, from, to);
  const expected = { time: 0, step: 0 };
  for (const run of runs) readTimes(body, times, run, expected);
  for (const run of runs) readValues(body, values, boxed, run);
  const qualities = readQualities(body.head, length);
  if (!body.isAtEnd) throw new RangeError('a block is longer than it says');
  return { length, series, times, values, qualities, ...(boxed.size === 0 ? {} : { boxed }) };
}

export interface BlockHead {
  readonly rows: number;
  /** Ascending. */
  readonly series: readonly number[];
}

export function headOf(bytes: Uint8Array): BlockHead {
  return readHead(new ByteReader(bytes));
}

interface Run {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

/** Indexes of rows: by series, and within a series as they came. */
function orderOf({ series, length }: Batch): Uint32Array {
  const order = new Uint32Array(length);
  let isSorted = true;
  for (let row = 0; row < length; row++) {
    order[row] = row;
    if (row > 0 && (series[row] ?? 0) < (series[row - 1] ?? 0)) isSorted = false;
  }
  return isSorted ? order : order.sort((a, b) => (series[a] ?? 0) - (series[b] ?? 0) || a - b);
}

function pick({ series, times, values, qualities, boxed, length }: Batch, order: Uint32Array): Batch {
  const columns = {
    length,
    series: new Uint32Array(length),
    times: new Float64Array(length),
    values: new Float64Array(length),
    qualities: new Uint8Array(length),
  };
  const moved = new Map<number, Boxed>();
  for (let at = 0; at < length; at++) {
    const row = order[at] ?? 0;
    columns.series[at] = series[row] ?? 0;
    columns.times[at] = times[row] ?? 0;
    columns.values[at] = values[row] ?? 0;
    columns.qualities[at] = qualities[row] ?? 0;
    const box = boxed?.get(row);
    if (box !== undefined) moved.set(at, box);
  }
  return moved.size === 0 ? columns : { ...columns, boxed: moved };
}

function runsOf({ series, length }: Batch): readonly Run[] {
  const runs: Run[] = [];
  for (let from = 0; from < length; ) {
    const id = series[from] ?? 0;
    let to = from + 1;
    while (to < length && series[to] === id) to++;
    runs.push({ id, from, to });
    from = to;
  }
  return runs;
}

/** As runs of numbers that follow each other: how far on, how many. */
function writeIds(out: ByteWriter, runs: readonly Run[]): void {
  out.varint(runs.length);
  let next = 0;
  for (let at = 0; at < runs.length; ) {
    const first = runs[at]?.id ?? 0;
    let count = 1;
    while (runs[at + count]?.id === first + count) count++;
    out.varint(first - next);
    out.varint(count);
    next = first + count;
    at += count;
  }
}

function readHead(input: ByteReader): BlockHead {
  if (input.byte() !== FORMAT) throw new RangeError('no block of this format');
  const rows = input.varint();
  const count = input.varint();
  if (rows === 0 || rows > MAX_BLOCK_ROWS || count > MAX_BLOCK_SERIES || count > rows)
    throw new RangeError('a block has too many rows or series');
  const series: number[] = [];
  for (let next = 0; series.length < count; ) {
    next += input.varint();
    const following = input.varint();
    if (following === 0 || following > count - series.length || next + following > 2 ** 32)
      throw new RangeError('a block names more series than it has');
    for (let each = 0; each < following; each++) series.push(next + each);
    next += following;
  }
  return { rows, series };
}

function readRuns(input: ByteReader, ids: readonly number[], length: number): readonly Run[] {
  let from = 0;
  const runs = ids.map((id): Run => {
    const to = from + input.varint();
    if (to === from || to > length) throw new RangeError('a block has other rows than it says');
    const run = { id, from, to };
    from = to;
    return run;
  });
  if (from !== length) throw new RangeError('a block has other rows than it says');
  return runs;
}

function writeQualities(out: ByteWriter, { qualities, length }: Batch): void {
  for (let from = 0; from < length; ) {
    const quality = qualities[from] ?? 0;
    let to = from + 1;
    while (to < length && qualities[to] === quality) to++;
    out.byte(quality);
    out.varint(to - from);
    from = to;
  }
}

function readQualities(input: ByteReader, length: number): Uint8Array {
  const qualities = new Uint8Array(length);
  for (let from = 0; from < length; ) {
    const quality = input.byte();
    const to = from + input.varint();
    if (to === from || to > length) throw new RangeError('a block has other rows than it says');
    qualities.fill(quality, from, to);
    from = to;
  }
  return qualities;
}
