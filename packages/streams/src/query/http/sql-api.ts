/** SQL over series: `POST {"sql": …, "match": […], "start": …, "end": …}`. */
import type { Clock } from '@skerry/base';
import type { SeriesStore } from '../../store/index.ts';
import { PromQlError } from '../promql/ast.ts';
import { type Selection, selectionOf } from '../promql/select.ts';
import { runSql, SqlQueryError, type SqlRunner } from '../sql/run-sql.ts';
import { jsonAnswer, type QueryAnswer, type QueryRequest } from './answer.ts';
import { matchersOf } from './parameters.ts';

const HOUR_MS = 3_600_000;
/** At once; others wait no longer than it takes to say so. */
const MAX_RUNNING = 2;
const MAX_MATCHES = 64;
/** Of devices and rules. */
const EVERYTHING: Selection = { queries: [[{ label: 'property', op: '=~', value: '.+' }]], accepts: () => true };

interface SqlBody {
  readonly sql: string;
  readonly selections: readonly Selection[];
  readonly from: number;
  readonly to: number;
  readonly maxRows?: number;
}

export function sqlEndpoint(
  store: SeriesStore,
  clock: Clock,
  runner: SqlRunner,
): (request: QueryRequest) => Promise<QueryAnswer> {
  let running = 0;
  return async ({ method, body, signal }) => {
    if (method !== 'POST') return jsonAnswer(405, { error: 'POST a query' });
    if (running >= MAX_RUNNING) return jsonAnswer(429, { error: `${MAX_RUNNING} queries run already: ask again` });
    running += 1;
    try {
      return jsonAnswer(200, await runSql(store, { ...readBody(store, body, clock.now()), signal }, runner));
    } catch (error) {
      if (error instanceof SqlQueryError || error instanceof PromQlError)
        return jsonAnswer(400, { error: error.message });
      throw error;
    } finally {
      running -= 1;
    }
  };
}

function readBody(store: SeriesStore, body: Uint8Array | undefined, now: number): SqlBody {
  let given: unknown;
  try {
    given = JSON.parse(Buffer.from(body ?? []).toString('utf8'));
  } catch {
    throw new SqlQueryError('the body must be JSON');
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new SqlQueryError('the body must be an object');
  const { sql, match, start, end, maxRows } = given as Readonly<Record<string, unknown>>;
  if (typeof sql !== 'string' || sql === '') throw new SqlQueryError('"sql" is needed: a query of the table samples');
  const to = timeOf('end', end) ?? now;
  return {
    sql,
    selections: selectionsOf(store, match),
    from: timeOf('start', start) ?? to - HOUR_MS,
    to: to + 1,
    ...(typeof maxRows === 'number' && maxRows > 0 ? { maxRows: Math.trunc(maxRows) } : {}),
  };
}

/** One selector, or several, each series once. */
function selectionsOf(store: SeriesStore, match: unknown): readonly Selection[] {
  if (match === undefined) return [EVERYTHING];
  const matches: readonly unknown[] = Array.isArray(match) ? match : [match];
  if (matches.length > MAX_MATCHES) throw new SqlQueryError(`at most ${MAX_MATCHES} selectors are allowed`);
  return matches.map((each) => {
    if (typeof each !== 'string')
      throw new SqlQueryError('"match" is a selector such as temperature{device="press-1"}');
    return selectionOf(store, matchersOf(each));
  });
}

function timeOf(name: string, given: unknown): number | undefined {
  if (given === undefined) return undefined;
  const time = typeof given === 'number' ? given * 1000 : typeof given === 'string' ? Date.parse(given) : Number.NaN;
  if (Number.isNaN(time))
    throw new SqlQueryError(`"${name}" is seconds since 1970, or a time such as 2026-01-01T00:00:00Z`);
  return time;
}
