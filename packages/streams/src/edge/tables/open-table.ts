/** Tables that rules look rows up in. */
import type { Clock, Logger } from '@skerry/base';
import type { LookupTable } from '../../engine/lookup.ts';
import { millisecondsOf } from '../../engine/rule/prepare.ts';
import { rowReader } from '../../engine/rule/read-row.ts';
import type { TableSpec } from '../../kinds/table.ts';
import type { Row } from '../../sql/index.ts';
import type { Secret } from '../secrets.ts';
import { type CacheCounts, cached } from './cache.ts';
import { fileRows } from './file-rows.ts';
import { httpRows } from './http-rows.ts';
import { indexed } from './indexed.ts';
import { postgresRows } from './postgres-rows.ts';
import { sqliteRows } from './sqlite-rows.ts';

export interface TableContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly folder: string;
  readonly secret: Secret;
}

export interface OpenTable extends LookupTable {
  readonly counts: CacheCounts;
  close(): Promise<void>;
}

/** Where rows are asked for; throws, or rejects, with words about why there is no answer. */
export interface RowSource extends LookupTable {
  close?(): Promise<void>;
}

const DEFAULT_TTL_MS = 60_000;
const DEFAULT_ROWS = 10_000;

export function openTable(spec: TableSpec, context: TableContext): OpenTable {
  const source = sourceOf(spec, context);
  const { ttl, maxRows = DEFAULT_ROWS, misses = true } = spec.cache ?? {};
  // Rows in memory are as quick as the cache of them.
  const isNear = spec.source.rows !== undefined || spec.source.file !== undefined;
  const counts: CacheCounts = { lookups: 0, cacheHits: 0, failures: 0 };
  const ttlMs = isNear ? 0 : millisecondsOf(ttl, DEFAULT_TTL_MS);
  const table = cached(source, { ttlMs, maxRows, keepsMisses: misses, clock: context.clock, counts });
  return { find: (keys) => table.find(keys), counts, close: async () => source.close?.() };
}

function sourceOf(spec: TableSpec, context: TableContext): RowSource {
  const { rows, file, sqlite, postgresql, http } = spec.source;
  const read = rowReader(spec.schema === undefined ? {} : { schema: spec.schema });
  const asRow = (message: unknown): Row => read(message).row;
  if (rows !== undefined) return indexed(rows.map(asRow));
  if (file !== undefined) return fileRows(file, asRow, context);
  if (sqlite !== undefined) return sqliteRows(sqlite, asRow, context);
  if (postgresql !== undefined) return postgresRows(postgresql, asRow, context);
  if (http !== undefined) return httpRows(http, asRow, context);
  return indexed([]);
}
