/** Which schema speaks of a key that a client chose: own properties only, so that `constructor` and `__proto__` are keys like any other. */
import type { Schema } from '../schema.ts';

/** The schema of a declared property. */
export function propertyOf(schema: Schema, key: string): Schema | undefined {
  const { properties } = schema;
  return properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

/** The schema of what stands under `key`: a declared property, or the value of a free map. */
export function childOf(schema: Schema, key: string): Schema | undefined {
  return propertyOf(schema, key) ?? schema.additionalProperties;
}

/** Whether the schema says nothing about keys: every one is kept. */
export function keepsUnknown(schema: Schema): boolean {
  if (schema.preserveUnknownFields === true || schema.additionalProperties !== undefined) return true;
  return schema.properties === undefined && schema.type === undefined;
}
