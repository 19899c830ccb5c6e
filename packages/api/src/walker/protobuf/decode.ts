/** Decodes `application/vnd.kubernetes.protobuf`, which current clients send for every built-in kind, into the object JSON would show. */
import { typeNameOf } from '../../facts/schema-for.ts';
import { type JsonObject, setMember } from '../../json.ts';
import { formatApiVersion, type Gvk, parseApiVersion } from '../../names.ts';
import { badRequest } from '../errors.ts';
import { parseJson } from '../json.ts';
import { codecOf, type FieldCodec } from './codec.ts';
import * as scalars from './scalars.ts';
import { BYTES, malformed, Reader } from './wire.ts';

/** `k8s` and a zero byte begin every body. */
export const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

/** Deeper messages are refused; schemas in definitions are the deepest there are, at two messages a level. */
const MAX_DEPTH = 400;

const JSON_SCHEMA_PROPS = 'apiextensions.v1.JSONSchemaProps';

export interface Decoded {
  readonly gvk: Gvk;
  readonly object: JsonObject;
}

export function isProtobuf(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.every((byte, index) => bytes[index] === byte);
}

/** Throws StatusError 400. `fallback` is the kind of the route, for bodies that do not name theirs. */
export function decodeProtobuf(bytes: Uint8Array, fallback?: Gvk): Decoded {
  if (!isProtobuf(bytes))
    throw badRequest('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const unknown = readUnknown(new Reader(buffer, MAGIC.length, buffer.length));
  const gvk =
    unknown.kind === '' && fallback !== undefined
      ? fallback
      : { ...parseApiVersion(unknown.apiVersion), kind: unknown.kind };
  const apiVersion = formatApiVersion(gvk);
  if (unknown.contentType === 'application/json') return { gvk, object: parseJson(unknown.raw).value as JsonObject };
  const typeName = typeNameOf(gvk);
  if (typeName === undefined) throw badRequest(`no kind "${gvk.kind}" is registered for version "${apiVersion}"`);
  const object: JsonObject = { kind: gvk.kind, apiVersion };
  readMessage(new Reader(unknown.raw, 0, unknown.raw.length), typeName, object, 0);
  return { gvk, object };
}

interface Unknown {
  apiVersion: string;
  kind: string;
  raw: Buffer;
  contentType: string;
}

function readUnknown(reader: Reader): Unknown {
  const unknown: Unknown = { apiVersion: '', kind: '', raw: Buffer.alloc(0), contentType: '' };
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 10) readTypeMeta(reader.message(), unknown);
    else if (tag === 18) unknown.raw = reader.bytes();
    else if (tag === 34) unknown.contentType = reader.string();
    else reader.skip(tag);
  }
  return unknown;
}

function readTypeMeta(reader: Reader, unknown: Unknown): void {
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 10) unknown.apiVersion = reader.string();
    else if (tag === 18) unknown.kind = reader.string();
    else reader.skip(tag);
  }
}

/** Reads a message into `object`, which an inlined struct shares with the outer one. */
function readMessage(reader: Reader, typeName: string, object: JsonObject, depth: number): JsonObject {
  if (depth > MAX_DEPTH) throw malformed('message is nested too deeply');
  const { byNumber } = codecOf(typeName);
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const field = byNumber[tag >>> 3];
    if (field === undefined) reader.skip(tag);
    else if (field.json === undefined) readMessage(reader.message(), field.typeName, object, depth + 1);
    else readField(reader, tag, field, { object, name: field.json, depth });
  }
  return object;
}

interface Target {
  readonly object: JsonObject;
  readonly name: string;
  readonly depth: number;
}

function readField(reader: Reader, tag: number, field: FieldCodec, { object, name, depth }: Target): void {
  if (field.container === 'map') readEntry(reader.message(), field, ownObject(object, name), depth);
  else if (field.container === 'list') readItem(reader, tag, field, { object, name, depth });
  else {
    expectWire(tag, field);
    const value = readValue(reader, field, depth);
    const isZero = value === '' || value === 0 || value === false;
    if (value !== undefined && !(isZero && field.dropsZero)) object[name] = value;
  }
}

/** Numbers may come packed: many in one length-delimited field. */
function readItem(reader: Reader, tag: number, field: FieldCodec, { object, name, depth }: Target): void {
  object[name] ??= [];
  const list = object[name] as unknown[];
  const isPacked = (tag & 7) === BYTES && (field.shape === 'int' || field.shape === 'bool' || field.shape === 'double');
  if (isPacked) {
    const packed = reader.message();
    while (!packed.isAtEnd) list.push(readValue(packed, field, depth));
    return;
  }
  expectWire(tag, field);
  list.push(readValue(reader, field, depth) ?? null);
}

function readEntry(reader: Reader, field: FieldCodec, map: JsonObject, depth: number): void {
  let key = '';
  let value: unknown;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 10) key = reader.string();
    else if (tag >>> 3 === 2) {
      expectWire(tag, field);
      value = readValue(reader, field, depth);
    } else reader.skip(tag);
  }
  setMember(map, key, value ?? zeroOf(field));
}

/** A value left out of a map's entry is the zero of its type. */
function zeroOf(field: FieldCodec): unknown {
  const empty = Buffer.alloc(0);
  if (field.shape === 'int' || field.shape === 'double') return 0;
  if (field.shape === 'bool') return false;
  if (field.shape === 'string' || field.shape === 'bytes') return '';
  return readMessageValue(new Reader(empty, 0, 0), field, 0) ?? null;
}

function expectWire(tag: number, { shape }: FieldCodec): void {
  const wanted = shape === 'int' || shape === 'bool' ? 0 : shape === 'double' ? 1 : BYTES;
  if ((tag & 7) !== wanted) throw malformed(`wrong wireType = ${tag & 7} for field ${tag >>> 3}`);
}

function readValue(reader: Reader, field: FieldCodec, depth: number): unknown {
  switch (field.shape) {
    case 'string':
      return reader.string();
    case 'int':
      return reader.int64();
    case 'bool':
      return reader.bool();
    case 'double':
      return reader.double();
    case 'bytes':
      return reader.bytes().toString('base64');
    default:
      return readMessageValue(reader.message(), field, depth);
  }
}

function readMessageValue(reader: Reader, field: FieldCodec, depth: number): unknown {
  switch (field.shape) {
    case 'message':
      return readMessage(reader, field.typeName, {}, depth + 1);
    case 'time':
      return scalars.readTime(reader, false);
    case 'micro-time':
      return scalars.readTime(reader, true);
    case 'duration':
      return scalars.readDuration(reader);
    case 'quantity':
      return scalars.readQuantity(reader);
    case 'int-or-string':
      return scalars.readIntOrString(reader);
    case 'raw-json':
      return scalars.readRawJson(reader);
    case 'raw-extension':
      return readExtension(reader);
    case 'strings':
      return scalars.readStrings(reader);
    default:
      return readSchemaOr(reader, field, depth);
  }
}

/** An extension holds JSON, or another object in this very format. */
function readExtension(reader: Reader): unknown {
  const raw = scalars.firstBytes(reader);
  if (raw === undefined || raw.length === 0) return undefined;
  return isProtobuf(raw) ? decodeProtobuf(raw).object : parseJson(raw).value;
}

/** JSONSchemaProps in one form or another: a schema (1), or a boolean, more schemas or strings. */
function readSchemaOr(reader: Reader, { shape }: FieldCodec, depth: number): unknown {
  let schema: JsonObject | undefined;
  let allows = false;
  const list: unknown[] = [];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (shape === 'schema-or-bool' && tag === 8) allows = reader.bool();
    else if (tag === (shape === 'schema-or-bool' ? 18 : 10))
      schema = readMessage(reader.message(), JSON_SCHEMA_PROPS, {}, depth + 1);
    else if (tag === 18)
      list.push(
        shape === 'schema-or-array' ? readMessage(reader.message(), JSON_SCHEMA_PROPS, {}, depth + 1) : reader.string(),
      );
    else reader.skip(tag);
  }
  if (schema !== undefined) return schema;
  return shape === 'schema-or-bool' ? allows : list;
}

function ownObject(object: JsonObject, name: string): JsonObject {
  object[name] ??= {};
  return object[name] as JsonObject;
}
