/** SQL over series: `POST {"sql": …, "match": […], "start": …, "end": …}`. */
import type { Clock } from '@skerry/base';
import type { Matcher, SeriesStore } from '../../store/index.ts';
import { PromQlError } from '../promql/ast.ts';
import { parsePromQl } from '../promql/parse.ts';
import { runSql, SqlQueryError, type SqlRunner } from '../sql/run-sql.ts';
import { jsonAnswer, type QueryAnswer, type QueryRequest } from './answer.ts';

const HOUR_MS = 3_600_000;
/** At once; others wait no longer than it takes to say so. */
const MAX_RUNNING = 2;
const EVERYTHING: readonly Matcher[] = [{ label: 'property', op: '=~', value: '.+' }];

interface SqlBody {
  readonly sql: string;
  readonly matchers: readonly Matcher[];
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
      return jsonAnswer(200, await runSql(store, { ...readBody(body, clock.now()), signal }, runner));
    } catch (error) {
      if (error instanceof SqlQueryError || error instanceof PromQlError)
        return jsonAnswer(400, { error: error.message });
      throw error;
    } finally {
      running -= 1;
    }
  };
}

function readBody(body: Uint8Array | undefined, now: number): SqlBody {
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
    matchers: matchersOf(match),
    from: timeOf('start', start) ?? to - HOUR_MS,
    to: to + 1,
    ...(typeof maxRows === 'number' && maxRows > 0 ? { maxRows: Math.trunc(maxRows) } : {}),
  };
}

/** Labels as the store has them, in PromQL's writing. */
function matchersOf(match: unknown): readonly Matcher[] {
  if (match === undefined) return EVERYTHING;
  if (typeof match !== 'string') throw new SqlQueryError('"match" is a selector such as {device="press-1"}');
  const expr = parsePromQl(match);
  if (expr.kind !== 'vector') throw new SqlQueryError('"match" is a selector such as {device="press-1"}');
  return expr.matchers.map((matcher) => (matcher.label === '__name__' ? { ...matcher, label: 'property' } : matcher));
}

function timeOf(name: string, given: unknown): number | undefined {
  if (given === undefined) return undefined;
  const time = typeof given === 'number' ? given * 1000 : typeof given === 'string' ? Date.parse(given) : Number.NaN;
  if (Number.isNaN(time))
    throw new SqlQueryError(`"${name}" is seconds since 1970, or a time such as 2026-01-01T00:00:00Z`);
  return time;
}
