/** Fills in what a schema says stands there when the author wrote nothing. */

import { isObject, type JsonObject, setMember } from '../json.ts';
import type { Schema } from '../schema.ts';
import { childOf } from './children.ts';

/** Applies defaults in place, top down, so that defaults inside a default apply too; gives the value back. */
export function applyDefaults<T>(value: T, schema: Schema): T {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined) for (const item of value) applyDefaults(item, items);
  } else if (isObject(value)) fillObject(value, schema);
  return value;
}

function fillObject(object: JsonObject, schema: Schema): void {
  for (const [key, property] of defaultedProperties(schema)) {
    if (isMissing(object, key, property)) setMember(object, key, structuredClone(property.default));
  }
  for (const key of Object.keys(object)) {
    const child = childOf(schema, key);
    if (child !== undefined) applyDefaults(object[key], child);
  }
}

/** Null counts as missing where it is not allowed. */
function isMissing(object: JsonObject, key: string, property: Schema): boolean {
  if (!Object.hasOwn(object, key)) return true;
  return object[key] === null && property.nullable !== true;
}

const NONE: readonly (readonly [string, Schema])[] = [];
const defaulted = new WeakMap<object, readonly (readonly [string, Schema])[]>();

/** Few properties have a default, and schemas are shared, so the list of those that do is kept with them. */
function defaultedProperties({ properties }: Schema): readonly (readonly [string, Schema])[] {
  if (properties === undefined) return NONE;
  const known = defaulted.get(properties);
  if (known !== undefined) return known;
  const found = Object.entries(properties).filter(([, property]) => property.default !== undefined);
  defaulted.set(properties, found);
  return found;
}
