/** Values of devices as Variants of OPC UA, and back. */
import { DataType, ExtensionObject, Variant, VariantArrayType } from 'node-opcua-client';
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

/** What the library makes the values of a data type with. */
export interface StructureClass {
  new (fields: object): ExtensionObject;
  readonly schema: StructureSchema;
}

interface StructureSchema {
  readonly name: string;
  /** In the order of the model. */
  readonly fields: readonly StructureField[];
}

interface StructureField {
  /** As the library spells it. */
  readonly name: string;
  /** Of what is a structure itself. */
  readonly schema?: unknown;
}

export function dataTypeOf(type: ValueType): DataType {
  if (type.kind === 'list') return dataTypeOf(type.items);
  return type.kind === 'struct' ? DataType.ExtensionObject : DATA_TYPES[type.scalar];
}

/** -1: one value; 1: a list. */
export function valueRankOf(type: ValueType): number {
  return type.kind === 'list' ? 1 : -1;
}

/** What stands there before the first value has come. */
export function emptyVariant(type: ValueType, structure: StructureClass | undefined): Variant {
  const dataType = dataTypeOf(type);
  if (type.kind === 'list') return new Variant({ dataType, arrayType: VariantArrayType.Array, value: [] });
  return new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: emptyItem(dataType, structure) });
}

function emptyItem(dataType: DataType, structure: StructureClass | undefined): unknown {
  switch (dataType) {
    case DataType.ExtensionObject:
      return structure === undefined ? null : new structure({});
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
export function variantOf(type: ValueType, json: unknown, structure: StructureClass | undefined): Variant {
  const dataType = dataTypeOf(type);
  const value = itemOf(type, json, structure?.schema);
  const made = (fields: unknown) => (structure === undefined ? fields : new structure(fields as object));
  if (type.kind !== 'list') return new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: made(value) });
  return new Variant({ dataType, arrayType: VariantArrayType.Array, value: (value as unknown[]).map(made) });
}

/** What the library takes for it: structures by their fields, lists as such. */
function itemOf(type: ValueType, json: unknown, schema: StructureSchema | undefined): unknown {
  if (type.kind === 'list') return Array.isArray(json) ? json.map((item) => itemOf(type.items, item, schema)) : [];
  if (type.kind === 'struct') return structureOf(type, json, schema);
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

type StructType = Extract<ValueType, { kind: 'struct' }>;

/** What is not there keeps what the library has for nothing. */
function structureOf({ fields }: StructType, json: unknown, schema: StructureSchema | undefined): object {
  const values = (json ?? {}) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    fields.flatMap(({ name, type }, at) => {
      const field = schema?.fields[at];
      const value = values[name] ?? null;
      if (field === undefined || value === null) return [];
      return [[field.name, itemOf(type, value, field.schema as StructureSchema | undefined)]];
    }),
  );
}

/** Throws a ValueError when the variant is none of the type. */
export function jsonOf(
  type: ValueType,
  { dataType, arrayType, value }: Variant,
  structure: StructureClass | undefined,
): unknown {
  if (dataType !== dataTypeOf(type)) throw new ValueError(`must be ${DataType[dataTypeOf(type)]}`);
  if ((arrayType === VariantArrayType.Scalar) === (type.kind === 'list'))
    throw new ValueError(type.kind === 'list' ? 'must be a list' : 'must be one value');
  return jsonItem(type, value as unknown, structure?.schema);
}

function jsonItem(type: ValueType, value: unknown, schema: StructureSchema | undefined): unknown {
  if (type.kind === 'list')
    return Array.from((value ?? []) as ArrayLike<unknown>, (item) => jsonItem(type.items, item, schema));
  if (type.kind === 'struct') return jsonStructure(type, value, schema);
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

function jsonStructure({ name, fields }: StructType, value: unknown, schema: StructureSchema | undefined): object {
  // One of another data type, or one that could not be read, is an object all the same.
  if (!(value instanceof ExtensionObject) || value.schema.name !== schema?.name)
    throw new ValueError(`must be a structure ${name}`);
  const values = value as unknown as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    fields.map(({ name: field, type }, at) => {
      const known = schema.fields[at];
      const item = known === undefined ? undefined : values[known.name];
      return [field, jsonItem(type, item, known?.schema as StructureSchema | undefined)];
    }),
  );
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
