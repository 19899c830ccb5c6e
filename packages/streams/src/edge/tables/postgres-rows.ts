/** Rows of a table of PostgreSQL. */
import type { Pool } from 'pg';
import type { TableSource } from '../../kinds/table.ts';
import type { Row } from '../../sql/index.ts';
import { textIn, tlsOf } from '../secrets.ts';
import type { RowSource, TableContext } from './open-table.ts';
import { MAX_PARTNERS, quoted } from './sqlite-rows.ts';

const MAX_CONNECTIONS = 2;
const TIMEOUT_MS = 5000;

export function postgresRows(
  { url, table }: NonNullable<TableSource['postgresql']>,
  asRow: (message: unknown) => Row,
  { secret }: TableContext,
): RowSource {
  let opening: Promise<Pool> | undefined;
  const open = () =>
    (opening ??= connect(url, {
      user: textIn(secret, 'username'),
      password: textIn(secret, 'password'),
      tls: tlsOf(secret),
    }));
  const from = table.split('.').map(quoted).join('.');
  return {
    find: async (keys) => {
      const names = Object.keys(keys);
      const where =
        names.length === 0 ? '' : ` WHERE ${names.map((name, at) => `${quoted(name)} = $${at + 1}`).join(' AND ')}`;
      const pool = await open();
      const values = names.map((name) => keys[name] ?? null);
      const { rows } = await pool.query(`SELECT * FROM ${from}${where} LIMIT ${MAX_PARTNERS}`, values);
      return rows.map(asRow);
    },
    close: async () => (await opening)?.end(),
  };
}

interface Credentials {
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: ReturnType<typeof tlsOf>;
}

async function connect(connectionString: string, { user, password, tls }: Credentials): Promise<Pool> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(tls.ca === undefined ? {} : { ssl: tls }),
  });
  // An idle connection that breaks is replaced when it is next needed.
  pool.on('error', () => {});
  return pool;
}
