/** Strategic merge patch: a merge patch that knows, from the schema, which lists merge and by which key. */
import { isObject, type JsonObject, jsonEqual, member, setMember } from '../json.ts';
import type { Schema } from '../schema.ts';
import { badPatch, unfitPatch } from './failures.ts';
import { type Identity, orderBy, ranks } from './list-order.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_PREFIX = '$deleteFromPrimitiveList/';
const ORDER_PREFIX = '$setElementOrder/';

/** Returns a new document that shares every part the patch does not touch. 400 for a malformed patch, 422 for one that does not fit. */
export function applyStrategicPatch<T>(document: T, patch: unknown, schema: Schema): T {
  if (!isObject(patch)) throw badPatch('error decoding patch: a strategic merge patch must be a JSON object');
  return mergeMap(isObject(document) ? document : EMPTY, patch, schema) as T;
}

const EMPTY: JsonObject = Object.freeze({});

function mergeMap(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const directive = member(patch, DIRECTIVE);
  if (directive === 'replace') return mergeMap(EMPTY, without(patch, DIRECTIVE), schema);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge')
    throw badPatch(`unknown patch type found: ${String(directive)}`);
  const retained = retainKeys(original, patch);
  const result: JsonObject = { ...retained };
  let changed = retained !== original;
  for (const field of touchedFields(patch)) {
    const before = member(result, field);
    const after = mergeField(before, patch, field, fieldSchema(schema, field));
    if (after === before) continue;
    changed = true;
    if (after === undefined) delete result[field];
    else setMember(result, field, after);
  }
  return changed ? result : original;
}

/** The fields that a patch speaks of, itself or through a list directive. */
function touchedFields(patch: JsonObject): Set<string> {
  const fields = new Set<string>();
  for (const key of Object.keys(patch)) {
    if (key.startsWith(ORDER_PREFIX)) fields.add(key.slice(ORDER_PREFIX.length));
    else if (key.startsWith(DELETE_PREFIX)) fields.add(key.slice(DELETE_PREFIX.length));
    else if (key !== DIRECTIVE && key !== RETAIN_KEYS) fields.add(key);
  }
  return fields;
}

/** `undefined` removes the field. */
function mergeField(before: unknown, patch: JsonObject, field: string, schema: Schema | undefined): unknown {
  const value = member(patch, field);
  const order = directiveList(patch, ORDER_PREFIX + field);
  const deletions = directiveList(patch, DELETE_PREFIX + field);
  if (value === null) return undefined;
  if (isObject(value)) {
    const replaces = schema?.patchStrategy?.includes('replace') === true;
    return mergeMap(isObject(before) && !replaces ? before : EMPTY, value, schema);
  }
  if (Array.isArray(value) || order !== undefined || deletions !== undefined) {
    return mergeListField(before, { items: value, order, deletions }, schema);
  }
  return value;
}

interface ListPatch {
  readonly items: unknown;
  readonly order: readonly unknown[] | undefined;
  readonly deletions: readonly unknown[] | undefined;
}

function mergeListField(before: unknown, { items, order, deletions }: ListPatch, schema: Schema | undefined): unknown {
  if (items !== undefined && !Array.isArray(items)) return items;
  if (before === undefined && items === undefined) return undefined;
  const original: readonly unknown[] = Array.isArray(before) ? before : [];
  if (schema?.patchStrategy?.includes('merge') !== true) {
    return items === undefined ? before : items.map((item) => dropDirectives(item, schema?.items));
  }
  const merge: ListMerge = {
    key: schema.patchMergeKey,
    schema: schema.items,
    identity: identityBy(schema.patchMergeKey),
  };
  const remaining = deletions === undefined ? original : subtract(original, deletions);
  const merged = items === undefined ? remaining : mergeList(remaining, items, merge);
  if (order !== undefined && items !== undefined) checkOrder(items, order, merge.identity);
  const ordered = orderBy({ merged, wanted: order ?? items ?? [], before: original, identity: merge.identity });
  return jsonEqual(ordered, before) ? before : ordered;
}

interface ListMerge {
  readonly key: string | undefined;
  readonly schema: Schema | undefined;
  readonly identity: Identity;
}

function mergeList(original: readonly unknown[], items: readonly unknown[], merge: ListMerge): unknown[] {
  if (!items.some(isObject) && !original.some(isObject)) return union(original, items);
  const { key, schema, identity } = merge;
  if (key === undefined) throw badPatch('cannot merge a list of objects that has no merge key');
  if (items.some((item) => isObject(item) && item[DIRECTIVE] === 'replace')) {
    return items.filter((item) => !isDirective(item)).map((item) => dropDirectives(item, schema));
  }
  const result = new Map<string, unknown>(original.map((item) => [identity(item), item]));
  for (const item of items) {
    const patch = keyedObject(item, key);
    const id = identity(patch);
    const present = result.get(id);
    if (patch[DIRECTIVE] === 'delete') result.delete(id);
    else result.set(id, mergeMap(isObject(present) ? present : EMPTY, patch, schema));
  }
  return [...result.values()];
}

function keyedObject(item: unknown, key: string): JsonObject {
  if (!isObject(item)) throw unfitPatch('a list of objects cannot be merged with values that are not objects');
  const id = member(item, key);
  if (id === undefined || id === null) {
    throw unfitPatch(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  }
  return item;
}

function isDirective(item: unknown): boolean {
  return isObject(item) && Object.hasOwn(item, DIRECTIVE);
}

/** The items of the patch must stand in the order that the directive demands. */
function checkOrder(items: readonly unknown[], order: readonly unknown[], identity: Identity): void {
  const wanted = ranks(order, identity);
  let position = 0;
  for (const item of items) {
    if (isDirective(item)) continue;
    const found = wanted.get(identity(item)) ?? -1;
    if (found < position) throw badPatch("order in patch list doesn't match $setElementOrder list");
    position = found;
  }
}

function retainKeys(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = directiveList(patch, RETAIN_KEYS);
  if (keys === undefined) return original;
  for (const field of touchedFields(patch)) {
    if (!keys.includes(field) && member(patch, field) !== null) {
      throw badPatch('invalid patch format of retainKeys: a key of the patch is not in the list');
    }
  }
  const dropped = Object.keys(original).filter((key) => !keys.includes(key));
  return dropped.reduce((rest, key) => without(rest, key), original);
}

function directiveList(patch: JsonObject, key: string): readonly unknown[] | undefined {
  const list = member(patch, key);
  if (list === undefined || list === null) return undefined;
  if (!Array.isArray(list)) throw badPatch(`invalid patch format of ${key}: a list is expected`);
  return list;
}

/** A value that replaces another keeps no directive of its own. */
function dropDirectives(value: unknown, schema: Schema | undefined): unknown {
  return isObject(value) ? mergeMap(EMPTY, value, schema) : value;
}

function fieldSchema(schema: Schema | undefined, field: string): Schema | undefined {
  const properties = schema?.properties;
  if (properties !== undefined && Object.hasOwn(properties, field)) return properties[field];
  return schema?.additionalProperties;
}

/** Items of a keyed list are known by their key, all others by their value. */
function identityBy(key: string | undefined): Identity {
  if (key === undefined) return (item) => JSON.stringify(item);
  return (item) => JSON.stringify(isObject(item) ? (member(item, key) ?? item) : item);
}

function union(original: readonly unknown[], items: readonly unknown[]): unknown[] {
  return [...new Map([...original, ...items].map((item) => [JSON.stringify(item), item])).values()];
}

function subtract(list: readonly unknown[], deletions: readonly unknown[]): unknown[] {
  const deleted = new Set(deletions.map((item) => JSON.stringify(item)));
  return list.filter((item) => !deleted.has(JSON.stringify(item)));
}

function without(object: JsonObject, key: string): JsonObject {
  const rest = { ...object };
  delete rest[key];
  return rest;
}
