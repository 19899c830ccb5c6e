/** Reading and writing of keys that a client chose: own properties only, and `__proto__` is a key like any other. */
import type { Schema } from '../schema.ts';

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The schema of a declared property. */
export function propertyOf(schema: Schema, key: string): Schema | undefined {
  const { properties } = schema;
  return properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

/** The schema of what stands under `key`: a declared property, or the value of a free map. */
export function childOf(schema: Schema, key: string): Schema | undefined {
  return propertyOf(schema, key) ?? schema.additionalProperties;
}

export function setOwn(target: JsonObject, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

/** Whether the schema says nothing about keys: every one is kept. */
export function keepsUnknown(schema: Schema): boolean {
  if (schema.preserveUnknownFields === true || schema.additionalProperties !== undefined) return true;
  return schema.properties === undefined && schema.type === undefined;
}
