/** Merges an applied configuration into an object: what it names wins, all else stays, lists merge by key. */
import { isObject, type JsonObject, jsonEqual, member, setMember } from '../../json.ts';
import { compareQuantity } from '../../quantity.ts';
import type { Schema } from '../../schema.ts';
import { itemNaming } from './path-element.ts';
import { fieldSchema, itemSchema, shapeOf } from './shape.ts';

/** The merged value; `live` itself where nothing changes, so that later steps can skip it. */
export function mergeApplied(live: unknown, applied: unknown, schema: Schema): unknown {
  if (live === undefined) return withoutNulls(applied, schema);
  switch (shapeOf(applied, schema)) {
    case 'leaf':
      return isSameLeaf(live, applied, schema) ? live : applied;
    case 'map':
      return isObject(live) ? mergeMap(live, applied as JsonObject, schema) : withoutNulls(applied, schema);
    case 'list':
      return Array.isArray(live) ? mergeList(live, applied as readonly unknown[], schema) : applied;
  }
}

function isSameLeaf(live: unknown, applied: unknown, schema: Schema): boolean {
  if (jsonEqual(live, applied)) return true;
  // The server keeps quantities in canonical form; another way to write the same one is no change.
  return schema.format === 'quantity' && isScalar(live) && isScalar(applied) && compareQuantity(live, applied) === 0;
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}

function mergeMap(live: JsonObject, applied: JsonObject, schema: Schema): JsonObject {
  let result = live;
  for (const name of Object.keys(applied)) {
    const before = member(live, name);
    const value = applied[name];
    const after = value === null ? undefined : mergeApplied(before, value, fieldSchema(schema, name));
    if (after === before) continue;
    if (result === live) result = { ...live };
    if (after === undefined) delete result[name];
    else setMember(result, name, after);
  }
  return result;
}

/** Applied items in their order; items that only the live list has stay before the common item they preceded. */
function mergeList(live: readonly unknown[], applied: readonly unknown[], schema: Schema): readonly unknown[] {
  const { elementOf } = itemNaming(schema);
  const liveElements = live.map(elementOf);
  const liveItems = new Map(liveElements.map((element, index) => [element, live[index]]));
  const appliedElements = applied.map(elementOf);
  const inApplied = new Set(appliedElements);
  const shared = appliedElements.filter((element) => liveItems.has(element));
  const result: unknown[] = [];
  let nextLive = 0;
  let nextShared = 0;
  for (const [index, item] of applied.entries()) {
    const element = appliedElements[index];
    // Live-only items come first; common items that are not due yet are skipped, their turn comes with the applied list.
    while (
      nextLive < live.length &&
      (!inApplied.has(liveElements[nextLive]) || liveElements[nextLive] !== shared[nextShared])
    ) {
      if (!inApplied.has(liveElements[nextLive])) result.push(live[nextLive]);
      nextLive++;
    }
    result.push(mergeApplied(liveItems.get(element), item, itemSchema(schema)));
    if (element === shared[nextShared]) nextShared++;
    if (element === liveElements[nextLive]) nextLive++;
  }
  for (; nextLive < live.length; nextLive++) if (!inApplied.has(liveElements[nextLive])) result.push(live[nextLive]);
  const isSame = result.length === live.length && result.every((item, index) => item === live[index]);
  return isSame ? live : result;
}

/** Null asks for nothing to be there. */
function withoutNulls(value: unknown, schema: Schema): unknown {
  if (shapeOf(value, schema) !== 'map') return value;
  return mergeMap({}, value as JsonObject, schema);
}
