/** Dotted paths of resource rows: `spec.volumes[].configMap.name`. */

/** A path taken apart, for those who follow it often. */
export type FieldPath = readonly Step[];

interface Step {
  readonly field: string;
  /** The field is a list, and the path goes on in each of its elements. */
  readonly isList: boolean;
}

export function parseFieldPath(path: string): FieldPath {
  return path.split('.').map((step) => {
    const isList = step.endsWith('[]');
    return { field: isList ? step.slice(0, -2) : step, isList };
  });
}

/** Adds every string that is not empty at `path` to `found`. */
export function collectStrings(value: unknown, path: FieldPath, found: string[], from = 0): void {
  const step = path[from];
  if (step === undefined) {
    if (typeof value === 'string' && value !== '') found.push(value);
    return;
  }
  const child = fieldOf(value, step.field);
  if (child === undefined) return;
  if (!step.isList) collectStrings(child, path, found, from + 1);
  else if (Array.isArray(child)) for (const element of child) collectStrings(element, path, found, from + 1);
}

/** The same value with another one at `path`; `undefined` removes the field. The order of fields stays. */
export function withValue(parent: unknown, [name = '', ...rest]: readonly string[], value: unknown): unknown {
  const fields = new Map(Object.entries(typeof parent === 'object' && parent !== null ? parent : {}));
  const child = rest.length === 0 ? value : withValue(fields.get(name), rest, value);
  if (child === undefined) fields.delete(name);
  else fields.set(name, child);
  return Object.fromEntries(fields);
}

function fieldOf(parent: unknown, field: string): unknown {
  if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, field)) return undefined;
  return (parent as Record<string, unknown>)[field];
}
