/** The fields that an applied configuration names: what its manager asks to own. */
import type { Schema } from '../../schema.ts';
import type { StatusError } from '../../status.ts';
import { badPatch } from '../failures.ts';
import { EMPTY_SET, type FieldSet, type FieldSetDraft, isEmptySet, LEAF, SELF } from './field-set.ts';
import { fieldElement, formatPath, itemNaming } from './path-element.ts';
import { fieldSchema, isEmptyContainer, isNamed, itemSchema, shapeOf } from './shape.ts';

/** Where a walk stands; turned into text only when something is wrong. */
interface Step {
  readonly parent: Step | undefined;
  readonly element: string;
}

/** The set of an applied object. Throws 400 when an item of a keyed list has no key or comes twice. */
export function fieldsOf(object: unknown, schema: Schema): FieldSet {
  return isEmptyContainer(object) ? EMPTY_SET : (fieldsBelow(object, schema, undefined) ?? EMPTY_SET);
}

/** The fields below a value; undefined when there are none, LEAF when the value is owned as a whole. */
function fieldsBelow(value: unknown, schema: Schema, at: Step | undefined): FieldSet | undefined {
  switch (shapeOf(value, schema)) {
    case 'leaf':
      return LEAF;
    case 'map':
      return fieldsOfMap(value as Record<string, unknown>, schema, at);
    case 'list':
      return fieldsOfList(value as readonly unknown[], schema, at);
  }
}

function fieldsOfMap(value: Record<string, unknown>, schema: Schema, parent: Step | undefined): FieldSet | undefined {
  const set: FieldSetDraft = {};
  for (const name of Object.keys(value)) {
    const child = value[name];
    const element = fieldElement(name);
    const fields = hasFieldsBelow(child) ? fieldsBelow(child, fieldSchema(schema, name), { parent, element }) : LEAF;
    if (fields === undefined) continue;
    // The key of a free map is owned itself; the field of a struct only through what is below it.
    set[element] = isNamed(schema, name) ? fields : asMember(fields);
  }
  return isEmptySet(set) ? undefined : set;
}

function fieldsOfList(value: readonly unknown[], schema: Schema, parent: Step | undefined): FieldSet | undefined {
  const { elementOf } = itemNaming(schema);
  const set: FieldSetDraft = {};
  for (const [index, item] of value.entries()) {
    const element = elementOf(item);
    if (element === undefined) throw withoutKeys(parent, index, schema);
    if (element in set) throw badPatch(`${textOf(parent)}: duplicate entries for key ${formatPath([element])}`);
    set[element] = asMember(fieldsBelow(item, itemSchema(schema), { parent, element }) ?? LEAF);
  }
  return isEmptySet(set) ? undefined : set;
}

function hasFieldsBelow(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !isEmptyContainer(value);
}

function withoutKeys(at: Step | undefined, index: number, { listMapKeys }: Schema): StatusError {
  const keys = JSON.stringify(listMapKeys);
  return badPatch(
    `${textOf(at)}: element ${index}: associative list with keys has an element that omits all key fields ${keys} (and doesn't have default values for any key fields)`,
  );
}

function textOf(at: Step | undefined): string {
  const path: string[] = [];
  for (let step = at; step !== undefined; step = step.parent) path.push(step.element);
  return formatPath(path.reverse());
}

function asMember(fields: FieldSet): FieldSet {
  return isEmptySet(fields) || SELF in fields ? fields : { [SELF]: LEAF, ...fields };
}
