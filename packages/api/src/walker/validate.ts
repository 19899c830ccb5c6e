/** Holds a value against its schema: types first, then what the schema demands of each value. */

import { isObject, type JsonObject } from '../json.ts';
import type { FieldError, Schema } from '../schema.ts';
import { childOf } from './children.ts';
import { duplicate, invalid, required, typeInvalid } from './field-errors.ts';
import { formatPath, type Path } from './path.ts';
import {
  canonical,
  checkEnum,
  checkItemCount,
  checkNumber,
  checkPropertyCount,
  checkString,
  inBody,
} from './value-checks.ts';

const NONE: readonly string[] = [];
const EMBEDDED_REQUIRED = ['apiVersion', 'kind'];

/** A body that is wrong everywhere must not make a long answer. */
const MAX_ERRORS = 100;

export function validate(value: unknown, schema: Schema): FieldError[] {
  const errors: FieldError[] = [];
  check(value, schema, undefined, errors);
  return errors.slice(0, MAX_ERRORS);
}

/** The same below a path, for callers that hold a part of an object, such as `['spec']`. */
export function validateAt(path: readonly (string | number)[], value: unknown, schema: Schema): FieldError[] {
  const errors: FieldError[] = [];
  const at = path.reduce<Path | undefined>((parent, step) => ({ parent, step }), undefined);
  check(value, schema, at, errors);
  return errors.slice(0, MAX_ERRORS);
}

function check(value: unknown, schema: Schema, path: Path | undefined, errors: FieldError[]): void {
  if (errors.length >= MAX_ERRORS) return;
  if (value === null && allowsNull(schema)) return;
  const mismatch = typeMismatch(value, schema);
  if (mismatch !== undefined) {
    const at = formatPath(path);
    const found = JSON.stringify(jsonTypeOf(value));
    errors.push(typeInvalid(at, jsonTypeOf(value), `${inBody(at)} must be of type ${mismatch}: ${found}`));
    return;
  }
  if (typeof value === 'string') {
    if (!isZeroText(value, schema)) errors.push(...checkString(value, schema, path));
  } else if (typeof value === 'number') errors.push(...checkNumber(value, schema, path));
  else if (Array.isArray(value)) checkArray(value, schema, path, errors);
  else if (isObject(value)) checkObject(value, schema, path, errors);
  if (schema.enum !== undefined && !isZeroText(value, schema)) errors.push(...checkEnum(value, schema.enum, path));
  checkLogic(value, schema, path, errors);
}

/** An empty text where Go would leave the field out says nothing, so there is nothing to check. */
function isZeroText(value: unknown, schema: Schema): boolean {
  return value === '' && schema.omitZero === true;
}

function checkArray(items: readonly unknown[], schema: Schema, path: Path | undefined, errors: FieldError[]): void {
  errors.push(...checkItemCount(items, schema, path));
  if (schema.items !== undefined) {
    for (let step = 0; step < items.length; step++) check(items[step], schema.items, { parent: path, step }, errors);
  }
  if (schema.listType === 'set' || schema.listType === 'map') checkKeys(items, schema, path, errors);
}

/** Built-in kinds leave this to their own validation: old objects of theirs may hold duplicate ports or variables. */
function checkKeys(items: readonly unknown[], schema: Schema, path: Path | undefined, errors: FieldError[]): void {
  if (schema.items?.typeName !== undefined) return;
  const seen = new Set<string>();
  items.forEach((item, step) => {
    const key = schema.listType === 'set' ? item : keyOf(item, schema);
    const text = canonical(key);
    if (seen.has(text)) errors.push(duplicate(formatPath({ parent: path, step }), key));
    seen.add(text);
  });
}

function keyOf(item: unknown, schema: Schema): JsonObject {
  const object = isObject(item) ? item : {};
  return Object.fromEntries((schema.listMapKeys ?? []).map((key) => [key, object[key]]));
}

function checkObject(object: JsonObject, schema: Schema, path: Path | undefined, errors: FieldError[]): void {
  errors.push(...checkPropertyCount(object, schema, path));
  for (const key of schema.embeddedResource === true ? EMBEDDED_REQUIRED : NONE) {
    if (typeof object[key] !== 'string') errors.push(required(formatPath({ parent: path, step: key })));
  }
  for (const key of schema.required ?? NONE) {
    if (!Object.hasOwn(object, key) && !mayBeAbsent(schema, key))
      errors.push(required(formatPath({ parent: path, step: key })));
  }
  for (const key of Object.keys(object)) {
    const child = childOf(schema, key);
    if (child === undefined) continue;
    const isMapKey = schema.properties === undefined || !Object.hasOwn(schema.properties, key);
    check(object[key], child, { parent: path, step: key, isMapKey: isMapKey && schema.typeName !== undefined }, errors);
  }
}

/** A Go client cannot tell a number, a boolean or a list from its absence, so built-in kinds take absence for zero. */
function mayBeAbsent(schema: Schema, key: string): boolean {
  if (schema.typeName === undefined) return false;
  const property = childOf(schema, key);
  const isScalar = property?.type === 'integer' || property?.type === 'number' || property?.type === 'boolean';
  return isScalar || property?.type === 'array' || property?.format === 'date-time' || key === 'metadata';
}

function checkLogic(value: unknown, schema: Schema, path: Path | undefined, errors: FieldError[]): void {
  const { allOf, anyOf, oneOf, not } = schema;
  if (allOf === undefined && anyOf === undefined && oneOf === undefined && not === undefined) return;
  for (const each of allOf ?? []) check(value, each, path, errors);
  const fits = (each: Schema) => isValid(value, each, path);
  if (anyOf !== undefined && !anyOf.some(fits))
    errors.push(logicError(value, path, 'must validate at least one schema (anyOf)'));
  if (oneOf !== undefined) {
    const count = oneOf.filter(fits).length;
    const found = count === 0 ? 'none valid' : `${count} valid alternatives`;
    if (count !== 1)
      errors.push(logicError(value, path, `must validate one and only one schema (oneOf). Found ${found}`));
  }
  if (not !== undefined && fits(not)) errors.push(logicError(value, path, 'must not validate the schema (not)'));
}

function isValid(value: unknown, schema: Schema, path: Path | undefined): boolean {
  const errors: FieldError[] = [];
  check(value, schema, path, errors);
  return errors.length === 0;
}

function logicError(value: unknown, path: Path | undefined, what: string): FieldError {
  const at = formatPath(path);
  return invalid(at, value, `${at === '' ? '""' : JSON.stringify(at)} ${what}`);
}

function allowsNull(schema: Schema): boolean {
  if (schema.nullable === true || schema.typeName !== undefined || schema.omitZero === true) return true;
  return schema.type === undefined && schema.intOrString !== true;
}

/** The type a schema wants, when the value has another. */
export function typeMismatch(value: unknown, schema: Schema): string | undefined {
  if (schema.intOrString === true) {
    return typeof value === 'string' || Number.isInteger(value) ? undefined : 'integer or string';
  }
  switch (schema.type) {
    case undefined:
      return undefined;
    case 'integer':
      return Number.isInteger(value) && fitsFormat(value as number, schema) ? undefined : 'integer';
    case 'string':
      return typeof value === 'string' || (schema.format === 'quantity' && typeof value === 'number')
        ? undefined
        : 'string';
    case 'object':
      return isObject(value) ? undefined : 'object';
    case 'array':
      return Array.isArray(value) ? undefined : 'array';
    case 'number':
    case 'boolean':
      return typeof value === schema.type ? undefined : schema.type;
  }
}

function fitsFormat(value: number, { format }: Schema): boolean {
  return format !== 'int32' || (value >= -(2 ** 31) && value < 2 ** 31);
}

export function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value)) return 'integer';
  return typeof value;
}
