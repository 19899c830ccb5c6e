/** A list as of an earlier revision: the current objects, with what was written since turned back from the log. */
import type { Change, ListResult, Revision, StoredObject, StoreKey } from './contract.ts';
import { isInRange, type KeyRange } from './key-range.ts';
import type { LogTable } from './log-table.ts';
import type { SortedObjects } from './sorted-objects.ts';
import { keyOf } from './subscribers.ts';

export interface SnapshotSource {
  readonly table: LogTable;
  readonly objects: SortedObjects;
  /** Writes that are in `objects` and not in the log yet. */
  readonly pending: readonly Change[];
}

export interface SnapshotQuery {
  readonly revision: Revision;
  readonly range: KeyRange;
  readonly limit: number;
}

export function listAt(source: SnapshotSource, { revision, range, limit }: SnapshotQuery): ListResult {
  const turnedBack = versionsAt(source, revision, range);
  const unchanged = source.objects
    .slice(range.from, range.to, Number.POSITIVE_INFINITY)
    .filter(({ key }) => !turnedBack.has(key));
  const total = unchanged.length + turnedBack.size - countAbsent(turnedBack);
  const items: StoredObject[] = [];
  const restored = restore(source, turnedBack);
  let next = restored.next();
  for (const object of unchanged) {
    for (; next.done !== true && next.value.key < object.key && items.length < limit; next = restored.next()) {
      items.push(next.value);
    }
    if (items.length >= limit) break;
    items.push(object);
  }
  for (; next.done !== true && items.length < limit; next = restored.next()) items.push(next.value);
  return { items, revision, remaining: total - items.length };
}

function versionsAt({ table, pending }: SnapshotSource, revision: Revision, range: KeyRange): Map<StoreKey, Revision> {
  const versions = table.versionsAt(revision, range);
  const added = new Map<StoreKey, Revision>();
  for (const change of pending) {
    const key = keyOf(change);
    if (isInRange(range, key) && !versions.has(key) && !added.has(key)) added.set(key, change.previous?.revision ?? 0);
  }
  if (added.size === 0) return versions;
  return new Map([...versions, ...added].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function countAbsent(versions: ReadonlyMap<StoreKey, Revision>): number {
  let absent = 0;
  for (const revision of versions.values()) if (revision === 0) absent++;
  return absent;
}

function* restore(
  source: SnapshotSource,
  versions: ReadonlyMap<StoreKey, Revision>,
): Generator<StoredObject, undefined> {
  for (const [key, revision] of versions) {
    // A coalesced version is gone; what is there now stands in.
    const object = revision === 0 ? undefined : (source.table.version(revision) ?? source.objects.get(key));
    if (object !== undefined) yield object;
  }
  return undefined;
}
