/** The database of the road's queues: its tables and what is asked of them. */
import { renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type Clock, type Logger, messageOf } from '@skerry/base';

interface SoundOptions {
  readonly clock: Clock;
  readonly log: Logger;
}

/** A file that is no database any more is put aside: what it held is lost, and what comes is not. */
export function openSound(file: string, { clock, log }: SoundOptions): DatabaseSync {
  try {
    return open(file);
  } catch (error) {
    if (!isDamage(error)) throw error;
    const aside = `${file}.damaged-${clock.now()}`;
    log.error({ file, aside, error: messageOf(error) }, 'the queues of the road cannot be read; they are put aside');
    renameSync(file, aside);
    return open(file);
  }
}

/** SQLITE_CORRUPT and SQLITE_NOTADB: whatever else is wrong may pass. */
const DAMAGE: readonly unknown[] = [11, 26];

function isDamage(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && DAMAGE.includes(error.errcode);
}

function open(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  try {
    db.exec(`PRAGMA auto_vacuum = INCREMENTAL`);
    db.exec(`PRAGMA journal_mode = WAL`);
    db.exec(`PRAGMA synchronous = FULL`);
    db.exec(`CREATE TABLE IF NOT EXISTS queue (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      token BLOB NOT NULL,
      settings TEXT NOT NULL,
      counts TEXT NOT NULL
    )`);
    db.exec(`CREATE TABLE IF NOT EXISTS block (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      queue INTEGER NOT NULL,
      at REAL NOT NULL,
      ran_at REAL NOT NULL DEFAULT 0,
      rows INTEGER NOT NULL,
      size INTEGER NOT NULL,
      bytes BLOB NOT NULL
    )`);
    if (!db.prepare(`SELECT 1 FROM pragma_table_info('block') WHERE name = 'ran_at'`).get())
      db.exec(`ALTER TABLE block ADD COLUMN ran_at REAL NOT NULL DEFAULT 0`);
    db.exec(`CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)`);
    db.exec(`CREATE TABLE IF NOT EXISTS origin (
      queue INTEGER,
      name TEXT,
      position BLOB NOT NULL,
      PRIMARY KEY (queue, name)
    ) WITHOUT ROWID`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** All that is asked of it. */
export function prepare(db: DatabaseSync) {
  return {
    last: db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'block'`),
    queues: db.prepare(`SELECT id, name, token, settings, counts FROM queue ORDER BY id`),
    blocks: db.prepare(`SELECT number, queue, at, ran_at, rows, size FROM block ORDER BY number`),
    allSeries: db.prepare(`SELECT id, name FROM series`),
    addQueue: db.prepare(`INSERT INTO queue (name, token, settings, counts) VALUES (?, ?, ?, ?)`),
    removeQueue: db.prepare(`DELETE FROM queue WHERE id = ?`),
    removeOrigins: db.prepare(`DELETE FROM origin WHERE queue = ?`),
    removeBlocks: db.prepare('DELETE FROM block WHERE queue = ?'),
    setSettings: db.prepare(`UPDATE queue SET settings = ? WHERE id = ?`),
    setToken: db.prepare(`UPDATE queue SET token = ? WHERE id = ?`),
    setCounts: db.prepare(`UPDATE queue SET counts = ? WHERE id = ?`),
    put: db.prepare(
      `INSERT OR REPLACE INTO block (number, queue, at, ran_at, rows, size, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    read: db.prepare(`SELECT bytes FROM block WHERE number = ?`),
    remove: db.prepare(`DELETE FROM block WHERE number = ?`),
    addSeries: db.prepare(`INSERT INTO series (id, name) VALUES (?, ?)`),
    series: db.prepare(`SELECT name FROM series WHERE id = ?`),
    origin: db.prepare(`SELECT position FROM origin WHERE queue = ? AND name = ?`),
    setOrigin: db.prepare(`INSERT OR REPLACE INTO origin (queue, name, position) VALUES (?, ?, ?)`),
    free: db.prepare(`PRAGMA freelist_count`),
  };
}
