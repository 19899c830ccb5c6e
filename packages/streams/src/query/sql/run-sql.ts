/** Asks the series store by SQL: the rows that are meant go into a table of a process that lives as long as the query. */
import { type ChildProcess, fork } from 'node:child_process';
import type { OutletRows } from '../../outlets/target.ts';
import { textOf } from '../../outlets/values.ts';
import type { SeriesStore } from '../../store/index.ts';
import { labelsOf, rowsOf } from '../export/selected-rows.ts';
import type { Selection } from '../promql/select.ts';
import { type Exported, exportedIn, TooManyFiles } from './exported-files.ts';
import type { FromQuery, SqlResult, TableRows, ToQuery } from './messages.ts';

export type { SqlResult } from './messages.ts';

export interface SqlQuery {
  readonly sql: string;
  /** The series that stand in the table. */
  readonly selections: readonly Selection[];
  /** Milliseconds since 1970; `from` belongs to the range, `to` does not. */
  readonly from: number;
  readonly to: number;
  readonly maxRows?: number;
  readonly signal: AbortSignal;
}

export interface SqlRunner {
  /** The program of a query, and how it is run. */
  readonly program: string;
  readonly execArgv?: readonly string[];
  /** Where files were exported to; without it there are none. */
  readonly exports?: string;
}

/** What one query may take into its table, and give back. */
const MAX_TABLE_ROWS = 10_000_000;
const MAX_RESULT_ROWS = 100_000;
const DEFAULT_RESULT_ROWS = 10_000;
const QUERY_MS = 120_000;

/** A query that cannot be answered, in words. */
export class SqlQueryError extends Error {}

/** Throws `SqlQueryError`. */
export async function runSql(
  store: Pick<SeriesStore, 'scan' | 'seriesOf'>,
  query: SqlQuery,
  runner: SqlRunner,
): Promise<SqlResult> {
  // Who asks of exported files only waits for nothing else.
  const { selections } = /\bsamples\b/i.test(query.sql) ? query : { selections: [] };
  const labels = labelsOf(store, { selections });
  const exported = filesOf(query.sql, runner);
  const { signal, maxRows = DEFAULT_RESULT_ROWS } = query;
  const child = fork(runner.program, {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: {},
    ...(runner.execArgv === undefined ? {} : { execArgv: [...runner.execArgv] }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(QUERY_MS)]),
    killSignal: 'SIGKILL',
  });
  try {
    const answer = answerOf(child, signal);
    const most = Math.min(maxRows, MAX_RESULT_ROWS);
    const asking = ask(child, store, { ...query, selections }, { labels, exported, maxRows: most });
    // Whatever ends first: an answer before all is asked is an error of the program's.
    await Promise.race([asking, answer]);
    return await answer;
  } finally {
    child.kill('SIGKILL');
  }
}

function answerOf(child: ChildProcess, signal: AbortSignal): Promise<SqlResult> {
  return new Promise((resolve, reject) => {
    child.on('message', (message: FromQuery) => {
      if (message.type === 'result') resolve(message);
      else reject(new SqlQueryError(message.message));
    });
    child.on('error', (error) =>
      reject(
        new SqlQueryError(
          signal.aborted
            ? 'the query was given up'
            : error.name === 'AbortError'
              ? 'the query took too long'
              : error.message,
        ),
      ),
    );
    child.on('exit', (code, by) =>
      reject(new SqlQueryError(`the query's process has ended (${code ?? by}): it may have taken too much memory`)),
    );
  });
}

function filesOf(sql: string, { exports }: SqlRunner): readonly Exported[] {
  if (exports === undefined) return [];
  try {
    return exportedIn(exports, sql);
  } catch (error) {
    if (error instanceof TooManyFiles) throw new SqlQueryError(error.message);
    throw error;
  }
}

interface Asked {
  readonly labels: readonly string[];
  readonly exported: readonly Exported[];
  readonly maxRows: number;
}

async function ask(
  child: ChildProcess,
  store: Pick<SeriesStore, 'scan' | 'seriesOf'>,
  { sql, ...wanted }: SqlQuery,
  { labels, exported, maxRows }: Asked,
): Promise<void> {
  await send(child, { type: 'table', labels, exported });
  let count = 0;
  for await (const series of rowsOf(store, wanted)) {
    count += series.rows.length;
    if (count > MAX_TABLE_ROWS)
      throw new SqlQueryError(`more than ${MAX_TABLE_ROWS} rows are meant: choose fewer series or a shorter time`);
    await send(child, tableRowsOf(series, labels));
  }
  await send(child, { type: 'run', sql, maxRows });
}

/** Resolves once the pipe has taken it. */
function send(child: ChildProcess, message: ToQuery): Promise<void> {
  return new Promise((resolve, reject) => {
    child.send(message, (error) =>
      error === null ? resolve() : reject(new SqlQueryError(`the query's process is gone: ${error.message}`)),
    );
  });
}

function tableRowsOf({ labels: own, type, rows }: OutletRows, labels: readonly string[]): TableRows {
  const texts = new Map<number, string>();
  const values = rows.values.slice(0, rows.length);
  for (const [row, value] of rows.boxed ?? []) {
    if (typeof value === 'bigint') values[row] = Number(value);
    texts.set(row, textOf(value, type));
  }
  return {
    type: 'rows',
    labels: labels.map((label) => own[label] ?? ''),
    times: rows.times.slice(0, rows.length),
    values,
    texts,
    qualities: rows.qualities.slice(0, rows.length),
  };
}
