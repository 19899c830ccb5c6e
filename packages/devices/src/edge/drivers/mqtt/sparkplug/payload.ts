/** Payloads of Sparkplug B 3.0: the fields of its protocol buffer that carry values. Pure. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { RawValue } from '../../../../values/encoding.ts';

export interface SparkplugPayload {
  /** Milliseconds since 1970. */
  readonly timestamp?: number;
  readonly seq?: number;
  readonly metrics: readonly Metric[];
}

export interface Metric {
  readonly name?: string;
  readonly alias?: bigint;
  readonly timestamp?: number;
  readonly datatype?: number;
  readonly isHistorical?: boolean;
  /** Undefined: null, or of a type that has no value here (data sets, templates). */
  readonly value?: RawValue;
}

/** By their numbers in the specification. */
export const DataType = {
  Int8: 1,
  Int16: 2,
  Int32: 3,
  Int64: 4,
  UInt8: 5,
  UInt16: 6,
  UInt32: 7,
  UInt64: 8,
  Float: 9,
  Double: 10,
  Boolean: 11,
  String: 12,
  DateTime: 13,
  Text: 14,
  UUID: 15,
  Bytes: 17,
  File: 18,
  Int8Array: 22,
  DoubleArray: 31,
} as const;

/** A payload with more is refused. */
const MAX_METRICS = 100_000;

/** Throws an Error when the bytes are no payload. */
export function decodeSparkplug(bytes: Uint8Array): SparkplugPayload {
  const reader = new BinaryReader(bytes);
  const metrics: Metric[] = [];
  let timestamp: number | undefined;
  let seq: number | undefined;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1 && wire === WireType.Varint) timestamp = Number(reader.uint64());
    else if (field === 2 && wire === WireType.LengthDelimited) metrics.push(decodeMetric(reader.bytes()));
    else if (field === 3 && wire === WireType.Varint) seq = Number(reader.uint64());
    else reader.skip(wire);
    if (metrics.length > MAX_METRICS) throw new Error(`more than ${MAX_METRICS} metrics`);
  }
  return { metrics, ...(timestamp === undefined ? {} : { timestamp }), ...(seq === undefined ? {} : { seq }) };
}

interface OpenMetric {
  name?: string;
  alias?: bigint;
  timestamp?: number;
  datatype?: number;
  isHistorical?: boolean;
}

function decodeMetric(bytes: Uint8Array): Metric {
  const reader = new BinaryReader(bytes);
  const metric: OpenMetric = {};
  let isNull = false;
  let carried: RawValue | undefined;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    switch (field) {
      case 1:
        metric.name = reader.string();
        break;
      case 2:
        metric.alias = BigInt(reader.uint64());
        break;
      case 3:
        metric.timestamp = Number(reader.uint64());
        break;
      case 4:
        metric.datatype = reader.uint32();
        break;
      case 5:
        metric.isHistorical = reader.bool();
        break;
      case 7:
        isNull = reader.bool();
        break;
      case 10:
        carried = reader.uint32();
        break;
      case 11:
        carried = BigInt(reader.uint64());
        break;
      case 12:
        carried = reader.float();
        break;
      case 13:
        carried = reader.double();
        break;
      case 14:
        carried = reader.bool();
        break;
      case 15:
        carried = reader.string();
        break;
      case 16:
        carried = reader.bytes();
        break;
      default:
        reader.skip(wire);
    }
  }
  return { ...metric, ...(isNull || carried === undefined ? {} : { value: carried }) };
}

/** What was carried, as the type says: signed integers travel as unsigned ones, arrays as bytes. */
export function typedValue(carried: RawValue, datatype: number): RawValue {
  switch (datatype) {
    case DataType.Int8:
      return (Number(carried) << 24) >> 24;
    case DataType.Int16:
      return (Number(carried) << 16) >> 16;
    case DataType.Int32:
      return Number(carried) | 0;
    case DataType.Int64:
      return BigInt.asIntN(64, BigInt(carried as number | bigint));
    case DataType.UInt32:
    case DataType.DateTime:
      return Number(carried);
    default:
      return carried instanceof Uint8Array && datatype >= DataType.Int8Array && datatype <= DataType.DoubleArray
        ? numbersOf(carried, datatype)
        : carried;
  }
}

type Reading = (view: DataView, at: number) => number | bigint;

/** From Int8Array on, little-endian: size of an item, and how it is read. */
const ITEMS: readonly (readonly [number, Reading])[] = [
  [1, (view, at) => view.getInt8(at)],
  [2, (view, at) => view.getInt16(at, true)],
  [4, (view, at) => view.getInt32(at, true)],
  [8, (view, at) => view.getBigInt64(at, true)],
  [1, (view, at) => view.getUint8(at)],
  [2, (view, at) => view.getUint16(at, true)],
  [4, (view, at) => view.getUint32(at, true)],
  [8, (view, at) => view.getBigUint64(at, true)],
  [4, (view, at) => view.getFloat32(at, true)],
  [8, (view, at) => view.getFloat64(at, true)],
];

function numbersOf(bytes: Uint8Array, datatype: number): readonly (number | bigint)[] {
  const [size, read] = ITEMS[datatype - DataType.Int8Array] ?? [1, (view: DataView, at: number) => view.getUint8(at)];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, at) => read(view, at * size));
}

export function encodeSparkplug({ timestamp, seq, metrics }: SparkplugPayload): Uint8Array {
  const writer = new BinaryWriter();
  if (timestamp !== undefined) writer.tag(1, WireType.Varint).uint64(Math.round(timestamp));
  for (const metric of metrics) writer.tag(2, WireType.LengthDelimited).bytes(encodeMetric(metric));
  if (seq !== undefined) writer.tag(3, WireType.Varint).uint64(seq);
  return writer.finish();
}

function encodeMetric({ name, alias, timestamp, datatype, value }: Metric): Uint8Array {
  const writer = new BinaryWriter();
  if (name !== undefined) writer.tag(1, WireType.LengthDelimited).string(name);
  if (alias !== undefined) writer.tag(2, WireType.Varint).uint64(alias);
  if (timestamp !== undefined) writer.tag(3, WireType.Varint).uint64(Math.round(timestamp));
  if (datatype !== undefined) writer.tag(4, WireType.Varint).uint32(datatype);
  if (value === undefined) writer.tag(7, WireType.Varint).bool(true);
  else encodeValue(writer, value, datatype ?? DataType.String);
  return writer.finish();
}

function encodeValue(writer: BinaryWriter, value: RawValue, datatype: number): void {
  switch (datatype) {
    case DataType.Int8:
    case DataType.Int16:
    case DataType.Int32:
    case DataType.UInt8:
    case DataType.UInt16:
      writer.tag(10, WireType.Varint).uint32(Number(value) >>> 0);
      return;
    // As the reference implementation does it; in an int_value it would be read as nothing.
    case DataType.UInt32:
    case DataType.Int64:
    case DataType.UInt64:
    case DataType.DateTime:
      writer.tag(11, WireType.Varint).uint64(BigInt.asUintN(64, BigInt(value as number | bigint)));
      return;
    case DataType.Float:
      writer.tag(12, WireType.Bit32).float(Number(value));
      return;
    case DataType.Double:
      writer.tag(13, WireType.Bit64).double(Number(value));
      return;
    case DataType.Boolean:
      writer.tag(14, WireType.Varint).bool(value === true);
      return;
    case DataType.Bytes:
    case DataType.File:
      writer.tag(16, WireType.LengthDelimited).bytes(value as Uint8Array);
      return;
    default:
      writer.tag(15, WireType.LengthDelimited).string(String(value));
  }
}
