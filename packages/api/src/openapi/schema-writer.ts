/** Turns schemas into OpenAPI ones: structs become references, and every struct that is reached becomes a model. */
import { schemaOfType } from '../facts/index.ts';
import type { Schema } from '../schema.ts';
import { modelName } from './names.ts';

export type OpenApiSchema = Record<string, unknown>;

/** Version 2 lacks `oneOf` and `nullable`, and keeps models elsewhere. */
export type Dialect = 'v2' | 'v3';

const SAME = [
  'description',
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

/** Our finer formats, in the words of OpenAPI; the others stand as they are. */
const FORMATS: Readonly<Record<string, string | undefined>> = {
  'micro-time': 'date-time',
  quantity: undefined,
  duration: undefined,
};

export class SchemaWriter {
  readonly models: Record<string, OpenApiSchema> = {};
  readonly #dialect: Dialect;
  readonly #pending: (() => void)[] = [];

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Adds a model under a name of its own, with what `extra` says beside its schema. */
  define(name: string, schema: Schema, extra: OpenApiSchema = {}): void {
    this.models[name] = { ...this.#body(schema), ...extra };
    this.#drain();
  }

  /** Where a model is, for whoever refers to it. */
  reference(name: string): { readonly $ref: string } {
    return { $ref: `#/${this.#dialect === 'v2' ? 'definitions' : 'components/schemas'}/${name}` };
  }

  /** The schema of a field or an item: a reference when it is a struct. */
  write(schema: Schema): OpenApiSchema {
    if (schema.typeName === undefined || schema.type === undefined) return this.#body(schema);
    const name = modelName(schema.typeName);
    this.#request(name, schema);
    // What the struct says of itself stands in its model; only what belongs to the field stands here.
    const beside = this.#beside(withoutOwnMapType(schema));
    // Nothing may stand beside a reference, so it is wrapped.
    return Object.keys(beside).length === 0 ? this.reference(name) : { allOf: [this.reference(name)], ...beside };
  }

  #request(name: string, schema: Schema): void {
    if (this.models[name] !== undefined) return;
    this.models[name] = {};
    this.#pending.push(() => {
      this.models[name] = this.#body(schemaOfType(schema.typeName ?? '') ?? schema);
    });
  }

  #drain(): void {
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) next();
  }

  #body(schema: Schema): OpenApiSchema {
    const { properties, additionalProperties, items, required } = children(schema);
    return {
      ...this.#type(schema),
      ...this.#beside(schema),
      ...(properties === undefined ? {} : { properties: this.#properties(properties) }),
      ...(required === undefined || required.length === 0 ? {} : { required }),
      ...(additionalProperties === undefined ? {} : { additionalProperties: this.write(additionalProperties) }),
      ...(items === undefined ? {} : { items: this.write(items) }),
      ...this.#logic(schema),
    };
  }

  #properties(properties: Readonly<Record<string, Schema>>): OpenApiSchema {
    return Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, this.write(each)]));
  }

  #type(schema: Schema): OpenApiSchema {
    if (schema.intOrString === true) {
      if (this.#dialect === 'v2') return { type: 'string', format: 'int-or-string' };
      return { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] };
    }
    const format = schema.format !== undefined && schema.format in FORMATS ? FORMATS[schema.format] : schema.format;
    return {
      ...(schema.type === undefined ? {} : { type: schema.type }),
      ...(format === undefined ? {} : { format }),
    };
  }

  /** What stands beside the type: value validations, and the extensions by which clients merge. */
  #beside(schema: Schema): OpenApiSchema {
    const out: OpenApiSchema = {};
    for (const name of SAME) if (schema[name] !== undefined) out[name] = schema[name];
    if (schema.nullable === true && this.#dialect === 'v3') out.nullable = true;
    if (schema.listType !== undefined) out['x-kubernetes-list-type'] = schema.listType;
    if (schema.listMapKeys !== undefined) out['x-kubernetes-list-map-keys'] = schema.listMapKeys;
    if (schema.mapType !== undefined) out['x-kubernetes-map-type'] = schema.mapType;
    if (schema.patchStrategy !== undefined) out['x-kubernetes-patch-strategy'] = schema.patchStrategy.join(',');
    if (schema.patchMergeKey !== undefined) out['x-kubernetes-patch-merge-key'] = schema.patchMergeKey;
    if (schema.preserveUnknownFields === true && schema.typeName === undefined)
      out['x-kubernetes-preserve-unknown-fields'] = true;
    if (schema.embeddedResource === true) out['x-kubernetes-embedded-resource'] = true;
    if (schema.validations !== undefined) out['x-kubernetes-validations'] = schema.validations;
    return out;
  }

  #logic(schema: Schema): OpenApiSchema {
    if (this.#dialect === 'v2') return {};
    return {
      ...(schema.allOf === undefined ? {} : { allOf: schema.allOf.map((each) => this.#body(each)) }),
      ...(schema.anyOf === undefined ? {} : { anyOf: schema.anyOf.map((each) => this.#body(each)) }),
      ...(schema.oneOf === undefined ? {} : { oneOf: schema.oneOf.map((each) => this.#body(each)) }),
      ...(schema.not === undefined ? {} : { not: this.#body(schema.not) }),
    };
  }
}

/** A schema without type, such as JSONSchemaPropsOrBool, is any value to OpenAPI: its properties are only a hint of ours. */
function children(schema: Schema): Pick<Schema, 'properties' | 'additionalProperties' | 'items' | 'required'> {
  if (schema.type === undefined) return {};
  const { properties, additionalProperties, items, required } = schema;
  return {
    ...(properties === undefined ? {} : { properties }),
    ...(additionalProperties === undefined ? {} : { additionalProperties }),
    ...(items === undefined ? {} : { items }),
    ...(required === undefined ? {} : { required }),
  };
}

function withoutOwnMapType(schema: Schema): Schema {
  const { mapType, ...rest } = schema;
  const isOwn = mapType !== undefined && schemaOfType(schema.typeName ?? '')?.mapType === mapType;
  return isOwn ? rest : schema;
}
