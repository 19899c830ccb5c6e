/** How server-side apply sees a value: a leaf that is owned as a whole, a map of fields, or a list that merges. */
import { isObject } from '../../json.ts';
import type { Schema } from '../../schema.ts';

export type Shape = 'leaf' | 'map' | 'list';

/** No facts: objects are granular, lists atomic. */
const UNTYPED: Schema = Object.freeze({});

export function shapeOf(value: unknown, schema: Schema): Shape {
  if (Array.isArray(value)) return schema.listType === 'set' || schema.listType === 'map' ? 'list' : 'leaf';
  if (!isObject(value) || schema.mapType === 'atomic') return 'leaf';
  return schema.type === undefined || schema.type === 'object' ? 'map' : 'leaf';
}

/** The schema of a member, and whether the schema names it (a struct's field) or merely allows it (a map's key). */
export function fieldSchema(schema: Schema, name: string): Schema {
  return named(schema, name) ?? schema.additionalProperties ?? UNTYPED;
}

export function isNamed(schema: Schema, name: string): boolean {
  return named(schema, name) !== undefined;
}

function named(schema: Schema, name: string): Schema | undefined {
  const { properties } = schema;
  return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

export function itemSchema(schema: Schema): Schema {
  return schema.items ?? UNTYPED;
}

/** Empty lists and maps are owned as leaves, so that their being empty can be owned at all. */
export function isEmptyContainer(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}
