/**
 * Sets of fields as `fieldsV1` writes them, used as they are: no decoding, no second form.
 * A node without members stands for the field itself; with members, the field itself belongs to the set only when `.` is among them.
 * Nodes are never written to after they were handed out, so sets share them.
 */
import { isObject } from '../../json.ts';

export interface FieldSet {
  readonly [element: string]: FieldSet;
}

/** A set under construction. */
export type FieldSetDraft = Record<string, FieldSet>;

export const SELF = '.';
/** The field itself and nothing below it. */
export const LEAF: FieldSet = Object.freeze({});
/** At the root, where no field stands, the node without members is the empty set. */
export const EMPTY_SET: FieldSet = LEAF;

/** Deeper sets than any object we accept. */
const MAX_DEPTH = 200;

export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether the field at this node belongs to the set. */
export function isMember(node: FieldSet): boolean {
  return SELF in node || isEmptySet(node);
}

/** All fields of both; `left` itself when it has them all. */
export function union(left: FieldSet, right: FieldSet): FieldSet {
  if (left === right || isEmptySet(right)) return left;
  return isEmptySet(left) ? right : uniteNodes(left, right);
}

function uniteNodes(left: FieldSet, right: FieldSet): FieldSet {
  if (left === right) return left;
  if (isEmptySet(right)) return isMember(left) ? left : { [SELF]: LEAF, ...left };
  if (isEmptySet(left)) return SELF in right ? right : { [SELF]: LEAF, ...right };
  let result: FieldSetDraft | undefined;
  for (const element in right) {
    const before = left[element];
    const addition = right[element] ?? LEAF;
    const after = before === undefined ? addition : uniteNodes(before, addition);
    if (after === before) continue;
    result ??= { ...left };
    result[element] = after;
  }
  return result ?? left;
}

/** The fields of `left` that are not in `right`; `left` itself when they have none in common. */
export function difference(left: FieldSet, right: FieldSet): FieldSet {
  if (isEmptySet(right)) return left;
  return subtractChildren(left, right) ?? EMPTY_SET;
}

function subtractNodes(left: FieldSet, right: FieldSet): FieldSet | undefined {
  const staysMember = isMember(left) && !isMember(right);
  if (isEmptySet(left)) return staysMember ? left : undefined;
  const children = subtractChildren(left, right);
  if (staysMember || !(SELF in left)) return children ?? (staysMember ? LEAF : undefined);
  return children === undefined ? undefined : withoutSelf(children);
}

/** What is left of the members below a node; `.` is left to the caller, save that a lone one is dropped. */
function subtractChildren(left: FieldSet, right: FieldSet): FieldSet | undefined {
  let result: FieldSetDraft | undefined;
  for (const element in right) {
    const before = left[element];
    if (before === undefined || element === SELF) continue;
    const after = subtractNodes(before, right[element] ?? LEAF);
    if (after === before) continue;
    result ??= { ...left };
    if (after === undefined) delete result[element];
    else result[element] = after;
  }
  if (result === undefined) return left;
  for (const element in result) if (element !== SELF) return result;
  return undefined;
}

function withoutSelf(node: FieldSet): FieldSet | undefined {
  const { [SELF]: _self, ...children } = node;
  return isEmptySet(children) ? undefined : children;
}

/** Calls `visit` with the path of each field that is in both. */
export function eachCommon(left: FieldSet, right: FieldSet, visit: (path: readonly string[]) => void): void {
  visitCommon(left, right, [], visit);
}

function visitCommon(
  left: FieldSet,
  right: FieldSet,
  path: readonly string[],
  visit: (path: readonly string[]) => void,
): void {
  if (path.length > 0 && isMember(left) && isMember(right)) visit(path);
  for (const element in left) {
    const other = right[element];
    if (other === undefined || element === SELF) continue;
    visitCommon(left[element] ?? LEAF, other, [...path, element], visit);
  }
}

export function equalSets(left: FieldSet, right: FieldSet): boolean {
  if (left === right) return true;
  let size = 0;
  for (const element in left) {
    const other = right[element];
    if (other === undefined || !equalSets(left[element] ?? LEAF, other)) return false;
    size++;
  }
  for (const _ in right) size--;
  return size === 0;
}

/** The same set with its members in the order in which Kubernetes writes them. */
export function sortedSet(set: FieldSet): FieldSet {
  const elements = Object.keys(set);
  if (elements.length === 0) return LEAF;
  if (elements.length > 1) elements.sort();
  const result: FieldSetDraft = {};
  for (const element of elements) result[element] = sortedSet(set[element] ?? LEAF);
  return result;
}

/** True for a value that can stand as `fieldsV1`: clients write it too. */
export function isFieldSet(value: unknown, depth = 0): value is FieldSet {
  if (!isObject(value) || depth > MAX_DEPTH) return false;
  for (const element of Object.keys(value)) {
    if (element !== SELF && !/^[fkvi]:/.test(element)) return false;
    if (!isFieldSet(value[element], depth + 1)) return false;
  }
  return true;
}
