/** Opens the SQLite file of a store for this process alone. */
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { storeErrors } from './errors.ts';

export interface DatabaseFileOptions {
  readonly file: string;
  /** Memory for SQLite's pages. The current objects are in memory anyway, so little does. */
  readonly cacheKiB: number;
  /** The file may not grow beyond this; writes fail then, and reads go on. */
  readonly maxBytes?: number;
}

const PAGE_BYTES = 4096;
/** A write-ahead log that one large group has made longer is cut back to this. */
const MAX_IDLE_LOG_BYTES = 16 * 1024 * 1024;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

export interface DatabaseFile {
  readonly database: DatabaseSync;
  close(): void;
}

export function openDatabaseFile(options: DatabaseFileOptions): DatabaseFile {
  const { file } = options;
  createPrivate(file);
  const database = new DatabaseSync(file);
  try {
    // SQLite's own lock is the lock: the kernel drops it however the process ends. The note beside it only says who holds it.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec(`PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES}`);
    database.exec(`PRAGMA cache_size = -${options.cacheKiB}`);
    if (options.maxBytes !== undefined) {
      database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(options.maxBytes / PAGE_BYTES))}`);
    }
    database.exec('BEGIN EXCLUSIVE; COMMIT');
  } catch (cause) {
    database.close();
    if (errorCode(cause) === SQLITE_BUSY) throw storeErrors.LOCKED({ file, holder: readHolder(file) }, { cause });
    if (isDamage(cause)) throw storeErrors.DAMAGED({ file }, { cause });
    throw storeErrors.OPEN({ file }, { cause });
  }
  writeFileSync(holderFile(file), String(process.pid), { mode: 0o600 });
  return {
    database,
    close: () => {
      rmSync(holderFile(file), { force: true });
      database.close();
    },
  };
}

/** SQLite gives the write-ahead log the mode of the file itself. */
function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600));
  } catch (cause) {
    throw storeErrors.OPEN({ file }, { cause });
  }
}

function holderFile(file: string): string {
  return `${file}.pid`;
}

function readHolder(file: string): string {
  try {
    return readFileSync(holderFile(file), 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** SQLite cannot make sense of the file: broken, cut short, or no database at all. */
export function isDamage(error: unknown): boolean {
  const code = errorCode(error);
  // The lower byte is the kind, the rest says more.
  return code !== undefined && [SQLITE_CORRUPT, SQLITE_NOTADB].includes(code & 0xff);
}

function errorCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined;
}
