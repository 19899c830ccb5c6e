/** SQLite files of this store alone: durable, small, and locked while they are open. */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { seriesErrors } from './errors.ts';

const APPLICATION_ID = 0x534b5453; // "SKTS"
const FORMAT_VERSION = 1;
/** Chunks are a few kilobytes: with small pages little is lost at their ends. */
const PAGE_BYTES = 1024;
const CACHE_KIB = 1024;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

export function openDatabase(file: string, schema: string): DatabaseSync {
  closeSync(openSync(file, 'a', 0o600));
  const database = new DatabaseSync(file);
  try {
    database.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = TRUNCATE');
    database.exec('PRAGMA synchronous = FULL');
    database.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    database.exec('BEGIN EXCLUSIVE');
    prepareFormat(database, file, schema);
    database.exec('COMMIT');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Names that were made, changed or removed in it last after a loss of power, too. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

export function isBusy(error: unknown): boolean {
  return codeOf(error) === SQLITE_BUSY;
}

/** The file is broken, cut short, or no database at all. */
export function isDamaged(error: unknown): boolean {
  const code = codeOf(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function prepareFormat(database: DatabaseSync, file: string, schema: string): void {
  const { user_version: found } = database.prepare('PRAGMA user_version').get() ?? {};
  if (found === FORMAT_VERSION) return;
  if (found !== 0) throw seriesErrors.FORMAT({ file, found: Number(found), expected: FORMAT_VERSION });
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  database.exec(`PRAGMA user_version = ${FORMAT_VERSION}`);
  database.exec(schema);
}

/** The lower byte is the kind, the rest says more. */
function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}
