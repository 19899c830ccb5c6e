/**
 * PostgreSQL and TimescaleDB by COPY, one transaction a batch. The table is made where it is missing; a hypertable of it, and whatever
 * indexes are wanted, are the database's owner's to make.
 */
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '@skerry/base';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { pin } from './endpoint.ts';
import { nameOf } from './names.ts';
import { flagOption, textOption } from './options.ts';
import { OutletError, type OutletRows, type OutletTarget, type TargetSettings } from './target.ts';
import { isoOf, Tally, textOf } from './values.ts';

const DEFAULT_PORT = 5432;
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
  let connection: Promise<pg.Client> | undefined;
  let isTableThere = !createTable;
  return {
    send: async (rows, signal) => {
      const tally = new Tally();
      const text = encodeCopy(rows, tally);
      signal.throwIfAborted();
      connection ??= open(settings);
      try {
        const client = await connection;
        if (!isTableThere) await client.query(`CREATE TABLE IF NOT EXISTS ${quoted} (${COLUMNS})`);
        isTableThere = true;
        await copy(client, `COPY ${quoted} (time, name, labels, value, text, quality) FROM STDIN`, text);
      } catch (error) {
        const broken = connection;
        connection = undefined;
        broken.then((client) => client.end()).catch(() => {});
        throw failure(error);
      }
      return tally.result();
    },
    close: async () => {
      await connection?.then((client) => client.end()).catch(() => {});
    },
  };
}

async function open(settings: TargetSettings): Promise<pg.Client> {
  const { url, host } = await pin(settings, { protocols: ['postgresql:', 'postgres:'], port: DEFAULT_PORT });
  const client = new pg.Client(connectionOf(settings, url, host));
  // One that breaks while nobody uses it: the next batch finds out.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Of the URL, whatever else it says: more could lead to files and sockets of this machine. */
function connectionOf({ credentials }: TargetSettings, url: URL, host: string): pg.ClientConfig {
  const { username, password, certificate, key, authority } = credentials;
  const sslmode = url.searchParams.get('sslmode') ?? '';
  const isTls = authority !== undefined || certificate !== undefined || /^(require|verify)/.test(sslmode);
  url.search = '';
  return {
    connectionString: url.href,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    application_name: 'skerry',
    ...(username === undefined ? {} : { user: username }),
    ...(password === undefined ? {} : { password }),
    ...(isTls
      ? {
          ssl: {
            ...(isIP(host) === 0 ? { servername: host } : {}),
            ...(certificate === undefined ? {} : { cert: certificate }),
            ...(key === undefined ? {} : { key }),
            ...(authority === undefined ? {} : { ca: authority }),
          },
        }
      : {}),
  };
}

/** A COPY of its own is a transaction: all rows are there, or none. */
async function copy(client: pg.Client, statement: string, text: string): Promise<void> {
  await pipeline(Readable.from([text]), client.query(copyFrom(statement)));
}

function failure(error: unknown): OutletError {
  if (error instanceof OutletError) return error;
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
