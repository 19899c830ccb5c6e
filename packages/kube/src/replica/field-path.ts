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
