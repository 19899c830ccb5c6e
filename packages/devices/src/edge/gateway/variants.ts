/** Values of devices as Variants of OPC UA, and back. Structures are JSON text; their fields stand beside as variables. */
import { DataType, Variant, VariantArrayType } from 'node-opcua-client';
import { ValueError } from '../../values/value.ts';
import type { ScalarType, ValueType } from '../../values/value-type.ts';

const DATA_TYPES: Readonly<Record<ScalarType, DataType>> = {
  bool: DataType.Boolean,
  int8: DataType.SByte,
  uint8: DataType.Byte,
  int16: DataType.Int16,
  uint16: DataType.UInt16,
  int32: DataType.Int32,
  uint32: DataType.UInt32,
  int64: DataType.Int64,
  uint64: DataType.UInt64,
  float32: DataType.Float,
  float64: DataType.Double,
  string: DataType.String,
  bytes: DataType.ByteString,
  datetime: DataType.DateTime,
};

export function dataTypeOf(type: ValueType): DataType {
  if (type.kind === 'list') return dataTypeOf(type.items);
  return type.kind === 'struct' ? DataType.String : DATA_TYPES[type.scalar];
}

/** -1: one value; 1: a list. */
export function valueRankOf(type: ValueType): number {
  return type.kind === 'list' ? 1 : -1;
}

/** What stands there before the first value has come. */
export function emptyVariant(type: ValueType): Variant {
  const dataType = dataTypeOf(type);
  if (type.kind === 'list') return new Variant({ dataType, arrayType: VariantArrayType.Array, value: [] });
  return new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: emptyScalar(dataType) });
}

function emptyScalar(dataType: DataType): unknown {
  switch (dataType) {
    case DataType.Boolean:
      return false;
    case DataType.Int64:
    case DataType.UInt64:
      return [0, 0];
    case DataType.String:
    case DataType.ByteString:
    case DataType.DateTime:
      return null;
    default:
      return 0;
  }
}

/** From a value as JSON has it, and as samples do: bool also as 0 and 1, datetime also as milliseconds since 1970. */
export function variantOf(type: ValueType, json: unknown): Variant {
  const dataType = dataTypeOf(type);
  if (type.kind !== 'list')
    return new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: itemOf(type, json) });
  const value = Array.isArray(json) ? json.map((item) => itemOf(type.items, item)) : [];
  return new Variant({ dataType, arrayType: VariantArrayType.Array, value });
}

function itemOf(type: ValueType, json: unknown): unknown {
  if (type.kind !== 'scalar') return JSON.stringify(json);
  switch (type.scalar) {
    case 'bool':
      return json === true || json === 1;
    case 'int64':
    case 'uint64':
      return toWords(BigInt(json as number | string));
    case 'float32':
    case 'float64':
      return Number(json);
    case 'bytes':
      return Buffer.from(String(json), 'base64');
    case 'datetime':
      return new Date(json as number | string);
    default:
      return json;
  }
}

/** Throws a ValueError when the variant is none of the type. */
export function jsonOf(type: ValueType, { dataType, arrayType, value }: Variant): unknown {
  if (dataType !== dataTypeOf(type)) throw new ValueError(`must be ${DataType[dataTypeOf(type)]}`);
  if ((arrayType === VariantArrayType.Scalar) === (type.kind === 'list'))
    throw new ValueError(type.kind === 'list' ? 'must be a list' : 'must be one value');
  if (type.kind !== 'list') return jsonItem(type, value as unknown);
  return Array.from(value as ArrayLike<unknown>, (item) => jsonItem(type.items, item));
}

function jsonItem(type: ValueType, value: unknown): unknown {
  if (type.kind !== 'scalar') return parseText(String(value));
  switch (type.scalar) {
    case 'int64':
      return String(BigInt.asIntN(64, fromWords(value)));
    case 'uint64':
      return String(fromWords(value));
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'datetime':
      return value instanceof Date ? value.toISOString() : null;
    case 'float32':
    case 'float64':
      return Number.isFinite(value) ? value : String(value);
    default:
      return value;
  }
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ValueError('must be JSON text', { cause });
  }
}

/** As the library holds 64 bits: the high and the low half. */
function toWords(value: bigint): readonly [number, number] {
  const words = BigInt.asUintN(64, value);
  return [Number(words >> 32n), Number(words & 0xffffffffn)];
}

function fromWords(value: unknown): bigint {
  const [high = 0, low = 0] = value as readonly number[];
  return (BigInt(high) << 32n) | BigInt(low);
}
