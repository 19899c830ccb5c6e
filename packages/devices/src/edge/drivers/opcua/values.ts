/** Between variants and what the worker decodes: every type exactly, 64-bit integers as bigint, structures by their fields. */
import {
  DataType,
  type ExtensionObject,
  QualifiedName,
  StatusCode,
  type Variant,
  VariantArrayType,
} from 'node-opcua-client';
import type { RawValue } from '../../../values/encoding.ts';
import { float32From, integerValue, ValueError } from '../../../values/value.ts';
import type { ScalarType } from '../../../values/value-type.ts';

/** Undefined where the variant holds nothing. */
export function rawOf({ dataType, arrayType, value }: Variant): RawValue | undefined {
  if (value === null || value === undefined) return emptyOf(dataType, arrayType);
  if (arrayType === VariantArrayType.Scalar) return rawScalar(dataType, value);
  // A matrix comes row by row.
  return Array.from(value as ArrayLike<unknown>, (item) => rawScalar(dataType, item));
}

/** The protocol has no difference between an empty text and none. */
function emptyOf(dataType: DataType, arrayType: VariantArrayType): RawValue | undefined {
  if (dataType === DataType.Null) return undefined;
  if (arrayType !== VariantArrayType.Scalar) return [];
  if (dataType === DataType.String) return '';
  return dataType === DataType.ByteString ? new Uint8Array() : undefined;
}

function rawScalar(dataType: DataType, value: unknown): RawValue {
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return value;
  switch (dataType) {
    case DataType.Int64:
      return BigInt.asIntN(64, bigintOf(value as Words));
    case DataType.UInt64:
      return bigintOf(value as Words);
    case DataType.DateTime:
      return (value as Date).getTime();
    case DataType.ByteString:
      return new Uint8Array(value as Buffer);
    case DataType.LocalizedText:
      return (value as { readonly text?: string | null }).text ?? '';
    case DataType.ExtensionObject:
      return rawStructure(value as ExtensionObject);
    case DataType.Variant:
      return rawOf(value as Variant) ?? '';
    default:
      return textOf(value);
  }
}

function textOf(value: unknown): RawValue {
  if (value instanceof StatusCode) return value.value;
  if (value instanceof QualifiedName) return value.namespaceIndex === 0 ? (value.name ?? '') : value.toString();
  return value === null || value === undefined ? '' : String(value);
}

/** High and low half, as the library has integers of 64 bits. */
export type Words = readonly [number, number];

function bigintOf([high, low]: Words): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function wordsOf(value: bigint): Words {
  const unsigned = BigInt.asUintN(64, value);
  return [Number(unsigned >> 32n), Number(unsigned & 0xffff_ffffn)];
}

/** What the library knows of a field of a structure. */
interface Field {
  readonly name: string;
  /** As the server spells it. */
  readonly originalName?: string;
  readonly category: string;
  readonly isArray?: boolean;
  readonly fieldType: string;
  readonly schema?: Structure;
}

export interface Structure {
  readonly fields: readonly Field[];
  readonly _baseSchema?: Structure | null;
}

function fieldsOf({ fields, _baseSchema }: Structure): readonly Field[] {
  return _baseSchema === null || _baseSchema === undefined ? fields : [...fieldsOf(_baseSchema), ...fields];
}

function rawStructure(structure: ExtensionObject): RawValue {
  const values = structure as unknown as Readonly<Record<string, unknown>>;
  const fields = fieldsOf(structure.schema as unknown as Structure).filter(({ name }) => values[name] !== undefined);
  return Object.fromEntries(
    fields.map((field) => {
      const value = values[field.name];
      const one = (item: unknown) => rawField(field, item);
      return [field.originalName ?? field.name, field.isArray === true ? listOf(value).map(one) : one(value)];
    }),
  );
}

function rawField({ category, fieldType }: Field, value: unknown): RawValue {
  if (category === 'complex') return value === null ? {} : rawStructure(value as ExtensionObject);
  return rawScalar(dataTypeNamed(fieldType), value);
}

function listOf(value: unknown): readonly unknown[] {
  return value === null || value === undefined ? [] : Array.from(value as ArrayLike<unknown>);
}

function dataTypeNamed(name: string): DataType {
  // Of its subtypes, UtcTime is the one that structures have.
  if (name === 'UtcTime') return DataType.DateTime;
  return (DataType as unknown as Readonly<Record<string, DataType>>)[name] ?? DataType.Null;
}

// ——— to be written ———

const INTEGERS: Partial<Record<DataType, ScalarType>> = {
  [DataType.SByte]: 'int8',
  [DataType.Byte]: 'uint8',
  [DataType.Int16]: 'int16',
  [DataType.UInt16]: 'uint16',
  [DataType.Int32]: 'int32',
  [DataType.UInt32]: 'uint32',
  [DataType.Int64]: 'int64',
  [DataType.UInt64]: 'uint64',
};

/** A value for a variant of this type. Lists become lists. Throws a ValueError for a number that the type cannot hold. */
export function variantValue(dataType: DataType, raw: RawValue): unknown {
  if (Array.isArray(raw) && !(raw instanceof Uint8Array))
    return raw.map((item: RawValue) => variantValue(dataType, item));
  const integer = INTEGERS[dataType];
  if (integer !== undefined) return integerIn(integer, raw);
  switch (dataType) {
    case DataType.Boolean:
      return typeof raw === 'boolean' ? raw : Number(raw) !== 0;
    case DataType.Float:
      return float32From(Number(raw));
    case DataType.DateTime:
      return new Date(Number(raw));
    case DataType.ByteString:
      return Buffer.from(raw as Uint8Array);
    case DataType.String:
      return String(raw);
    case DataType.LocalizedText:
      return { text: String(raw) };
    default:
      return typeof raw === 'bigint' ? Number(raw) : raw;
  }
}

/** The nearest integer: the library would write the low bits of whatever it is given. */
function integerIn(type: ScalarType, raw: RawValue): number | Words {
  const number = Math.round(Number(raw));
  if (typeof raw !== 'bigint' && !Number.isFinite(number)) throw new ValueError(`must be a number, not ${String(raw)}`);
  const value = integerValue(type, typeof raw === 'bigint' ? raw : BigInt(number));
  return typeof value === 'bigint' ? wordsOf(value) : value;
}

/** What the library makes a structure of. */
export function structureValue(schema: Structure, raw: RawValue): Record<string, unknown> {
  const values = raw as Readonly<Record<string, RawValue>>;
  return Object.fromEntries(
    fieldsOf(schema).flatMap((field) => {
      const value = values[field.originalName ?? field.name] ?? values[field.name];
      return value === undefined ? [] : [[field.name, fieldValue(field, value)]];
    }),
  );
}

function fieldValue(field: Field, raw: RawValue): unknown {
  if (field.isArray === true && Array.isArray(raw))
    return raw.map((item: RawValue) => fieldValue({ ...field, isArray: false }, item));
  if (field.category === 'complex' && field.schema !== undefined) return structureValue(field.schema, raw);
  return variantValue(dataTypeNamed(field.fieldType), raw);
}
