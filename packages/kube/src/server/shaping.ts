/** Bodies take the shape of their kind: wrong types are refused, unknown fields named and dropped, defaults filled in. */
import type { FieldError, KubeObject, Schema } from '@skerry/api';
import { schemaOfType } from '@skerry/api/facts';
import { applyKindDefaults, validateKind, validateMeta } from '@skerry/api/validation';
import { applyDefaults, decodeError, normalize, prune, unknownFields, validate } from '@skerry/api/walker';
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

/** What is wrong with a new object, once its defaults are filled in. */
export function validateCreate(kind: ServedKind, object: KubeObject): FieldError[] {
  return [...validateMeta(kind.row, object), ...validateBody(kind, object, undefined, undefined)];
}

export function validateUpdate(
  kind: ServedKind,
  object: KubeObject,
  old: KubeObject,
  subresource: string | undefined,
): FieldError[] {
  return [...validateMeta(kind.row, object), ...validateBody(kind, object, old, subresource)];
}

function validateBody(
  { row, schema, isCustom }: ServedKind,
  object: KubeObject,
  old: KubeObject | undefined,
  subresource: string | undefined,
): FieldError[] {
  if (isCustom) return schema === undefined ? [] : validate(object, schema);
  return validateKind(row.gvk, object, old, subresource === undefined ? {} : { subresource });
}

function cannotDecode({ kind, version }: ServedKind['row']['gvk'], error: string): Error {
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${error}`);
}
