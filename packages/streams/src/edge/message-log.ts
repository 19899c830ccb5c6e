/**
 * Messages that were promised to be kept: on disk before their sender hears so, until every rule that reads them has them in a
 * checkpoint. So a source that cannot go back becomes one that can.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

export interface LoggedMessage {
  /** Grows with each message of a stream. */
  readonly number: number;
  readonly topic: string;
  readonly body: string;
}

export interface MessageLog {
  /** Resolves to its number when it is on disk. All that come in one turn of the event loop are one write. */
  append(stream: string, topic: string, body: string): Promise<number>;
  /** What came after a number, the oldest first. */
  read(stream: string, after: number, limit: number): readonly LoggedMessage[];
  /** The number of the newest message. */
  last(stream: string): number;
  /** From now on, what comes is kept for the reader; with what it has, as far as that is known. */
  join(stream: string, reader: string): number;
  /** The reader needs nothing up to this number any more, whatever happens. */
  confirm(stream: string, reader: string, number: number): void;
  /** The reader is gone for good. */
  forget(reader: string): void;
  /** Messages that were dropped because too many waited. */
  dropped(stream: string): number;
  close(): void;
}

/** Of one stream, for readers that are away; the oldest go first. */
const MAX_MESSAGES = 1_000_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS messages (
    stream TEXT NOT NULL, number INTEGER NOT NULL, topic TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, number)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS readers (
    stream TEXT NOT NULL, reader TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (stream, reader)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS numbers (stream TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

export function openMessageLog(file: string): MessageLog {
  return new DiskLog(file);
}

interface Pending {
  readonly stream: string;
  readonly topic: string;
  readonly body: string;
  readonly done: PromiseWithResolvers<number>;
}

class DiskLog implements MessageLog {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #after: StatementSync;
  readonly #number: StatementSync;
  readonly #setNumber: StatementSync;
  readonly #reader: StatementSync;
  readonly #setReader: StatementSync;
  readonly #forgetReader: StatementSync;
  readonly #trim: StatementSync;
  readonly #trimOld: StatementSync;
  readonly #dropped = new Map<string, number>();
  #pending: Pending[] = [];

  constructor(file: string) {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
    const database = new DatabaseSync(file);
    this.#database = database;
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec(SCHEMA);
    this.#put = database.prepare('INSERT INTO messages (stream, number, topic, body) VALUES (?, ?, ?, ?)');
    this.#after = database.prepare(
      'SELECT number, topic, body FROM messages WHERE stream = ? AND number > ? ORDER BY number LIMIT ?',
    );
    this.#number = database.prepare('SELECT number FROM numbers WHERE stream = ?');
    this.#setNumber = database.prepare('INSERT OR REPLACE INTO numbers (stream, number) VALUES (?, ?)');
    this.#reader = database.prepare('SELECT number FROM readers WHERE stream = ? AND reader = ?');
    this.#setReader = database.prepare('INSERT OR REPLACE INTO readers (stream, reader, number) VALUES (?, ?, ?)');
    this.#forgetReader = database.prepare('DELETE FROM readers WHERE reader = ?');
    this.#trim = database.prepare(
      'DELETE FROM messages WHERE stream = ?1 AND number <= coalesce((SELECT min(number) FROM readers WHERE stream = ?1), number)',
    );
    this.#trimOld = database.prepare('DELETE FROM messages WHERE stream = ? AND number <= ?');
  }

  append(stream: string, topic: string, body: string): Promise<number> {
    const done = Promise.withResolvers<number>();
    this.#pending.push({ stream, topic, body, done });
    if (this.#pending.length === 1) setImmediate(() => this.#write());
    return done.promise;
  }

  read(stream: string, after: number, limit: number): readonly LoggedMessage[] {
    return this.#after.all(stream, after, limit) as unknown as readonly LoggedMessage[];
  }

  last(stream: string): number {
    return (this.#number.get(stream) as { readonly number: number } | undefined)?.number ?? 0;
  }

  join(stream: string, reader: string): number {
    const known = this.#reader.get(stream, reader) as { readonly number: number } | undefined;
    if (known !== undefined) return known.number;
    const last = this.last(stream);
    this.#setReader.run(stream, reader, last);
    return last;
  }

  confirm(stream: string, reader: string, number: number): void {
    this.#setReader.run(stream, reader, number);
    this.#trim.run(stream);
  }

  forget(reader: string): void {
    this.#forgetReader.run(reader);
  }

  dropped(stream: string): number {
    return this.#dropped.get(stream) ?? 0;
  }

  close(): void {
    this.#write();
    this.#database.close();
  }

  #write(): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    try {
      const numbers = this.#writeAll(pending);
      for (const [at, { done }] of pending.entries()) done.resolve(numbers[at] ?? 0);
    } catch (error) {
      for (const { done } of pending) done.reject(error);
    }
  }

  #writeAll(pending: readonly Pending[]): readonly number[] {
    const last = new Map<string, number>();
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const numbers = pending.map(({ stream, topic, body }) => {
        const number = (last.get(stream) ?? this.last(stream)) + 1;
        last.set(stream, number);
        this.#put.run(stream, number, topic, body);
        return number;
      });
      for (const [stream, number] of last) {
        this.#setNumber.run(stream, number);
        const lost = Number(this.#trimOld.run(stream, number - MAX_MESSAGES).changes);
        if (lost > 0) this.#dropped.set(stream, this.dropped(stream) + lost);
      }
      this.#database.exec('COMMIT');
      return numbers;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}
