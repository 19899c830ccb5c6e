/** Fields that no schema knows: named for `fieldValidation`, and dropped before anything is stored. */

import { isObject, type JsonObject } from '../json.ts';
import type { Schema } from '../schema.ts';
import { childOf, keepsUnknown } from './children.ts';
import { formatPath, type Path } from './path.ts';

/** A body made of unknown fields must not make a long answer. */
const MAX_REPORTED = 100;

/** The paths of unknown fields, in the order of the body. */
export function unknownFields(value: unknown, schema: Schema): string[] {
  const found: string[] = [];
  visit(value, schema, undefined, (_object, _key, path) => {
    if (found.length < MAX_REPORTED) found.push(formatPath(path));
  });
  return found;
}

/** Removes unknown fields in place, and gives the value back. */
export function prune<T>(value: T, schema: Schema): T {
  visit(value, schema, undefined, (object, key) => delete object[key]);
  return value;
}

type OnUnknown = (object: JsonObject, key: string, path: Path) => void;

function visit(value: unknown, schema: Schema, path: Path | undefined, onUnknown: OnUnknown): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return;
    for (let index = 0; index < value.length; index++)
      visit(value[index], items, { parent: path, step: index }, onUnknown);
  } else if (isObject(value)) visitObject(value, schema, path, onUnknown);
}

function visitObject(object: JsonObject, schema: Schema, path: Path | undefined, onUnknown: OnUnknown): void {
  const isOpen = keepsUnknown(schema);
  for (const key of Object.keys(object)) {
    const child = childOf(schema, key);
    const isImplied = schema.embeddedResource === true && EMBEDDED.includes(key);
    const at = { parent: path, step: key };
    if (child !== undefined) visit(object[key], child, at, onUnknown);
    else if (!isOpen && !isImplied) onUnknown(object, key, at);
  }
}

/** What every embedded resource has without declaring it. */
const EMBEDDED = ['apiVersion', 'kind', 'metadata'];
