/** Fields of what was parsed, by paths like `motor.speed` and `values.0`. Pure. */

/** Undefined when there is no such field; the whole without a path. */
export function fieldAt(parsed: unknown, path: string | undefined): unknown {
  let value = parsed;
  for (const step of path === undefined ? [] : path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return value;
}

/** Milliseconds since 1970; undefined when it is no time. */
export function timeOf(field: unknown): number | undefined {
  if (typeof field !== 'string' && typeof field !== 'number' && typeof field !== 'bigint') return undefined;
  const time = typeof field === 'string' ? Date.parse(field) : Number(field);
  return Number.isFinite(time) ? time : undefined;
}
