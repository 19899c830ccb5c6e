/** What the catalogue keeps on disk: series, their last rows, marks, and which generations of the log are sealed. One commit a sealing. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Boxed, Scalar, SeriesId } from '../contract/index.ts';
import type { LastValue } from './catalog.ts';
import { readValue, writeValue } from './codec/boxed.ts';
import { ByteReader, ByteWriter } from './codec/bytes.ts';
import type { Labels, StoredSeries } from './contract.ts';
import { openDatabase } from './database.ts';
import { parseStoredType } from './stored-type.ts';

const SCHEMA = `
  CREATE TABLE series (id INTEGER PRIMARY KEY, type TEXT NOT NULL, labels TEXT NOT NULL) STRICT;
  CREATE TABLE last (series INTEGER PRIMARY KEY, time INTEGER NOT NULL, quality INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
  CREATE TABLE mark (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE sealed (id INTEGER PRIMARY KEY CHECK (id = 0), generation INTEGER NOT NULL) STRICT;
  INSERT INTO sealed (id, generation) VALUES (0, 0);
`;

export interface CatalogChanges {
  readonly series: Iterable<StoredSeries>;
  readonly last: Iterable<readonly [SeriesId, LastValue]>;
  readonly marks: Iterable<readonly [string, Uint8Array]>;
  readonly sealedGeneration: number;
}

export interface CatalogContents extends CatalogChanges {
  readonly series: readonly StoredSeries[];
  readonly last: readonly (readonly [SeriesId, LastValue])[];
  readonly marks: readonly (readonly [string, Uint8Array])[];
}

export class CatalogFile {
  readonly #database: DatabaseSync;
  readonly #addSeries: StatementSync;
  readonly #putLast: StatementSync;
  readonly #putMark: StatementSync;
  readonly #putSealed: StatementSync;
  readonly #removeSeries: StatementSync;
  readonly #removeLast: StatementSync;

  constructor(file: string) {
    const database = openDatabase(file, SCHEMA);
    this.#database = database;
    this.#addSeries = database.prepare('INSERT OR REPLACE INTO series (id, type, labels) VALUES (?, ?, ?)');
    this.#putLast = database.prepare(
      `INSERT INTO last (series, time, quality, value) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET time = excluded.time, quality = excluded.quality, value = excluded.value
       WHERE excluded.time >= last.time`,
    );
    this.#putMark = database.prepare('INSERT OR REPLACE INTO mark (key, value) VALUES (?, ?)');
    this.#putSealed = database.prepare('UPDATE sealed SET generation = ?');
    this.#removeSeries = database.prepare('DELETE FROM series WHERE id = ?');
    this.#removeLast = database.prepare('DELETE FROM last WHERE series = ?');
  }

  /** All of it. Throws where it is damaged. */
  read(): CatalogContents {
    return {
      series: [...this.#series()],
      last: [...this.#last()],
      marks: [...this.#marks()],
      sealedGeneration: this.#sealedGeneration(),
    };
  }

  #sealedGeneration(): number {
    return Number(this.#database.prepare('SELECT generation FROM sealed').get()?.['generation'] ?? 0);
  }

  *#series(): Generator<StoredSeries> {
    for (const { id, type, labels } of this.#database.prepare('SELECT id, type, labels FROM series').iterate()) {
      const parsed = JSON.parse(String(labels)) as Labels;
      yield { id: Number(id), type: parseStoredType(String(type)), labels: parsed };
    }
  }

  *#last(): Generator<readonly [SeriesId, LastValue]> {
    const rows = this.#database.prepare('SELECT series, time, quality, value FROM last').iterate();
    for (const { series, time, quality, value } of rows) {
      if (!(value instanceof Uint8Array)) continue;
      const parsed = readValue(new ByteReader(value)) as Scalar | Boxed;
      yield [Number(series), { time: Number(time), value: parsed, quality: Number(quality) }];
    }
  }

  *#marks(): Generator<readonly [string, Uint8Array]> {
    for (const { key, value } of this.#database.prepare('SELECT key, value FROM mark').iterate()) {
      if (value instanceof Uint8Array) yield [String(key), value];
    }
  }

  /** All of it or nothing. */
  commit(changes: CatalogChanges): void {
    this.#transact(() => {
      for (const { id, type, labels } of changes.series) this.#addSeries.run(id, type, JSON.stringify(labels));
      for (const [id, { time, quality, value }] of changes.last) this.#putLast.run(id, time, quality, bytesOf(value));
      for (const [key, value] of changes.marks) this.#putMark.run(key, value);
      this.#putSealed.run(changes.sealedGeneration);
    });
  }

  forget(ids: Iterable<SeriesId>): void {
    this.#transact(() => {
      for (const id of ids) {
        this.#removeSeries.run(id);
        this.#removeLast.run(id);
      }
    });
  }

  close(): void {
    this.#database.close();
  }

  #transact(write: () => void): void {
    this.#database.exec('BEGIN');
    try {
      write();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

function bytesOf(value: Scalar | Boxed): Uint8Array {
  const writer = new ByteWriter();
  writeValue(writer, value);
  return writer.finish();
}
