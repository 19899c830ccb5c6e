/** Bodies take the shape of their kind: wrong types are refused, unknown fields named and dropped, defaults filled in. */
import type { FieldError, KubeObject, Schema } from '@skerry/api';
import { schemaOfType } from '@skerry/api/facts';
import { applyKindDefaults, validateKind, validateMeta } from '@skerry/api/validation';
import { applyDefaults, decodeError, normalize, prune, unknownFields, validate } from '@skerry/api/walker';
import { type Call, type Engine, fault } from './engine.ts';
import type { ServedKind } from './resource-table.ts';
import { badRequest } from './statuses.ts';

export interface Shaped {
  readonly object: KubeObject;
  /** Paths of fields that the kind does not have; they are gone from the object. */
  readonly unknown: readonly string[];
}

/** Takes a body in hand, in place. Throws 400 when a built-in kind could not be decoded from it. */
export function shape(kind: ServedKind, object: KubeObject): Shaped {
  return kind.isCustom ? shapeCustom(kind, object) : shapeBuiltin(kind, object);
}

/** A body that is not an object of a served kind: a review, a Scale, options. */
export function shapeAs<T extends object>(value: T, schema: Schema | undefined, gvk: ServedKind['row']['gvk']): T {
  if (schema === undefined) return value;
  const error = decodeError(value, schema);
  if (error !== undefined) throw cannotDecode(gvk, error);
  return normalize(prune(value, schema), schema);
}

function shapeBuiltin({ row, schema }: ServedKind, object: KubeObject): Shaped {
  if (schema === undefined) return { object, unknown: [] };
  const error = decodeError(object, schema);
  if (error !== undefined) throw cannotDecode(row.gvk, error);
  const unknown = unknownFields(object, schema);
  return { object: normalize(unknown.length === 0 ? object : prune(object, schema), schema), unknown };
}

/** Custom resources are decoded as they are, but their metadata is everybody's. */
function shapeCustom({ row, schema }: ServedKind, object: KubeObject): Shaped {
  const metaSchema = schemaOfType('meta.v1.ObjectMeta');
  const unknown: string[] = [];
  if (metaSchema !== undefined) {
    const error = decodeError(object.metadata, metaSchema);
    if (error !== undefined) throw cannotDecode(row.gvk, error);
    unknown.push(...unknownFields(object.metadata, metaSchema).map((path) => `metadata.${path}`));
    normalize(prune(object.metadata, metaSchema), metaSchema);
  }
  if (schema === undefined) return { object, unknown };
  const { metadata, ...rest } = object;
  unknown.push(...unknownFields(rest, schema));
  return { object: { ...prune(rest, schema), metadata } as KubeObject, unknown };
}

/** Fills in what the author left out, in place. */
export function fillDefaults({ row, schema, isCustom }: ServedKind, object: KubeObject): void {
  if (!isCustom) applyKindDefaults(row.gvk, object);
  if (schema !== undefined) applyDefaults(object, schema);
}

/** A new object, or the next version of one, once its defaults are filled in. */
export interface Written {
  readonly object: KubeObject;
  readonly old?: KubeObject;
}

/** What is wrong with it. What is only to be known goes to the warnings of the call. */
export function validateWrite(engine: Pick<Engine, 'rules'>, call: Call, { object, old }: Written): FieldError[] {
  const { kind, route } = call;
  const { subresource } = route;
  return [
    ...validateMeta(kind.row, object),
    ...(kind.isCustom
      ? validateCustom(engine, call, { object, ...(old === undefined ? {} : { old }) })
      : validateKind(kind.row.gvk, object, old, subresource === undefined ? {} : { subresource })),
  ];
}

const UNCHECKED =
  'Invalid value: "null": some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';

function validateCustom({ rules }: Pick<Engine, 'rules'>, call: Call, { object, old }: Written): FieldError[] {
  const { schema } = call.kind;
  if (schema === undefined) return [];
  const faults = validate(object, schema);
  if (rules === undefined) return faults;
  // Rules may rely on the types of what they read.
  if (faults.some(({ reason }) => BLOCKING.has(reason)))
    return rules.concerns(schema) ? [...faults, fault('FieldValueInvalid', '<nil>', UNCHECKED)] : faults;
  const judged = rules.validate(object, old, schema);
  call.warnings.push(...judged.warnings);
  return [...faults, ...judged.faults];
}

const BLOCKING: ReadonlySet<FieldError['reason']> = new Set([
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

function cannotDecode({ kind, version }: ServedKind['row']['gvk'], error: string): Error {
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${error}`);
}
