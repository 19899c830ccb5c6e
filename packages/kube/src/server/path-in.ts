/** Reads and writes at a dotted path of an object, such as `spec.replicas`. */
import type { KubeObject } from '@skerry/api';

export function pathIn(object: object, path: string): unknown {
  let value: unknown = object;
  for (const part of parts(path)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** A copy with another value at the path; objects on the way are made where they are missing. */
export function withPath(object: KubeObject, path: string, value: unknown): KubeObject {
  return setIn(object, parts(path), value) as KubeObject;
}

function setIn(target: unknown, [first, ...rest]: readonly string[], value: unknown): unknown {
  if (first === undefined) return value;
  const base = typeof target === 'object' && target !== null ? (target as Record<string, unknown>) : {};
  return { ...base, [first]: setIn(Object.hasOwn(base, first) ? base[first] : undefined, rest, value) };
}

/** Definitions of custom resources write paths with a leading dot. */
function parts(path: string): string[] {
  return path.split('.').filter((part) => part !== '');
}
