/**
 * The one table that everything is in: each version of each object as one appended row.
 * A row names the revision it replaced, so the current objects are the rows that no other row replaced.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Change, Revision, StoredObject, StoreKey } from './contract.ts';
import type { KeyRange } from './key-range.ts';

export const FORMAT = 1;

// `objects` is for people who look into the file; the server keeps the current objects in memory.
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS log (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, previous INTEGER NOT NULL, json TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE VIEW IF NOT EXISTS objects AS
    SELECT key, revision, json FROM log
    WHERE json IS NOT NULL AND revision NOT IN (SELECT previous FROM log);
`;

/** A write as it goes into the log. A delete has no `json`. */
export interface LogRow {
  readonly revision: Revision;
  readonly key: StoreKey;
  /** The revision that this one replaces; 0 for none. */
  readonly previous: Revision;
  readonly json: string | undefined;
}

type Row = readonly (string | number | null)[];

// Above every key: keys are ASCII.
const NO_END = '\u{10ffff}';

export class LogTable {
  readonly #append: StatementSync;
  readonly #forget: StatementSync;
  readonly #replaced: StatementSync;
  readonly #tombstones: StatementSync;
  readonly #changes: StatementSync;
  readonly #since: StatementSync;
  readonly #version: StatementSync;
  readonly #all: StatementSync;
  readonly #last: StatementSync;
  readonly #getMeta: StatementSync;
  readonly #setMeta: StatementSync;

  constructor(database: DatabaseSync) {
    const prepare = (sql: string): StatementSync => {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#append = prepare('INSERT INTO log (revision, key, previous, json) VALUES (?, ?, ?, ?)');
    this.#forget = prepare('DELETE FROM log WHERE revision = ?');
    this.#replaced = prepare(
      'DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ? AND revision <= ? AND previous > 0)',
    );
    this.#tombstones = prepare('DELETE FROM log WHERE revision > ? AND revision <= ? AND json IS NULL');
    this.#changes = prepare(`
      SELECT l.revision, l.key, l.json, l.previous, p.json FROM log l LEFT JOIN log p ON p.revision = l.previous
      WHERE l.revision > ? AND l.revision <= ? AND l.key >= ? AND l.key < ? ORDER BY l.revision`);
    // SQLite takes the bare columns from the row that holds the minimum (documented, "Bare columns in an aggregate query").
    this.#since = prepare(
      'SELECT key, previous, MIN(revision) FROM log WHERE revision > ? AND key >= ? AND key < ? GROUP BY key ORDER BY key',
    );
    this.#version = prepare('SELECT revision, key, json FROM log WHERE revision = ?');
    this.#all = prepare('SELECT revision, key, json FROM log ORDER BY revision');
    this.#last = prepare('SELECT MAX(revision) FROM log');
    this.#getMeta = prepare('SELECT value FROM meta WHERE name = ?');
    this.#setMeta = prepare(
      'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    );
  }

  append({ revision, key, previous, json }: LogRow): void {
    this.#append.run(revision, key, previous, json ?? null);
  }

  /** Drops one version at once, for keys whose history nobody needs. */
  forget(revision: Revision): void {
    this.#forget.run(revision);
  }

  /**
   * Drops what was replaced or deleted in `(from, to]`.
   * Invariant: a version stays while the write that replaced it is above the compacted revision, so any later revision can be read.
   */
  compact(from: Revision, to: Revision): void {
    this.#replaced.run(from, to);
    this.#tombstones.run(from, to);
  }

  /** What was written under `range` in `(from, to]`, oldest first. */
  changes(from: Revision, to: Revision, range: KeyRange): Change[] {
    return (this.#changes.all(from, to, range.from, range.to ?? NO_END) as unknown as Row[]).map(toChange);
  }

  /** For each key under `range` that was written after `revision`: the version it had then, 0 for none; in key order. */
  versionsAt(revision: Revision, range: KeyRange): Map<StoreKey, Revision> {
    const rows = this.#since.all(revision, range.from, range.to ?? NO_END) as unknown as Row[];
    return new Map(rows.map(([key, previous]) => [key as StoreKey, previous as Revision]));
  }

  version(revision: Revision): StoredObject | undefined {
    const row = this.#version.get(revision) as unknown as Row | undefined;
    return row === undefined || row[2] === null ? undefined : toObject(row);
  }

  /** The current objects, in key order. */
  current(): StoredObject[] {
    const newest = new Map<StoreKey, StoredObject>();
    for (const row of this.#all.iterate() as Iterable<unknown> as Iterable<Row>) {
      if (row[2] === null) newest.delete(row[1] as StoreKey);
      else newest.set(row[1] as StoreKey, toObject(row));
    }
    return [...newest.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  lastRevision(): Revision {
    return ((this.#last.get() as unknown as Row)[0] as Revision | null) ?? 0;
  }

  meta(name: string): string | undefined {
    return (this.#getMeta.get(name) as unknown as Row | undefined)?.[0] as string | undefined;
  }

  setMeta(name: string, value: string | number): void {
    this.#setMeta.run(name, String(value));
  }
}

function toObject([revision, key, json]: Row): StoredObject {
  return { key: key as StoreKey, revision: revision as Revision, json: json as string };
}

function toChange([revision, key, json, previous, previousJson]: Row): Change {
  const at = { key: key as StoreKey, revision: revision as Revision };
  // A coalesced version is gone; the one that replaced it stands in, so that a selector still sees an object that was there before.
  const before = { key: at.key, revision: previous as Revision, json: (previousJson ?? json ?? '{}') as string };
  if (json === null) return { type: 'delete', ...at, previous: before };
  const object = { ...at, json: json as string };
  return previous === 0 ? { type: 'put', object } : { type: 'put', object, previous: before };
}
