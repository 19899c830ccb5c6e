/** What a schema demands of one value beyond its type: ranges, lengths, patterns, formats, enumerations. */

import type { JsonObject } from '../json.ts';
import type { FieldError, Schema } from '../schema.ts';
import { invalid, notSupported, tooLong, tooMany, typeInvalid } from './field-errors.ts';
import { hasFormat } from './formats.ts';
import { formatPath, type Path } from './path.ts';
import { compilePattern, matchesPattern } from './pattern/index.ts';

const NONE: readonly FieldError[] = [];

export function checkString(text: string, schema: Schema, path: Path | undefined): readonly FieldError[] {
  const { minLength, maxLength, pattern, format } = schema;
  const length = minLength === undefined && maxLength === undefined ? 0 : codePoints(text);
  const isTooLong = maxLength !== undefined && length > maxLength;
  const wants: string[] = [];
  if (minLength !== undefined && length < minLength) wants.push(`should be at least ${minLength} chars long`);
  if (pattern !== undefined && !fitsPattern(text, pattern)) wants.push(`should match '${pattern}'`);
  const isMalformed = format !== undefined && !hasFormat(text, format);
  if (!isTooLong && wants.length === 0 && !isMalformed) return NONE;
  const at = formatPath(path);
  return [
    ...(isTooLong ? [tooLong(at, maxLength)] : []),
    ...wants.map((want) => invalid(at, text, `${inBody(at)} ${want}`)),
    ...(isMalformed ? [typeInvalid(at, text, `${inBody(at)} must be of type ${format}: ${JSON.stringify(text)}`)] : []),
  ];
}

export function checkNumber(value: number, schema: Schema, path: Path | undefined): readonly FieldError[] {
  const { minimum, maximum, multipleOf } = schema;
  const isOver = maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum);
  const isUnder = minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum);
  const wants: string[] = [];
  if (isOver) wants.push(`less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`);
  if (isUnder) wants.push(`greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`);
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) wants.push(`a multiple of ${multipleOf}`);
  if (wants.length === 0) return NONE;
  const at = formatPath(path);
  return wants.map((want) => invalid(at, value, `${inBody(at)} should be ${want}`));
}

export function checkItemCount(
  items: readonly unknown[],
  schema: Schema,
  path: Path | undefined,
): readonly FieldError[] {
  const { minItems, maxItems } = schema;
  if (maxItems !== undefined && items.length > maxItems) return [tooMany(formatPath(path), items.length, maxItems)];
  const isTooShort = minItems !== undefined && items.length < minItems;
  const isRepeating = schema.uniqueItems === true && new Set(items.map(canonical)).size < items.length;
  if (!isTooShort && !isRepeating) return NONE;
  const at = formatPath(path);
  return isTooShort
    ? [invalid(at, items.length, `${inBody(at)} should have at least ${minItems} items`)]
    : [invalid(at, items, `${inBody(at)} shouldn't contain duplicates`)];
}

export function checkPropertyCount(object: JsonObject, schema: Schema, path: Path | undefined): readonly FieldError[] {
  const { minProperties, maxProperties } = schema;
  if (minProperties === undefined && maxProperties === undefined) return NONE;
  const at = formatPath(path);
  const count = Object.keys(object).length;
  if (maxProperties !== undefined && count > maxProperties) return [tooMany(at, count, maxProperties)];
  if (minProperties !== undefined && count < minProperties)
    return [invalid(at, count, `${inBody(at)} should have at least ${minProperties} properties`)];
  return NONE;
}

export function checkEnum(value: unknown, values: readonly unknown[], path: Path | undefined): readonly FieldError[] {
  if (values.includes(value)) return NONE;
  const wanted = canonical(value);
  return values.some((each) => canonical(each) === wanted) ? NONE : [notSupported(formatPath(path), value, values)];
}

/** The subject of a sentence about the value at `path`. */
export function inBody(path: string): string {
  return path === '' ? 'body' : `${path} in body`;
}

/** Text that is the same for values that are equal, whatever the order of their keys. */
export function canonical(value: unknown): string {
  const text = JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
  return text ?? 'undefined';
}

function fitsPattern(text: string, pattern: string): boolean {
  const program = compilePattern(pattern);
  // A pattern that cannot be read was refused with its definition; an old one must not block its objects.
  return program === undefined || matchesPattern(program, text);
}

function isMultiple(value: number, factor: number): boolean {
  const quotient = value / factor;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9 * Math.max(1, Math.abs(quotient));
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
