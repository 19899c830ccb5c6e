/** Encodes an object of a built-in kind as `application/vnd.kubernetes.protobuf`. Fields that the facts do not know are left out. */
import { typeNameOf } from '../../facts/schema-for.ts';
import { isObject, type JsonObject } from '../../json.ts';
import { parseApiVersion } from '../../names.ts';
import { badRequest } from '../errors.ts';
import { codecOf, type FieldCodec } from './codec.ts';
import { MAGIC } from './decode.ts';
import * as scalars from './scalars.ts';
import { Writer } from './wire.ts';

const JSON_SCHEMA_PROPS = 'apiextensions.v1.JSONSchemaProps';

export function encodeProtobuf(object: { readonly apiVersion: string; readonly kind: string }): Uint8Array {
  const { apiVersion, kind } = object;
  const typeName = typeNameOf({ ...parseApiVersion(apiVersion), kind });
  if (typeName === undefined) throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`);
  const typeMeta = new Writer();
  typeMeta.stringField(1, apiVersion);
  typeMeta.stringField(2, kind);
  const unknown = new Writer();
  unknown.bytesField(1, typeMeta.finish());
  unknown.bytesField(2, writeMessage({ ...object }, typeName));
  unknown.stringField(3, '');
  unknown.stringField(4, '');
  return Buffer.concat([MAGIC, unknown.finish()]);
}

function writeMessage(object: JsonObject, typeName: string): Uint8Array {
  const writer = new Writer();
  for (const field of codecOf(typeName).fields) {
    if (field.json === undefined) writer.bytesField(field.number, writeMessage(object, field.typeName));
    else if (Object.hasOwn(object, field.json)) writeField(writer, field, object[field.json]);
  }
  return writer.finish();
}

function writeField(writer: Writer, field: FieldCodec, value: unknown): void {
  if (value === null || value === undefined) return;
  if (field.container === 'list') {
    for (const item of Array.isArray(value) ? value : []) writeValue(writer, field.number, field, item);
  } else if (field.container === 'map') {
    for (const [key, each] of Object.entries(isObject(value) ? value : {})) {
      const entry = new Writer();
      entry.stringField(1, key);
      if (each !== null) writeValue(entry, 2, field, each);
      writer.bytesField(field.number, entry.finish());
    }
  } else writeValue(writer, field.number, field, value);
}

function writeValue(writer: Writer, number: number, field: FieldCodec, value: unknown): void {
  switch (field.shape) {
    case 'string':
      writer.stringField(number, String(value));
      break;
    case 'int':
      writer.varintField(number, Number(value));
      break;
    case 'bool':
      writer.varintField(number, value === true ? 1 : 0);
      break;
    case 'double':
      writer.doubleField(number, Number(value));
      break;
    case 'bytes':
      writer.bytesField(number, Buffer.from(String(value), 'base64'));
      break;
    default:
      writer.bytesField(number, messageBytes(field, value));
      break;
  }
}

function messageBytes(field: FieldCodec, value: unknown): Uint8Array {
  switch (field.shape) {
    case 'time':
    case 'micro-time':
      return scalars.writeTime(String(value));
    case 'duration':
      return scalars.writeDuration(String(value));
    case 'quantity':
      return scalars.writeQuantity(typeof value === 'number' ? value : String(value));
    case 'int-or-string':
      return scalars.writeIntOrString(typeof value === 'number' ? value : String(value));
    case 'raw-json':
    case 'raw-extension':
      return scalars.writeRawJson(value);
    case 'strings':
      return scalars.writeStrings(Array.isArray(value) ? value : []);
    case 'message':
      return writeMessage(isObject(value) ? value : {}, field.typeName);
    default:
      return schemaOrBytes(field, value);
  }
}

function schemaOrBytes({ shape }: FieldCodec, value: unknown): Uint8Array {
  const writer = new Writer();
  const schemaNumber = shape === 'schema-or-bool' ? 2 : 1;
  if (shape === 'schema-or-bool') writer.varintField(1, value === false ? 0 : 1);
  if (isObject(value)) writer.bytesField(schemaNumber, writeMessage(value, JSON_SCHEMA_PROPS));
  for (const item of Array.isArray(value) ? value : []) {
    if (isObject(item)) writer.bytesField(2, writeMessage(item, JSON_SCHEMA_PROPS));
    else writer.stringField(2, String(item));
  }
  return writer.finish();
}
