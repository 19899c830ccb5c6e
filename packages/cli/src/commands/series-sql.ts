/** `skerry series sql QUERY`: the series of the cloud as a table of DuckDB. */
import { messageOf } from '@skerry/base';
import { askPath } from '../cloud-path.ts';
import { type ConnectionFlags, findCloud } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatCsv, formatJson, formatTable } from '../output.ts';
import { type TimeFlags, timesOf } from '../time-flags.ts';

export interface SqlFlags extends ConnectionFlags, TimeFlags {
  readonly match?: string;
  readonly maxRows?: number;
  readonly output?: 'json' | 'csv';
}

interface SqlAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly isCut: boolean;
}

const SQL_PATH = '/telemetry/sql';

export async function askSql(context: CliContext, sql: string, flags: SqlFlags): Promise<void> {
  const { connection } = await findCloud(context, flags);
  const { match, maxRows, output } = flags;
  const body = { sql, ...timesOf(flags, context.clock.now()), match, maxRows };
  const answer = await answerOf(askPath(connection, { method: 'POST', path: SQL_PATH, body }));
  const header = answer.columns.map(({ name }) => name);
  const rows = answer.rows.map((row) => row.map(textOf));
  if (output === 'json') context.print(formatJson(answer));
  else context.print(output === 'csv' ? formatCsv(header, rows) : formatTable(header, rows));
  if (answer.isCut) context.say('skerry: there are more rows; --max-rows takes more of them\n');
}

async function answerOf(asked: ReturnType<typeof askPath>): Promise<SqlAnswer> {
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await asked) chunks.push(chunk as Uint8Array);
    return JSON.parse(Buffer.concat(chunks).toString()) as SqlAnswer;
  } catch (cause) {
    throw cliErrors.SERIES_REFUSED({ what: 'query', reason: messageOf(cause) }, { cause });
  }
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
