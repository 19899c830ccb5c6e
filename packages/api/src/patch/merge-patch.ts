/** JSON merge patch (RFC 7396): `null` deletes, objects merge, everything else replaces. */
import { isObject, type JsonObject, member, setMember } from '../json.ts';
import { badPatch } from './failures.ts';

/** Returns a new document that shares every part the patch does not touch; the document itself when nothing changes. */
export function applyMergePatch<T>(document: T, patch: unknown): T {
  if (!isObject(patch)) throw badPatch('error decoding patch: a merge patch must be a JSON object');
  return mergeObject(isObject(document) ? document : {}, patch) as T;
}

function mergeObject(target: JsonObject, patch: JsonObject): JsonObject {
  let result = target;
  for (const key of Object.keys(patch)) {
    const before = member(target, key);
    const after = mergeValue(before, patch[key]);
    if (after === before) continue;
    if (result === target) result = { ...target };
    if (after === undefined) delete result[key];
    else setMember(result, key, after);
  }
  return result;
}

function mergeValue(before: unknown, patch: unknown): unknown {
  if (patch === null) return undefined;
  if (!isObject(patch)) return patch;
  return mergeObject(isObject(before) ? before : EMPTY, patch);
}

const EMPTY: JsonObject = Object.freeze({});
