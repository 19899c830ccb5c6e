/** What a write changed, as sets of fields. Parts that both versions share by reference cost nothing. */
import { isObject, type JsonObject, jsonEqual, member } from '../../json.ts';
import type { Schema } from '../../schema.ts';
import { EMPTY_SET, type FieldSet, type FieldSetDraft, isEmptySet, LEAF, SELF, union } from './field-set.ts';
import { fieldElement, itemNaming } from './path-element.ts';
import { fieldSchema, isEmptyContainer, itemSchema, shapeOf } from './shape.ts';

export interface Comparison {
  /** Added and modified fields. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

interface Difference {
  readonly changed?: FieldSet | undefined;
  readonly removed?: FieldSet | undefined;
}

export function compareObjects(before: unknown, after: unknown, schema: Schema): Comparison {
  const found = compareMaps(isObject(before) ? before : {}, isObject(after) ? after : {}, schema, true);
  return { changed: found?.changed ?? EMPTY_SET, removed: found?.removed ?? EMPTY_SET };
}

/**
 * These structs are never absent in Kubernetes' own representation, so nobody comes to own one as such, only what is in it.
 * It holds from the root down to the first list item or optional struct.
 */
const ALWAYS_PRESENT: ReadonlySet<string> = new Set([
  'metadata',
  'spec',
  'status',
  'template',
  'jobTemplate',
  'strategy',
  'updateStrategy',
  'containers',
]);

function compareValues(before: unknown, after: unknown, schema: Schema, isRoot: boolean): Difference | undefined {
  if (before === after) return undefined;
  if (before === undefined) return { changed: allFields(after, schema) };
  if (after === undefined) return { removed: allFields(before, schema) };
  const shape = shapeOf(after, schema);
  if (shape !== shapeOf(before, schema)) return compareUnlike(before, after, schema);
  if (shape === 'leaf' || (isEmptyContainer(before) && isEmptyContainer(after))) {
    return jsonEqual(before, after) ? undefined : { changed: LEAF };
  }
  if (shape === 'map') return compareMaps(before as JsonObject, after as JsonObject, schema, isRoot);
  return compareLists(before as readonly unknown[], after as readonly unknown[], schema);
}

/** A value of another shape: all of the old is gone, all of the new is changed. */
function compareUnlike(before: unknown, after: unknown, schema: Schema): Difference {
  return { changed: allFields(after, schema), removed: allFields(before, schema) };
}

function compareMaps(before: JsonObject, after: JsonObject, schema: Schema, isRoot: boolean): Difference | undefined {
  const collector = new Collector();
  for (const name of Object.keys(after)) {
    const value = after[name];
    const isPresent = isRoot && ALWAYS_PRESENT.has(name);
    const old = member(before, name) ?? (isPresent ? emptyLike(value) : undefined);
    if (old === value) continue;
    collector.add(fieldElement(name), compareValues(old, value, fieldSchema(schema, name), isPresent));
  }
  for (const name of Object.keys(before)) {
    if (Object.hasOwn(after, name)) continue;
    collector.add(fieldElement(name), { removed: allFields(before[name], fieldSchema(schema, name)) });
  }
  return collector.result();
}

function emptyLike(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  return isObject(value) ? {} : undefined;
}

function compareLists(before: readonly unknown[], after: readonly unknown[], schema: Schema): Difference | undefined {
  const { elementOf } = itemNaming(schema);
  const items = itemSchema(schema);
  const old = new Map(before.map((item) => [elementOf(item), item]));
  const collector = new Collector();
  for (const item of after) {
    const element = elementOf(item);
    if (element === undefined) continue;
    collector.add(element, compareValues(old.get(element), item, items, false));
    old.delete(element);
  }
  for (const [element, item] of old) {
    if (element !== undefined) collector.add(element, { removed: allFields(item, items) });
  }
  return collector.result();
}

/** Every field of a value, containers included. */
function allFields(value: unknown, schema: Schema): FieldSet {
  const shape = shapeOf(value, schema);
  if (shape === 'leaf') return LEAF;
  const set: FieldSetDraft = { [SELF]: LEAF };
  if (shape === 'map') {
    const map = value as JsonObject;
    for (const name of Object.keys(map)) {
      set[fieldElement(name)] = allFields(map[name], fieldSchema(schema, name));
    }
  } else {
    const { elementOf } = itemNaming(schema);
    for (const item of value as readonly unknown[]) {
      const element = elementOf(item);
      if (element !== undefined) set[element] = allFields(item, itemSchema(schema));
    }
  }
  return isLoneSelf(set) ? LEAF : set;
}

function isLoneSelf(set: FieldSet): boolean {
  for (const element in set) if (element !== SELF) return false;
  return true;
}

/** Gathers the differences of children; allocates only when there is one. */
class Collector {
  #changed: FieldSetDraft | undefined;
  #removed: FieldSetDraft | undefined;

  add(element: string, found: Difference | undefined): void {
    if (found?.changed !== undefined) {
      this.#changed ??= {};
      this.#changed[element] = found.changed;
    }
    if (found?.removed !== undefined) {
      this.#removed ??= {};
      this.#removed[element] = found.removed;
    }
  }

  result(): Difference | undefined {
    if (this.#changed === undefined && this.#removed === undefined) return undefined;
    return { changed: this.#changed, removed: this.#removed };
  }
}

export function isUnchanged({ changed, removed }: Comparison): boolean {
  return isEmptySet(changed) && isEmptySet(removed);
}

/** All that a write touched. */
export function touched({ changed, removed }: Comparison): FieldSet {
  return union(changed, removed);
}
