/** What a record of the append log says: new series, rows in columns, a mark. One record is one append, there whole or not at all. */
import { crc32 } from 'node:zlib';
import type { Boxed } from '../contract/index.ts';
import { readValue, writeValue } from './codec/boxed.ts';
import { ByteReader, ByteWriter } from './codec/bytes.ts';
import type { Mark, StoredSeries } from './contract.ts';
import type { HeadColumns } from './head.ts';
import { LOG_MAGIC, RECORD_HEAD_BYTES } from './log.ts';
import { parseStoredType } from './stored-type.ts';

const MAGIC_BYTES = 4;

const Part = { series: 1, rows: 2, mark: 3 } as const;

export interface LoggedRows {
  readonly length: number;
  readonly columns: HeadColumns;
  /** By row, counted from the first of these. */
  readonly boxed: ReadonlyMap<number, Boxed>;
}

export interface LogReader {
  series(series: StoredSeries): void;
  rows(rows: LoggedRows): void;
  mark(mark: Mark): void;
}

export function seriesPart({ id, type, labels }: StoredSeries): Uint8Array {
  const writer = new ByteWriter();
  writer.byte(Part.series);
  writer.varint(id);
  writeText(writer, type);
  writeText(writer, JSON.stringify(labels));
  return writer.finish();
}

export function markPart({ key, value }: Mark): Uint8Array {
  const writer = new ByteWriter();
  writer.byte(Part.mark);
  writeText(writer, key);
  writer.block(value);
  return writer.finish();
}

/** The columns are views: whoever takes the parts copies them. Values that are no numbers come as `boxed` bytes. */
export function rowsParts(columns: HeadColumns, boxed: BoxedBytes): readonly Uint8Array[] {
  const { series, times, values, qualities } = columns;
  const head = new ByteWriter();
  head.byte(Part.rows);
  head.varint(series.length);
  const quality = qualities[0] ?? 0;
  const isSame = qualities.every((each) => each === quality);
  head.byte(isSame ? 1 : 0);
  const count = new ByteWriter();
  count.varint(boxed.count);
  return [
    head.finish(),
    bytesOf(series),
    bytesOf(times),
    bytesOf(values),
    isSame ? Uint8Array.of(quality) : qualities,
    count.finish(),
    boxed.bytes,
  ];
}

/** Values that are no numbers, as a record has them. */
export interface BoxedBytes {
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** Throws a RangeError for what is no value. */
export function boxedBytes(boxed: Iterable<readonly [row: number, value: Boxed]>): BoxedBytes {
  const writer = new ByteWriter();
  let count = 0;
  for (const [row, value] of boxed) {
    writer.varint(row);
    writeValue(writer, value);
    count++;
  }
  return { count, bytes: writer.finish() };
}

export interface LogEnd {
  /** Of the last whole record. What is behind was on its way when the process or the machine stopped. */
  readonly end: number;
  /** Records before it that are not what was written. */
  readonly damaged: number;
}

/** Reads all whole records, in order. */
export function readLog(bytes: Uint8Array, into: LogReader): LogEnd {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < MAGIC_BYTES || view.getUint32(0, true) !== LOG_MAGIC) return { end: 0, damaged: 0 };
  let end = MAGIC_BYTES;
  let damaged = 0;
  let skipped = 0;
  for (let at = end; at + RECORD_HEAD_BYTES <= bytes.length; ) {
    const start = at + RECORD_HEAD_BYTES;
    const length = view.getUint32(at, true);
    const next = start + length;
    if (length === 0 || next > bytes.length) break;
    const payload = bytes.subarray(start, next);
    if (crc32(payload) === view.getUint32(at + 4, true)) {
      readRecord(new ByteReader(payload), into);
      end = next;
      damaged += skipped;
      skipped = 0;
    } else {
      skipped++;
    }
    at = next;
  }
  return { end, damaged };
}

function readRecord(reader: ByteReader, into: LogReader): void {
  while (!reader.isAtEnd) {
    const part = reader.byte();
    switch (part) {
      case Part.series:
        into.series(readSeries(reader));
        break;
      case Part.rows:
        into.rows(readRows(reader));
        break;
      case Part.mark:
        into.mark({ key: readText(reader), value: Uint8Array.from(reader.block()) });
        break;
      default:
        throw new RangeError(`no part ${part} of records`);
    }
  }
}

function readSeries(reader: ByteReader): StoredSeries {
  const id = reader.varint();
  const type = parseStoredType(readText(reader));
  return { id, type, labels: JSON.parse(readText(reader)) as StoredSeries['labels'] };
}

function readRows(reader: ByteReader): LoggedRows {
  const length = reader.varint();
  const isSame = reader.byte() === 1;
  const columns = {
    series: new Uint32Array(copyOf(reader.raw(length * 4))),
    times: new Float64Array(copyOf(reader.raw(length * 8))),
    values: new Float64Array(copyOf(reader.raw(length * 8))),
    qualities: isSame ? new Uint8Array(length).fill(reader.byte()) : reader.raw(length),
  };
  const boxed = new Map<number, Boxed>();
  for (let rest = reader.varint(); rest > 0; rest--) boxed.set(reader.varint(), readValue(reader) as Boxed);
  return { length, columns, boxed };
}

/** At the start of a buffer, so that wider numbers may be read from it. */
function copyOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function writeText(writer: ByteWriter, text: string): void {
  writer.block(Buffer.from(text, 'utf8'));
}

function readText(reader: ByteReader): string {
  return Buffer.from(reader.block()).toString('utf8');
}
