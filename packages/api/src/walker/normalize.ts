/** Writes a body of a built-in kind the way Kubernetes stores it: what says nothing is left out, scalars have one form. */

import { isObject, type JsonObject } from '../json.ts';
import { canonicalQuantity } from '../quantity.ts';
import type { Schema } from '../schema.ts';
import { childOf } from './children.ts';

/** In place; gives the value back. Nulls and zero values of optional fields go, quantities and times get their one spelling. */
export function normalize<T>(value: T, schema: Schema): T {
  if (Array.isArray(value)) normalizeItems(value, schema);
  else if (isObject(value)) normalizeFields(value, schema);
  return value;
}

function normalizeFields(object: JsonObject, schema: Schema): void {
  for (const key of Object.keys(object)) {
    const child = childOf(schema, key);
    if (child === undefined) continue;
    const value = object[key];
    if (saysNothing(value, child)) {
      delete object[key];
      continue;
    }
    const scalar = canonicalScalar(value, child);
    if (scalar !== undefined) object[key] = scalar;
    else if (typeof value === 'object') normalize(value, child);
  }
}

function normalizeItems(items: unknown[], schema: Schema): void {
  const { items: each } = schema;
  if (each === undefined) return;
  for (let index = 0; index < items.length; index++) {
    const scalar = canonicalScalar(items[index], each);
    if (scalar !== undefined) items[index] = scalar;
    else normalize(items[index], each);
  }
}

function saysNothing(value: unknown, schema: Schema): boolean {
  if (value === null) return schema.type !== undefined || schema.intOrString === true;
  if (schema.omitZero !== true) return false;
  if (value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return schema.additionalProperties !== undefined && isObject(value) && Object.keys(value).length === 0;
}

/** Undefined when the value has its one form already. */
function canonicalScalar(value: unknown, { format }: Schema): string | undefined {
  switch (format) {
    case 'quantity':
      return typeof value === 'string' || typeof value === 'number' ? canonicalQuantity(String(value)) : undefined;
    case 'date-time':
      return typeof value === 'string' ? canonicalTime(value) : undefined;
    default:
      return undefined;
  }
}

const CANONICAL_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** Whole seconds in UTC. */
function canonicalTime(text: string): string | undefined {
  if (CANONICAL_TIME.test(text)) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : `${new Date(time).toISOString().slice(0, 19)}Z`;
}
