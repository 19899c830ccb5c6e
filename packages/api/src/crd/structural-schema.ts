/** From the OpenAPI schema in a definition to the one schema type that walker, patches and apply read. */
import { schemaOfType } from '../facts/index.ts';
import type { JSONSchemaProps } from '../generated/types.ts';
import { isObject } from '../json.ts';
import type { ListType, Schema, SchemaType } from '../schema.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Facts that have the same name and meaning on both sides. */
const SAME = [
  'format',
  'description',
  'required',
  'nullable',
  'default',
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
] as const;

/** The schema of a whole custom resource: apiVersion, kind and metadata are there without being declared. */
export function customResourceSchema(root: JSONSchemaProps): Schema {
  const schema = structuralSchema(root);
  const implied = {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: schemaOfType('meta.v1.ObjectMeta'),
  };
  return { ...schema, properties: Object.assign(Object.create(null), schema.properties, implied) };
}

export function structuralSchema(props: JSONSchemaProps): Schema {
  const schema: Record<string, unknown> = {};
  for (const name of SAME) if (props[name] !== undefined) schema[name] = props[name];
  if (isSchemaType(props.type)) schema.type = props.type;
  const structure: Mutable<Schema> = {};
  addChildren(structure, props);
  addExtensions(structure, props);
  addLogic(structure, props);
  return { ...schema, ...structure };
}

function isSchemaType(type: string | undefined): type is SchemaType {
  return type !== undefined && ['object', 'array', 'string', 'integer', 'number', 'boolean'].includes(type);
}

function addChildren(schema: Mutable<Schema>, props: JSONSchemaProps): void {
  const { properties, additionalProperties, items } = props;
  if (properties !== undefined) {
    // Without a prototype: a property may be called `constructor`.
    const children: Record<string, Schema> = Object.create(null);
    for (const [name, each] of Object.entries(properties)) if (isObject(each)) children[name] = structuralSchema(each);
    schema.properties = children;
  }
  if (additionalProperties === true) schema.additionalProperties = {};
  else if (isObject(additionalProperties)) schema.additionalProperties = structuralSchema(additionalProperties);
  if (isObject(items)) schema.items = structuralSchema(items as JSONSchemaProps);
}

function addExtensions(schema: Mutable<Schema>, props: JSONSchemaProps): void {
  if (props['x-kubernetes-preserve-unknown-fields'] === true) schema.preserveUnknownFields = true;
  if (props['x-kubernetes-int-or-string'] === true) schema.intOrString = true;
  if (props['x-kubernetes-list-type'] !== undefined) schema.listType = props['x-kubernetes-list-type'] as ListType;
  if (props['x-kubernetes-list-map-keys'] !== undefined) schema.listMapKeys = props['x-kubernetes-list-map-keys'];
  if (props['x-kubernetes-map-type'] !== undefined)
    schema.mapType = props['x-kubernetes-map-type'] as 'granular' | 'atomic';
  if (props['x-kubernetes-validations'] !== undefined) {
    schema.validations = props['x-kubernetes-validations'].map((rule) => ({ ...rule }));
  }
  if (props['x-kubernetes-embedded-resource'] === true) embed(schema);
}

/** An object inside the object: its metadata has the shape that all metadata has. */
function embed(schema: Mutable<Schema>): void {
  schema.embeddedResource = true;
  const implied = { metadata: schemaOfType('meta.v1.ObjectMeta') };
  schema.properties = Object.assign(Object.create(null), schema.properties, implied);
}

function addLogic(schema: Mutable<Schema>, props: JSONSchemaProps): void {
  if (props.allOf !== undefined) schema.allOf = props.allOf.map(structuralSchema);
  if (props.anyOf !== undefined && props['x-kubernetes-int-or-string'] !== true)
    schema.anyOf = props.anyOf.map(structuralSchema);
  if (props.oneOf !== undefined) schema.oneOf = props.oneOf.map(structuralSchema);
  if (props.not !== undefined) schema.not = structuralSchema(props.not);
}
