/** What was looked up is remembered for a while; who asks for the same at the same time waits for the same answer. */
import type { Clock } from '@skerry/base';
import type { LookupTable } from '../../engine/lookup.ts';
import type { Row, Value } from '../../sql/index.ts';
import { keyOf } from './indexed.ts';

export interface CacheCounts {
  lookups: number;
  cacheHits: number;
  failures: number;
}

export interface CacheOptions {
  /** 0: nothing is remembered. */
  readonly ttlMs: number;
  readonly maxRows: number;
  /** Whether it is remembered that there was nothing. */
  readonly keepsMisses: boolean;
  readonly clock: Clock;
  readonly counts: CacheCounts;
}

interface Entry {
  readonly rows: readonly Row[];
  readonly until: number;
}

export function cached(source: LookupTable, options: CacheOptions): LookupTable {
  const entries = new Map<string, Entry>();
  const asked = new Map<string, Promise<readonly Row[]>>();
  const { counts, clock, ttlMs } = options;
  let size = 0;
  const forget = (key: string) => {
    size -= weightOf(entries.get(key)?.rows ?? []);
    entries.delete(key);
  };
  const keep = (key: string, rows: readonly Row[]) => {
    if (ttlMs === 0 || (rows.length === 0 && !options.keepsMisses)) return;
    if (entries.has(key)) forget(key);
    entries.set(key, { rows, until: clock.monotonic() + ttlMs });
    size += weightOf(rows);
    // The oldest go first.
    for (const oldest of entries.keys()) {
      if (size <= options.maxRows) break;
      forget(oldest);
    }
  };
  const fail = (error: unknown): never => {
    counts.failures++;
    throw error;
  };
  return {
    find: (keys: Readonly<Record<string, Value>>) => {
      counts.lookups++;
      if (ttlMs === 0) return source.find(keys);
      const names = Object.keys(keys).sort();
      const key = `${names.join('\0')}\0\0${keyOf(keys, names)}`;
      const known = entries.get(key);
      if (known !== undefined && known.until > clock.monotonic()) {
        counts.cacheHits++;
        return known.rows;
      }
      const pending = asked.get(key);
      if (pending !== undefined) return pending;
      const found = source.find(keys);
      if (!(found instanceof Promise)) {
        keep(key, found);
        return found;
      }
      const answer = found
        .then((rows) => {
          keep(key, rows);
          return rows;
        }, fail)
        .finally(() => asked.delete(key));
      asked.set(key, answer);
      return answer;
    },
  };
}

/** That nothing is there takes its place too. */
function weightOf(rows: readonly Row[]): number {
  return Math.max(1, rows.length);
}
