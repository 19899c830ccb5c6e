/** Why Go could not decode a body into its struct: built-in kinds answer wrong types with that sentence and 400. */

import { isObject, type JsonObject } from '../json.ts';
import type { Schema } from '../schema.ts';
import { propertyOf } from './children.ts';
import { hasFormat, isBase64 } from './formats.ts';
import { formatPath, type Path } from './path.ts';
import { jsonTypeOf, typeMismatch } from './validate.ts';

const QUANTITY_RULE = '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$';

/** The first thing wrong, or undefined. Null fits everywhere: to Go it is the zero value. */
export function decodeError(value: unknown, schema: Schema): string | undefined {
  return visit(value, schema, schema.typeName, undefined);
}

/** `struct` is the type that holds the field at the end of `path`. */
function visit(value: unknown, schema: Schema, struct: string | undefined, path: Path | undefined): string | undefined {
  if (value === null) return undefined;
  if (typeMismatch(value, schema) !== undefined) return mismatchText(value, schema, struct, path);
  if (typeof value === 'string') return formatError(value, schema);
  if (Array.isArray(value)) return visitItems(value, schema, struct, path);
  return isObject(value) ? visitFields(value, schema, schema.typeName ?? struct, path) : undefined;
}

function visitFields(
  object: JsonObject,
  schema: Schema,
  struct: string | undefined,
  path: Path | undefined,
): string | undefined {
  for (const key of Object.keys(object)) {
    const field = propertyOf(schema, key);
    const child = field ?? schema.additionalProperties;
    if (child === undefined) continue;
    // Go's path names fields only: neither keys of maps nor indexes.
    const at = field === undefined ? path : { parent: path, step: key };
    const error = visit(object[key], child, struct, at);
    if (error !== undefined) return error;
  }
  return undefined;
}

function visitItems(
  items: readonly unknown[],
  schema: Schema,
  struct: string | undefined,
  path: Path | undefined,
): string | undefined {
  if (schema.items === undefined) return undefined;
  for (const item of items) {
    const error = visit(item, schema.items, struct, path);
    if (error !== undefined) return error;
  }
  return undefined;
}

function mismatchText(value: unknown, schema: Schema, struct: string | undefined, path: Path | undefined): string {
  const found = jsonTypeOf(value);
  if (schema.format === 'quantity') return quantityError();
  const isNumber = found === 'integer' || found === 'number';
  const number = `number${schema.type === 'integer' ? ` ${String(value)}` : ''}`;
  const word = isNumber ? number : found.replace('boolean', 'bool');
  const where = path === undefined ? 'value' : `struct field ${shortName(struct ?? '')}.${formatPath(path)}`;
  return `json: cannot unmarshal ${word} into Go ${where} of type ${goType(schema)}`;
}

function formatError(text: string, { format }: Schema): string | undefined {
  // An empty string where a time or a number of bytes stands is Go's zero value or refused alike; both carry no meaning.
  if (format === undefined || format === 'int32' || format === 'int64') return undefined;
  if (format === 'byte') return isBase64(text) ? undefined : 'illegal base64 data at input byte 0';
  if (hasFormat(text, format)) return undefined;
  if (format === 'quantity') return quantityError();
  if (format === 'duration') return `time: invalid duration ${JSON.stringify(text)}`;
  const layout = format === 'micro-time' ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
  return `parsing time ${JSON.stringify(text)} as "${layout}": cannot parse ${JSON.stringify(text)} as "2006"`;
}

function quantityError(): string {
  return `quantities must match the regular expression '${QUANTITY_RULE}'`;
}

function goType(schema: Schema): string {
  if (schema.typeName !== undefined) return schema.typeName.replace(/^.*\.(\w+\.\w+)$/, '$1');
  if (schema.intOrString === true) return 'intstr.IntOrString';
  if (schema.format === 'date-time' || schema.format === 'micro-time') return 'v1.Time';
  switch (schema.type) {
    case 'integer':
      return schema.format ?? 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'array':
      return `[]${goType(schema.items ?? {})}`;
    case 'object':
      return `map[string]${goType(schema.additionalProperties ?? {})}`;
    case 'string':
      return schema.format === 'byte' ? '[]uint8' : 'string';
    default:
      return 'interface {}';
  }
}

function shortName(typeName: string): string {
  return typeName.slice(typeName.lastIndexOf('.') + 1);
}
