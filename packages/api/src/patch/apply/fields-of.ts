/** The fields that an applied configuration names: what its manager asks to own. */
import type { Schema } from '../../schema.ts';
import { badPatch } from '../failures.ts';
import { EMPTY_SET, type FieldSet, type FieldSetDraft, isEmptySet, LEAF, SELF } from './field-set.ts';
import { fieldElement, formatPath, itemNaming } from './path-element.ts';
import { fieldSchema, isEmptyContainer, isNamed, itemSchema, shapeOf } from './shape.ts';

/** The set of an applied object. Throws 400 when an item of a keyed list has no key or comes twice. */
export function fieldsOf(object: unknown, schema: Schema): FieldSet {
  return isEmptyContainer(object) ? EMPTY_SET : (fieldsBelow(object, schema, []) ?? EMPTY_SET);
}

/** The fields below a value; undefined when there are none, LEAF when the value is owned as a whole. */
function fieldsBelow(value: unknown, schema: Schema, path: readonly string[]): FieldSet | undefined {
  switch (shapeOf(value, schema)) {
    case 'leaf':
      return LEAF;
    case 'map':
      return fieldsOfMap(value as Record<string, unknown>, schema, path);
    case 'list':
      return fieldsOfList(value as readonly unknown[], schema, path);
  }
}

function fieldsOfMap(value: Record<string, unknown>, schema: Schema, path: readonly string[]): FieldSet | undefined {
  const set: FieldSetDraft = {};
  for (const name of Object.keys(value)) {
    const child = value[name];
    const element = fieldElement(name);
    const fields = isEmptyContainer(child) ? LEAF : fieldsBelow(child, fieldSchema(schema, name), [...path, element]);
    if (fields === undefined) continue;
    // The key of a free map is owned itself; the field of a struct only through what is below it.
    set[element] = isNamed(schema, name) ? fields : asMember(fields);
  }
  return isEmptySet(set) ? undefined : set;
}

function fieldsOfList(value: readonly unknown[], schema: Schema, path: readonly string[]): FieldSet | undefined {
  const { elementOf } = itemNaming(schema);
  const set: FieldSetDraft = {};
  for (const item of value) {
    const element = elementOf(item);
    if (element === undefined) {
      throw badPatch(
        `${formatPath(path)}: element 0: associative list with keys has an element that omits all key fields ${JSON.stringify(schema.listMapKeys)} (and doesn't have default values for any key fields)`,
      );
    }
    if (element in set) throw badPatch(`${formatPath(path)}: duplicate entries for key ${formatPath([element])}`);
    set[element] = asMember(fieldsBelow(item, itemSchema(schema), [...path, element]) ?? LEAF);
  }
  return isEmptySet(set) ? undefined : set;
}

function asMember(fields: FieldSet): FieldSet {
  return isEmptySet(fields) || SELF in fields ? fields : { [SELF]: LEAF, ...fields };
}
