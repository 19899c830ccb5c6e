/** Dotted paths of resource rows: `spec.volumes[].configMap.name`. */

/** Every string at `path`; `[]` after a field goes into each element of the list. */
export function stringsAt(value: unknown, path: string): string[] {
  let found: unknown[] = [value];
  for (const step of path.split('.')) {
    const isList = step.endsWith('[]');
    const field = isList ? step.slice(0, -2) : step;
    found = found.flatMap((parent) => {
      const child = fieldOf(parent, field);
      if (!isList) return child === undefined ? [] : [child];
      return Array.isArray(child) ? child : [];
    });
    if (found.length === 0) return [];
  }
  return found.filter((text): text is string => typeof text === 'string' && text !== '');
}

/** The value at a path without lists. */
export function valueAt(value: unknown, path: string): unknown {
  let found = value;
  for (const field of path.split('.')) found = fieldOf(found, field);
  return found;
}

function fieldOf(parent: unknown, field: string): unknown {
  if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, field)) return undefined;
  return (parent as Record<string, unknown>)[field];
}
