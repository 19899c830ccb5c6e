/** Schemas of the built-in kinds, made from the table when they are asked for and kept. */
import type { Gvk } from '../names.ts';
import type { Schema } from '../schema.ts';
import { elementName, type TypeExpression } from './field-line.ts';
import { enumValues, type FieldFacts, typeFacts } from './table.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What Go code, not a struct, defines the JSON form of. */
const SCALARS: Readonly<Record<string, Schema>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  uint32: { type: 'integer', format: 'int64' },
  uint64: { type: 'integer', format: 'int64' },
  float64: { type: 'number', format: 'double' },
  'meta.v1.Time': { type: 'string', format: 'date-time' },
  'meta.v1.MicroTime': { type: 'string', format: 'micro-time' },
  'meta.v1.Duration': { type: 'string', format: 'duration' },
  'resource.Quantity': { type: 'string', format: 'quantity' },
  'intstr.IntOrString': { intOrString: true },
  'runtime.RawExtension': {},
  'meta.v1.FieldsV1': { type: 'object', preserveUnknownFields: true, mapType: 'atomic' },
  'apiextensions.v1.JSON': {},
  'wrapped-strings': { type: 'array', items: { type: 'string' } },
};

const JSON_SCHEMA_PROPS = 'apiextensions.v1.JSONSchemaProps';
const OR_ANOTHER_FORM = /^apiextensions\.v1\.JSONSchemaPropsOr(Bool|Array|StringArray)$/;

const schemas = new Map<string, Schema>();
const propertiesByType = new Map<string, Readonly<Record<string, Schema>>>();

/** The schema of a built-in kind, or of a body such as `policy/v1 Eviction` or `DeleteOptions`. */
export function schemaFor(gvk: Gvk): Schema | undefined {
  const name = typeNameOf(gvk);
  return name === undefined ? undefined : schemaOfType(name);
}

/** `apps/v1 Deployment` is `apps.v1.Deployment`; what every group serves (DeleteOptions, Status) is `meta.v1`. */
export function typeNameOf({ group, version, kind }: Gvk): string | undefined {
  const own = `${packageOf(group)}.${version}.${kind}`;
  if (typeFacts(own) !== undefined && isBuiltInGroup(group)) return own;
  const shared = `meta.v1.${kind}`;
  return typeFacts(shared) === undefined ? undefined : shared;
}

/** The schema of a struct by the name the table gives it. */
export function schemaOfType(name: string): Schema | undefined {
  const known = schemas.get(name);
  if (known !== undefined) return known;
  if (typeFacts(name) === undefined) return undefined;
  const schema = structSchema(name, {});
  schemas.set(name, schema);
  return schema;
}

function packageOf(group: string): string {
  if (group === '') return 'core';
  const dot = group.indexOf('.');
  return dot < 0 ? group : group.slice(0, dot);
}

/** So that `apps.example.com` is not taken for `apps`. */
function isBuiltInGroup(group: string): boolean {
  return !group.includes('.') || group.endsWith('.k8s.io');
}

function structSchema(name: string, extras: Mutable<Schema>): Schema {
  const facts = typeFacts(name);
  const required = facts?.fields.filter((field) => field.required && field.json !== undefined) ?? [];
  const isAtomic = facts?.atomic === true && extras.mapType === undefined;
  let properties: Schema['properties'];
  return {
    type: 'object',
    typeName: name,
    get properties() {
      properties ??= propertiesOf(name);
      return properties;
    },
    ...(required.length === 0 ? {} : { required: required.map((field) => field.json ?? '') }),
    ...(isAtomic ? { mapType: 'atomic' } : {}),
    ...extras,
  };
}

function propertiesOf(name: string): Readonly<Record<string, Schema>> {
  const known = propertiesByType.get(name);
  if (known !== undefined) return known;
  // Without a prototype, so that a field called `constructor` or `__proto__` finds nothing.
  const properties: Record<string, Schema> = Object.create(null);
  for (const field of typeFacts(name)?.fields ?? []) {
    if (field.json === undefined) Object.assign(properties, propertiesOf(elementName(field.type) ?? ''));
    else properties[field.json] = fieldSchema(field);
  }
  propertiesByType.set(name, properties);
  return properties;
}

function fieldSchema(field: FieldFacts): Schema {
  const extras: Mutable<Schema> = {};
  if (field.default !== undefined) extras.default = field.default;
  if (field.omitEmpty && !field.pointer) extras.omitZero = true;
  // Some `[]byte` fields carry list markers; on the wire they are strings.
  if (field.listType !== undefined && field.type.kind === 'list') extras.listType = field.listType;
  if (field.listMapKeys.length > 0) extras.listMapKeys = field.listMapKeys;
  if (field.mapType !== undefined) extras.mapType = field.mapType;
  if (field.patchStrategy !== undefined) extras.patchStrategy = field.patchStrategy;
  if (field.patchMergeKey !== undefined) extras.patchMergeKey = field.patchMergeKey;
  return expressionSchema(field.type, extras);
}

function expressionSchema(type: TypeExpression, extras: Mutable<Schema>): Schema {
  switch (type.kind) {
    case 'bytes':
      return { type: 'string', format: 'byte', ...extras };
    case 'list':
      return { type: 'array', items: expressionSchema(type.of, {}), ...extras };
    case 'map':
      return { type: 'object', additionalProperties: expressionSchema(type.of, {}), ...extras };
    case 'name':
      return namedSchema(type.name, extras);
  }
}

function namedSchema(name: string, extras: Mutable<Schema>): Schema {
  const scalar = SCALARS[name];
  if (scalar !== undefined) return Object.keys(extras).length === 0 ? scalar : { ...scalar, ...extras };
  const values = enumValues(name);
  if (values !== undefined) return { type: 'string', enum: values, ...extras };
  if (OR_ANOTHER_FORM.test(name)) return orAnotherForm(name, extras);
  const isStruct = typeFacts(name) !== undefined;
  if (!isStruct) throw new RangeError(`the fact table names ${name} but does not hold it`);
  // A struct is never left out for being empty: Go's `omitempty` does not reach structs.
  const { omitZero: _never, ...rest } = extras;
  return Object.keys(rest).length === 0 ? (schemaOfType(name) ?? {}) : structSchema(name, rest);
}

/** JSONSchemaProps, or a boolean, or a list: no type, so any of them may stand there. */
function orAnotherForm(name: string, extras: Mutable<Schema>): Schema {
  return {
    typeName: name,
    get properties() {
      return propertiesOf(JSON_SCHEMA_PROPS);
    },
    ...(name.endsWith('OrArray') ? { items: schemaOfType(JSON_SCHEMA_PROPS) ?? {} } : {}),
    ...extras,
  };
}
