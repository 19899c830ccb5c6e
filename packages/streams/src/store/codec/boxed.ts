/** Values that are no plain numbers: each with a tag, lists and structures with their parts. And columns of them, as a dictionary. */
import type { Boxed, Scalar } from '../../contract/index.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { readIntegers, writeIntegers } from './integers.ts';

const Tag = { nothing: 0, no: 1, yes: 2, number: 3, integer: 4, text: 5, bytes: 6, list: 7, structure: 8 } as const;

/** Lists in structures in lists: deeper ones are a mistake, and a bound on every walk along a value. */
const MAX_DEPTH = 32;

const textDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Throws a RangeError for what is too deep or no value. */
export function writeValue(writer: ByteWriter, value: unknown, depth = 0): void {
  if (depth > MAX_DEPTH) throw new RangeError(`more than ${MAX_DEPTH} levels deep`);
  if (value === undefined || value === null) writer.byte(Tag.nothing);
  else if (typeof value === 'boolean') writer.byte(value ? Tag.yes : Tag.no);
  else if (typeof value === 'number') writeNumber(writer, value);
  else if (typeof value === 'bigint') writeText(writer, Tag.integer, value.toString());
  else if (typeof value === 'string') writeText(writer, Tag.text, value);
  else if (value instanceof Uint8Array) writeBytes(writer, value);
  else if (Array.isArray(value)) writeList(writer, value, depth);
  else if (typeof value === 'object') writeStructure(writer, value, depth);
  else throw new RangeError(`a ${typeof value} is no value`);
}

export function readValue(reader: ByteReader, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw new RangeError(`more than ${MAX_DEPTH} levels deep`);
  const tag = reader.byte();
  switch (tag) {
    case Tag.nothing:
      return null;
    case Tag.no:
      return false;
    case Tag.yes:
      return true;
    case Tag.number:
      return reader.float64();
    case Tag.integer:
      return BigInt(readText(reader));
    case Tag.text:
      return readText(reader);
    case Tag.bytes:
      return Uint8Array.from(reader.block());
    case Tag.list:
      return Array.from({ length: reader.varint() }, () => readValue(reader, depth + 1));
    case Tag.structure:
      return readStructure(reader, depth);
    default:
      throw new RangeError(`no tag ${tag} of values`);
  }
}

/** So many bytes the value takes before it is compressed. */
export function sizeOf(value: Scalar | Boxed): number {
  if (typeof value === 'string') return value.length;
  return bytesOf(value).length;
}

/** Rows of any kind; equal ones are kept once. */
export function writeDictionary(writer: ByteWriter, rows: readonly (Scalar | Boxed)[]): void {
  const numbers = new Map<string, number>();
  const entries = new ByteWriter();
  const places = new Float64Array(rows.length);
  for (const [row, value] of rows.entries()) {
    const entry = bytesOf(value);
    const key = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength).toString('latin1');
    let place = numbers.get(key);
    if (place === undefined) {
      place = numbers.size;
      numbers.set(key, place);
      entries.raw(entry);
    }
    places[row] = place;
  }
  const bytes = entries.finish();
  writer.varint(numbers.size);
  writer.varint(bytes.length);
  writer.packed(bytes);
  writeIntegers(writer, places);
}

export function readDictionary(reader: ByteReader, length: number): readonly (Scalar | Boxed)[] {
  const size = reader.varint();
  if (size > length) throw new RangeError('a dictionary with more entries than rows');
  const entries = new ByteReader(reader.packed(reader.varint()));
  const values = Array.from({ length: size }, () => readValue(entries) as Scalar | Boxed);
  return Array.from(readIntegers(reader, length), (place) => {
    const value = values[place];
    if (value === undefined) throw new RangeError('no such entry of the dictionary');
    return value;
  });
}

function bytesOf(value: Scalar | Boxed): Uint8Array {
  const writer = new ByteWriter();
  writeValue(writer, value);
  return writer.finish();
}

function writeNumber(writer: ByteWriter, value: number): void {
  writer.byte(Tag.number);
  writer.float64(value);
}

function writeText(writer: ByteWriter, tag: number, text: string): void {
  writer.byte(tag);
  writer.block(Buffer.from(text, 'utf8'));
}

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.byte(Tag.bytes);
  writer.block(bytes);
}

function writeList(writer: ByteWriter, items: readonly unknown[], depth: number): void {
  writer.byte(Tag.list);
  writer.varint(items.length);
  for (const item of items) writeValue(writer, item, depth + 1);
}

function writeStructure(writer: ByteWriter, structure: object, depth: number): void {
  const fields = Object.entries(structure);
  writer.byte(Tag.structure);
  writer.varint(fields.length);
  for (const [name, value] of fields) {
    writer.block(Buffer.from(name, 'utf8'));
    writeValue(writer, value, depth + 1);
  }
}

function readText(reader: ByteReader): string {
  return textDecoder.decode(reader.block());
}

function readStructure(reader: ByteReader, depth: number): Record<string, unknown> {
  const fields: [string, unknown][] = [];
  for (let rest = reader.varint(); rest > 0; rest--) fields.push([readText(reader), readValue(reader, depth + 1)]);
  return Object.fromEntries(fields);
}
