/** Rows of an SQLite file of the node. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { TableSource } from '../../kinds/table.ts';
import type { Row, Value } from '../../sql/index.ts';
import { pathIn } from '../folder.ts';
import type { RowSource, TableContext } from './open-table.ts';

/** So many partners a row; more of them are a mistake in the join. */
export const MAX_PARTNERS = 10_000;

export function sqliteRows(
  { path, table }: NonNullable<TableSource['sqlite']>,
  asRow: (message: unknown) => Row,
  { folder }: TableContext,
): RowSource {
  let database: DatabaseSync | undefined;
  const open = () => (database ??= new DatabaseSync(pathIn(folder, path), { readOnly: true }));
  return {
    find: (keys) => {
      const names = Object.keys(keys);
      const where = names.length === 0 ? '' : ` WHERE ${names.map((name) => `${quoted(name)} = ?`).join(' AND ')}`;
      const statement = open().prepare(`SELECT * FROM ${quoted(table)}${where} LIMIT ${MAX_PARTNERS}`);
      return statement.all(...names.map((name) => parameterOf(keys[name]))).map((row) => asRow({ ...row }));
    },
    close: async () => database?.close(),
  };
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function parameterOf(value: Value): SQLInputValue {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  return value instanceof Uint8Array ? value : JSON.stringify(value);
}
