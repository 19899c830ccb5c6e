/**
 * Rows of the head become chunks. Chunks of a series never share a time: a sealing takes in what it overlaps, and what is small before
 * it. So it can be repeated after a crash, and late rows end up where they belong.
 */
import type { Boxed, SeriesId } from '../contract/index.ts';
import { sizeOf } from './codec/boxed.ts';
import { decodeChunk, MAX_CHUNK_ROWS } from './codec/chunk.ts';
import type { ChunkRef, Partition } from './partition.ts';
import { firstAt, MICROS, merge, type Rows, slice } from './rows.ts';

/**
 * The newest rows stand in a chunk of their own, which the next sealing takes in: rows that are late by less than this then cost no
 * large chunk a second writing.
 */
const SETTLED_AFTER = 60_000 * MICROS;
/** Fewer settled rows than this are not worth a chunk of their own. */
const MIN_SETTLED_ROWS = 256;
/** The chunk before is taken in when it has at most so many times the rows that come: sizes grow, and each row is written few times. */
const MAX_GROWTH = 2;
/** A chunk of large texts has few rows, and is large all the same. */
const MAX_GROWING_BYTES = 256 * 1024;
const MAX_BOXED_BYTES = 1024 * 1024;

/** `onDamaged` hears of each chunk that could not be read and is lost. */
export function sealRows(partition: Partition, series: SeriesId, rows: Rows, onDamaged: (ref: ChunkRef) => void): void {
  let merged = rows;
  for (const ref of chunksToTakeIn(partition, series, rows)) {
    const older = readRows(partition, ref);
    if (older === undefined) onDamaged(ref);
    else merged = merge(older, merged);
    partition.remove(ref);
  }
  for (const part of parts(merged)) partition.put(series, part);
}

/** Undefined when the chunk is damaged. */
export function readRows(partition: Partition, ref: ChunkRef): Rows | undefined {
  const data = partition.data(ref);
  return data === undefined ? undefined : decodeChunk(data);
}

/** Pieces of nearly the same size, as few as can be. */
function* pieces(rows: Rows): Generator<Rows> {
  if (rows.boxed !== undefined) {
    yield* boxedPieces(rows, rows.boxed);
    return;
  }
  const count = Math.ceil(rows.length / MAX_CHUNK_ROWS);
  for (let piece = 0; piece < count; piece++) {
    yield slice(rows, Math.floor((rows.length * piece) / count), Math.floor((rows.length * (piece + 1)) / count));
  }
}

/** Where the values may be large, their bytes count. */
function* boxedPieces(rows: Rows, boxed: ReadonlyMap<number, Boxed>): Generator<Rows> {
  let start = 0;
  let bytes = 0;
  for (let row = 0; row < rows.length; row++) {
    const value = boxed.get(row);
    const more = value === undefined ? 0 : sizeOf(value);
    if (row > start && (bytes + more > MAX_BOXED_BYTES || row - start === MAX_CHUNK_ROWS)) {
      yield slice(rows, start, row);
      start = row;
      bytes = 0;
    }
    bytes += more;
  }
  yield slice(rows, start, rows.length);
}

/** The latest first. */
function chunksToTakeIn(partition: Partition, series: SeriesId, rows: Rows): readonly ChunkRef[] {
  const first = rows.times[0] ?? 0;
  const taken: ChunkRef[] = [];
  let length = rows.length;
  for (const ref of partition.downFrom(series, rows.times[rows.length - 1] ?? 0)) {
    const isOverlap = ref.last >= first;
    const isSmall =
      ref.rows <= MAX_GROWTH * length && length + ref.rows <= MAX_CHUNK_ROWS && ref.bytes <= MAX_GROWING_BYTES;
    if (!isOverlap && !isSmall) break;
    taken.push(ref);
    length += ref.rows;
  }
  return taken;
}

function* parts(rows: Rows): Generator<Rows> {
  const settled = firstAt(rows.times, (rows.times[rows.length - 1] ?? 0) - SETTLED_AFTER);
  if (settled < MIN_SETTLED_ROWS) {
    yield* pieces(rows);
  } else {
    yield* pieces(slice(rows, 0, settled));
    yield slice(rows, settled, rows.length);
  }
}
