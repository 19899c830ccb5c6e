/** Times as objects carry them: RFC 3339 in UTC, whole seconds. */

export function formatTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** Milliseconds since the epoch; undefined when absent or not a time. */
export function parseTime(text: string | undefined | null): number | undefined {
  if (text === undefined || text === null) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

/** For sorting: objects without a creation time come last, as the newest. */
export function createdAt(object: { readonly metadata: { readonly creationTimestamp?: string } }): number {
  return parseTime(object.metadata.creationTimestamp) ?? Number.MAX_SAFE_INTEGER;
}
