/**
 * A structural schema: what the walker, the patch algebra, server-side apply and the OpenAPI writer all read.
 * Built-in kinds take theirs from the generated fact table, custom resources from their definition; nobody downstream can tell.
 */

export type SchemaType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';

export type ListType = 'atomic' | 'set' | 'map';

export type PatchStrategy = 'merge' | 'replace' | 'retainKeys';

/** Schemas may be recursive (`JSONSchemaProps`): properties and items can be getters, so follow them only along a value. */
export interface Schema {
  /**
   * Absent: any JSON value is allowed and kept as it is (RawExtension, `x-kubernetes-preserve-unknown-fields`).
   * `properties` and `items` of a schema without type speak of values that are objects and lists (JSONSchemaPropsOrBool).
   */
  readonly type?: SchemaType;
  /** `int32`, `int64`, `double`, `byte` (base64), `date-time` (seconds), `micro-time`, `quantity`, `duration`. */
  readonly format?: string;
  /** A number or a string (IntOrString); `type` is absent then. */
  readonly intOrString?: boolean;
  readonly description?: string;
  /** The struct this schema was generated from, `apps.v1.DeploymentSpec`; absent for custom resources. */
  readonly typeName?: string;
  /** The zero value (`""`, 0, false, an empty list or map) says no more than absence, and is dropped (Go's `omitempty` without a pointer). */
  readonly omitZero?: boolean;

  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** The values of a map with free keys. */
  readonly additionalProperties?: Schema;
  readonly items?: Schema;

  /** Lists: how server-side apply merges them. Absent means atomic. */
  readonly listType?: ListType;
  readonly listMapKeys?: readonly string[];
  /** Objects and maps: `atomic` is owned and replaced as a whole. Absent means granular. */
  readonly mapType?: 'granular' | 'atomic';
  /** Strategic merge (built-in kinds only). */
  readonly patchStrategy?: readonly PatchStrategy[];
  readonly patchMergeKey?: string;

  readonly preserveUnknownFields?: boolean;
  /** The value is an object with apiVersion, kind and metadata. */
  readonly embeddedResource?: boolean;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  /** Value validations of custom resources beyond structure (apiextensions v1, structural schemas). */
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
  /** CEL rules (`x-kubernetes-validations`), kept for whoever evaluates them. */
  readonly validations?: readonly Readonly<Record<string, unknown>>[];
}

/** One thing wrong with a body. `path` is as Kubernetes prints it: `spec.containers[0].name`. */
export interface FieldError {
  readonly reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueDuplicate'
    | 'FieldValueNotFound'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid';
  readonly path: string;
  /** The whole sentence, `spec.replicas: Invalid value: -1: must be greater than or equal to 0`. */
  readonly message: string;
}
