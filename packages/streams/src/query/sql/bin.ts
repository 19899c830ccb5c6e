/**
 * One SQL query in DuckDB, in a process of its own: what it takes of memory and time it takes of nobody else, and its end ends it all.
 * The table `samples` has a column for each label, and `time`, `value`, `text`, `quality`; `exports."DIRECTORY"` are files that were
 * exported, the only ones that can be read.
 */
import {
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBInstance,
  DuckDBTimestampValue,
  StatementType,
} from '@duckdb/node-api';
import { messageOf } from '@skerry/base';
import type { Exported } from './exported-files.ts';
import type { FromQuery, SqlResult, TableRows, ToQuery } from './messages.ts';

const MEMORY_LIMIT = '1GB';
const TABLE = 'samples';
const MAX_RESULT_BYTES = 16 * 1024 * 1024;

process.on('message', (message: ToQuery) => {
  waiting = waiting
    .then(() => take(message))
    .catch((error: unknown) => say({ type: 'error', message: messageOf(error) }));
});
process.on('disconnect', () => process.exit(0));

let waiting: Promise<unknown> = Promise.resolve();
let table: Table | undefined;

interface Table {
  readonly connection: DuckDBConnection;
  readonly appender: DuckDBAppender;
  readonly exported: readonly Exported[];
}

function say(message: FromQuery): void {
  process.send?.(message);
}

async function take(message: ToQuery): Promise<void> {
  switch (message.type) {
    case 'table':
      table = await makeTable(message);
      return;
    case 'rows':
      return append(message);
    case 'run':
      return say({ type: 'result', ...(await run(message.sql, message.maxRows)) });
  }
}

function opened(): Table {
  if (table === undefined) throw new Error('there is no table yet');
  return table;
}

async function makeTable({ labels, exported }: Extract<ToQuery, { type: 'table' }>): Promise<Table> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: MEMORY_LIMIT,
    temp_directory: '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  const own = columnNames(labels).map((name) => `"${name.replaceAll('"', '""')}" VARCHAR`);
  const columns = ['time TIMESTAMP', ...own, 'value DOUBLE', 'text VARCHAR', 'quality UTINYINT'];
  await connection.run(`CREATE TABLE ${TABLE} (${columns.join(', ')})`);
  await makeViews(connection, exported);
  return { connection, appender: await connection.createAppender(TABLE), exported };
}

/** Files that were written at different times may have different columns. */
async function makeViews(connection: DuckDBConnection, exported: readonly Exported[]): Promise<void> {
  await connection.run('CREATE SCHEMA exports');
  for (const { name, files } of exported) {
    const view = `"${name.replaceAll('"', '""')}"`;
    await connection.run(
      `CREATE VIEW exports.${view} AS SELECT * FROM read_parquet(${listOf(files)}, union_by_name = true)`,
    );
  }
}

function listOf(texts: readonly string[]): string {
  return `[${texts.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')}]`;
}

function append({ labels, times, values, texts, qualities }: TableRows): void {
  const { appender } = opened();
  for (let row = 0; row < times.length; row++) {
    appender.appendTimestamp(new DuckDBTimestampValue(BigInt(Math.round((times[row] ?? 0) * 1000))));
    for (const label of labels) {
      if (label === '') appender.appendNull();
      else appender.appendVarchar(label);
    }
    const text = texts.get(row);
    const value = values[row] ?? Number.NaN;
    // An integer that a number does not hold stands in both, the one rounded.
    if (text === undefined || !Number.isNaN(value)) appender.appendDouble(value);
    else appender.appendNull();
    if (text === undefined) appender.appendNull();
    else appender.appendVarchar(text);
    appender.appendUTinyInt(qualities[row] ?? 0);
    appender.endRow();
  }
}

async function run(sql: string, maxRows: number): Promise<SqlResult> {
  const { connection, appender, exported } = opened();
  appender.closeSync();
  await connection.run(`SET allowed_paths = ${listOf(exported.flatMap(({ files }) => files))}`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
  await checkStatement(connection, sql);
  const reader = await connection.streamAndReadUntil(sql, maxRows + 1);
  const columns = reader.columnNames().map((name, index) => ({ name, type: reader.columnType(index).toString() }));
  const rows = reader.getRowsJson();
  const bytes = rows.reduce((sum, row) => sum + JSON.stringify(row).length, 0);
  if (bytes > MAX_RESULT_BYTES) throw new Error(`the answer has more than ${MAX_RESULT_BYTES} bytes: ask for less`);
  return { columns, rows: rows.slice(0, maxRows), isCut: rows.length > maxRows };
}

/** Whatever else there is may write, also to files that may be read. */
async function checkStatement(connection: DuckDBConnection, sql: string): Promise<void> {
  const statements = await connection.extractStatements(sql);
  const prepared = statements.count === 1 ? await statements.prepare(0) : undefined;
  if (prepared?.statementType !== StatementType.SELECT) throw new Error('a query is one SELECT, and nothing else');
}

/** Columns that every table has. */
const OWN_COLUMNS = ['time', 'value', 'text', 'quality'];

/**
 * SQL knows no case. A label whose name is taken, by a column or another label, has `label_` before it, as often as it takes; those in
 * small letters choose first.
 */
function columnNames(labels: readonly string[]): readonly string[] {
  const taken = new Set(OWN_COLUMNS);
  const names = new Map<string, string>();
  const isSmall = (label: string) => label === label.toLowerCase();
  for (const label of [...labels.filter(isSmall), ...labels.filter((one) => !isSmall(one))]) {
    let name = label;
    while (taken.has(name.toLowerCase())) name = `label_${name}`;
    taken.add(name.toLowerCase());
    names.set(label, name);
  }
  return labels.map((label) => names.get(label) ?? label);
}
