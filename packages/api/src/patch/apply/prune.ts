/** Removes what a manager applied before, applies no longer, and nobody else owns. */
import { isObject, type JsonObject } from '../../json.ts';
import type { Schema } from '../../schema.ts';
import { type FieldSet, isMember, LEAF } from './field-set.ts';
import { itemNaming } from './path-element.ts';
import { fieldSchema, isEmptyContainer, isNamed, itemSchema, shapeOf } from './shape.ts';

/** `last` is what the manager owned; `owners` are the sets of all managers now, its new one included. Shares what stays. */
export function prune(value: unknown, last: FieldSet, owners: readonly FieldSet[], schema: Schema): unknown {
  switch (shapeOf(value, schema)) {
    case 'leaf':
      return value;
    case 'map':
      return pruneMap(value as JsonObject, last, owners, schema);
    case 'list':
      return pruneList(value as readonly unknown[], last, owners, schema);
  }
}

function pruneMap(map: JsonObject, last: FieldSet, owners: readonly FieldSet[], schema: Schema): JsonObject {
  let result = map;
  for (const element in last) {
    const name = element.slice(2);
    if (!element.startsWith('f:') || !Object.hasOwn(map, name)) continue;
    const before = map[name];
    const isStructField = isNamed(schema, name);
    const after = pruneChild(before, last[element] ?? LEAF, below(owners, element), {
      schema: fieldSchema(schema, name),
      isStructField,
    });
    if (after === before) continue;
    if (result === map) result = { ...map };
    if (after === undefined) delete result[name];
    else result[name] = after;
  }
  return result;
}

function pruneList(
  list: readonly unknown[],
  last: FieldSet,
  owners: readonly FieldSet[],
  schema: Schema,
): readonly unknown[] {
  const { elementOf } = itemNaming(schema);
  let isChanged = false;
  const result: unknown[] = [];
  for (const item of list) {
    const element = elementOf(item);
    const node = element === undefined ? undefined : last[element];
    if (element === undefined || node === undefined) {
      result.push(item);
      continue;
    }
    const context = { schema: itemSchema(schema), isStructField: false };
    const after = pruneChild(item, node, below(owners, element), context);
    if (after !== item) isChanged = true;
    if (after !== undefined) result.push(after);
  }
  return isChanged ? result : list;
}

interface ChildContext {
  readonly schema: Schema;
  /** A field that the schema names counts as owned by whoever owns anything in it. */
  readonly isStructField: boolean;
}

/** The child as it stays, undefined when it goes. */
function pruneChild(
  value: unknown,
  last: FieldSet,
  owners: readonly FieldSet[],
  { schema, isStructField }: ChildContext,
): unknown {
  const wasOwned = isStructField || isMember(last);
  const isOwned = isStructField ? owners.length > 0 : owners.some(isMember);
  if (wasOwned && !isOwned) return undefined;
  const pruned = prune(value, last, owners, schema);
  // A container that lost its last member goes too, unless somebody owns its being there.
  const isGone = pruned !== value && isEmptyContainer(pruned) && !owners.some(isMember);
  return isGone ? undefined : pruned;
}

function below(owners: readonly FieldSet[], element: string): FieldSet[] {
  const nodes: FieldSet[] = [];
  for (const owner of owners) {
    const node = owner[element];
    if (node !== undefined && isObject(node)) nodes.push(node);
  }
  return nodes;
}
