/** A list as of an earlier revision: the current objects, with what was written since turned back from the log. */
import type { Change, ListResult, Revision, StoredObject, StoreKey } from './contract.ts';
import { isInRange, type KeyRange } from './key-range.ts';
import type { LogTable } from './log-table.ts';
import type { SortedObjects } from './sorted-objects.ts';
import { keyOf, revisionOf } from './subscribers.ts';

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
  const turnedBack = turnBack(source, revision, range);
  const unchanged = source.objects
    .slice(range.from, range.to, Number.POSITIVE_INFINITY)
    .filter(({ key }) => !turnedBack.has(key));
  const restored = restore(source, turnedBack);
  const items: StoredObject[] = [];
  let next = restored.next();
  for (const object of unchanged) {
    for (; next.done !== true && next.value.key < object.key && items.length < limit; next = restored.next()) {
      items.push(next.value);
    }
    if (items.length >= limit) break;
    items.push(object);
  }
  for (; next.done !== true && items.length < limit; next = restored.next()) items.push(next.value);
  return { items, revision, remaining: unchanged.length + countPresent(turnedBack) - items.length };
}

/** What a key was at the revision: an object, one that has to be read from the log by its revision, or nothing. */
type Earlier = StoredObject | Revision | undefined;

/** In key order, each key that was written since the revision. */
function turnBack({ table, pending }: SnapshotSource, revision: Revision, range: KeyRange): Map<StoreKey, Earlier> {
  const earlier = new Map<StoreKey, Earlier>(table.versionsAt(revision, range));
  const logged = earlier.size;
  for (const change of pending) {
    const key = keyOf(change);
    if (revisionOf(change) > revision && isInRange(range, key) && !earlier.has(key)) earlier.set(key, change.previous);
  }
  if (earlier.size === logged) return earlier;
  return new Map([...earlier].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isPresent(earlier: Earlier): earlier is StoredObject | Revision {
  return earlier !== undefined && earlier !== 0;
}

function countPresent(turnedBack: ReadonlyMap<StoreKey, Earlier>): number {
  let present = 0;
  for (const earlier of turnedBack.values()) if (isPresent(earlier)) present++;
  return present;
}

function* restore(
  source: SnapshotSource,
  turnedBack: ReadonlyMap<StoreKey, Earlier>,
): Generator<StoredObject, undefined> {
  for (const [key, earlier] of turnedBack) {
    if (!isPresent(earlier)) continue;
    // A coalesced version is gone; what is there now stands in.
    const object = typeof earlier === 'number' ? (source.table.version(earlier) ?? source.objects.get(key)) : earlier;
    if (object !== undefined) yield object;
  }
  return undefined;
}
