/** The types of a schema's values, so that expressions are checked when they are accepted and not when they fail. */
import type { Schema } from '../schema.ts';
import type { ObjectTypes } from './cel.ts';
import { escapedName } from './values.ts';

export interface SchemaTypes {
  /** The type of the value itself. */
  readonly type: string;
  readonly types: ObjectTypes;
}

/** Of metadata, expressions see only what its author writes. */
export const VISIBLE_METADATA: Schema = {
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } },
};

export function schemaTypes(schema: Schema): SchemaTypes {
  const types: Record<string, Readonly<Record<string, string>>> = {};
  return { type: typeOf(schema, types) ?? 'dyn', types };
}

type Types = Record<string, Readonly<Record<string, string>>>;

/** Undefined when nothing is known of the value, which then is not there for expressions. */
function typeOf(schema: Schema, types: Types): string | undefined {
  if (schema.intOrString === true) return 'dyn';
  switch (schema.type) {
    case 'object':
      return typeOfObject(schema, types);
    case 'array':
      return `list<${(schema.items === undefined ? undefined : typeOf(schema.items, types)) ?? 'dyn'}>`;
    case 'string':
      return typeOfText(schema);
    case 'integer':
      return 'int';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    case undefined:
      return undefined;
  }
}

function typeOfText({ format }: Schema): string {
  if (format === 'date-time' || format === 'datetime' || format === 'date') return 'google.protobuf.Timestamp';
  if (format === 'duration') return 'google.protobuf.Duration';
  return format === 'byte' ? 'bytes' : 'string';
}

function typeOfObject({ properties, additionalProperties }: Schema, types: Types): string {
  if (additionalProperties !== undefined) return `map<string, ${typeOf(additionalProperties, types) ?? 'dyn'}>`;
  const name = `Object${Object.keys(types).length}`;
  const fields: Record<string, string> = Object.create(null);
  types[name] = fields;
  for (const [property, child] of Object.entries(properties ?? {})) {
    const written = escapedName(property);
    const type = typeOf(child, types);
    if (written !== undefined && type !== undefined) fields[written] = type;
  }
  return name;
}
