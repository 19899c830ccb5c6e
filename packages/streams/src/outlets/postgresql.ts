/**
 * PostgreSQL and TimescaleDB by COPY, one transaction a batch. The table is made where it is missing; a hypertable of it, and whatever
 * indexes are wanted, are the database's owner's to make.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '@skerry/base';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { nameOf } from './names.ts';
import { flagOption, textOption } from './options.ts';
import { OutletError, type OutletRows, type OutletTarget, type TargetSettings } from './target.ts';
import { isoOf, Tally, textOf } from './values.ts';

const TIMEOUT_MS = 30_000;
const TABLE_FORMAT = /^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$/;
/** SQLSTATE classes that speak of the rows: data exception, integrity constraint violation. */
const ABOUT_ROWS = /^(22|23)/;

const COLUMNS = `
  time timestamptz NOT NULL,
  name text NOT NULL,
  labels jsonb NOT NULL,
  value double precision,
  text text,
  quality smallint NOT NULL`;

/** Options: `table` (`skerry_values`), `createTable` (true). A value that is no number stands in the column `text`. */
export function postgresTarget(settings: TargetSettings): OutletTarget {
  const table = textOption(settings.options, 'table') ?? 'skerry_values';
  if (!TABLE_FORMAT.test(table))
    throw new OutletError(`options.table: "${table}" is no name of a table`, { isFinal: true });
  const quoted = table
    .split('.')
    .map((part) => `"${part}"`)
    .join('.');
  const createTable = flagOption(settings.options, 'createTable') ?? true;
  const pool = new pg.Pool(connectionOf(settings));
  // A connection that breaks while nobody uses it: the next batch finds out.
  pool.on('error', () => {});
  let isTableThere = !createTable;
  return {
    send: async (rows, signal) => {
      const tally = new Tally();
      const text = encodeCopy(rows, tally);
      signal.throwIfAborted();
      try {
        if (!isTableThere) await pool.query(`CREATE TABLE IF NOT EXISTS ${quoted} (${COLUMNS})`);
        isTableThere = true;
        await copy(pool, `COPY ${quoted} (time, name, labels, value, text, quality) FROM STDIN`, text);
      } catch (error) {
        throw failure(error);
      }
      return tally.result();
    },
    close: () => pool.end(),
  };
}

function connectionOf({ endpoint, credentials }: TargetSettings): pg.PoolConfig {
  const { username, password, certificate, key, authority } = credentials;
  const isTls = authority !== undefined || certificate !== undefined || /[?&]sslmode=(require|verify)/.test(endpoint);
  // What the URL says of TLS would replace what the Secret says.
  const connectionString = endpoint.replace(/([?&])sslmode=[a-z-]*&?/, '$1').replace(/[?&]$/, '');
  return {
    connectionString,
    max: 1,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    application_name: 'skerry',
    ...(username === undefined ? {} : { user: username }),
    ...(password === undefined ? {} : { password }),
    ...(isTls
      ? {
          ssl: {
            ...(certificate === undefined ? {} : { cert: certificate }),
            ...(key === undefined ? {} : { key }),
            ...(authority === undefined ? {} : { ca: authority }),
          },
        }
      : {}),
  };
}

/** A COPY of its own is a transaction: all rows are there, or none. */
async function copy(pool: pg.Pool, statement: string, text: string): Promise<void> {
  const client = await pool.connect();
  try {
    await pipeline(Readable.from([text]), client.query(copyFrom(statement)));
    client.release();
  } catch (error) {
    client.release(true);
    throw error;
  }
}

function failure(error: unknown): OutletError {
  const code = (error as { readonly code?: string }).code ?? '';
  return new OutletError(`the database did not take the rows: ${messageOf(error)}`, {
    isFinal: ABOUT_ROWS.test(code),
    cause: error,
  });
}

/** The text format of COPY: tabs between columns, `\N` for NULL. */
export function encodeCopy(rows: readonly OutletRows[], tally: Tally): string {
  let text = '';
  for (const { labels, type, rows: columns } of rows) {
    const { name, labels: rest } = nameOf(labels);
    const head = `${escaped(name)}\t${escaped(JSON.stringify(Object.fromEntries(rest)))}`;
    for (let index = 0; index < columns.length; index++) {
      const value = columns.boxed?.get(index) ?? columns.values[index] ?? Number.NaN;
      const isNumber = typeof value === 'number' || typeof value === 'bigint';
      const cells = isNumber ? `${numberText(value)}\t\\N` : `\\N\t${escaped(textOf(value, type))}`;
      text += `${isoOf(columns.times[index] ?? 0)}\t${head}\t${cells}\t${columns.qualities[index] ?? 0}\n`;
    }
    tally.sent(columns.length);
  }
  return text;
}

function numberText(value: number | bigint): string {
  return Object.is(value, -0) ? '-0' : value.toString();
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** PostgreSQL has no text with a zero character in it. */
function escaped(text: string): string {
  return text.replaceAll('\0', '').replaceAll(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? '');
}
