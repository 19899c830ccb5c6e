/** A chunk: up to `MAX_CHUNK_ROWS` rows of one series as bytes that say when they are damaged. The format is in SPEC.md. */
import { crc32 } from 'node:zlib';
import { numberFor, type Rows, rowValue, withBoxed } from '../rows.ts';
import { readDictionary, writeDictionary } from './boxed.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { readIntegers, writeIntegers } from './integers.ts';
import { readNumbers, writeNumbers } from './numbers.ts';
import { readTimes, writeTimes } from './times.ts';

const FORMAT_VERSION = 1;

export const MAX_CHUNK_ROWS = 8192;

const HEAD_BYTES = 5;

const Column = { numbers: 0, dictionary: 1 } as const;

export function encodeChunk(rows: Rows): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(rows.length);
  writeTimes(writer, rows.times);
  writeIntegers(writer, new Float64Array(rows.qualities));
  if (rows.boxed === undefined) {
    writer.byte(Column.numbers);
    writeNumbers(writer, rows.values);
  } else {
    writer.byte(Column.dictionary);
    writeDictionary(
      writer,
      Array.from({ length: rows.length }, (_, row) => rowValue(rows, row)),
    );
  }
  return sealed(writer.finish());
}

/** Undefined when the bytes are not what was written. */
export function decodeChunk(bytes: Uint8Array): Rows | undefined {
  const body = opened(bytes);
  if (body === undefined) return undefined;
  try {
    return readRows(new ByteReader(body));
  } catch {
    return undefined;
  }
}

/** Version, checksum, and then `body`: what chunks and tiers share. */
export function sealed(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + body.length);
  bytes[0] = FORMAT_VERSION;
  new DataView(bytes.buffer).setUint32(1, crc32(body), true);
  bytes.set(body, HEAD_BYTES);
  return bytes;
}

export function opened(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < HEAD_BYTES || bytes[0] !== FORMAT_VERSION) return undefined;
  const body = bytes.subarray(HEAD_BYTES);
  const checksum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1, true);
  return crc32(body) === checksum ? body : undefined;
}

function readRows(reader: ByteReader): Rows {
  const length = reader.varint();
  if (length > MAX_CHUNK_ROWS) throw new RangeError('too many rows');
  const times = readTimes(reader, length);
  const qualities = new Uint8Array(readIntegers(reader, length));
  if (reader.byte() === Column.numbers) return { length, times, values: readNumbers(reader, length), qualities };
  const values = new Float64Array(length);
  const boxed = new Map();
  for (const [row, value] of readDictionary(reader, length).entries()) {
    values[row] = numberFor(value);
    if (typeof value !== 'number') boxed.set(row, value);
  }
  return { length, times, values, qualities, ...withBoxed(boxed) };
}
