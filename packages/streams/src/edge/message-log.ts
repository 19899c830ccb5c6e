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
  /** The reader reads these streams only; without any it is gone for good. Of others, nothing is kept for it. */
  retain(reader: string, streams: ReadonlySet<string>): void;
  /** Messages that were dropped because too many waited, or too large ones. */
  dropped(stream: string): number;
  close(): void;
}

/** Of one stream, for readers that are away; the oldest go first. */
export interface MessageBounds {
  readonly messages: number;
  /** Of topics and bodies. */
  readonly bytes: number;
}

const BOUNDS: MessageBounds = { messages: 1_000_000, bytes: 512 * 1024 * 1024 };

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS messages (
    stream TEXT NOT NULL, number INTEGER NOT NULL, topic TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, number)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS readers (
    stream TEXT NOT NULL, reader TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (stream, reader)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS numbers (stream TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

export function openMessageLog(file: string, bounds: MessageBounds = BOUNDS): MessageLog {
  return new DiskLog(file, bounds);
}

interface Pending {
  readonly stream: string;
  readonly topic: string;
  readonly body: string;
  readonly done: PromiseWithResolvers<number>;
}

class DiskLog implements MessageLog {
  readonly #database: DatabaseSync;
  readonly #bounds: MessageBounds;
  readonly #put: StatementSync;
  readonly #after: StatementSync;
  readonly #number: StatementSync;
  readonly #setNumber: StatementSync;
  readonly #reader: StatementSync;
  readonly #setReader: StatementSync;
  readonly #streamsOf: StatementSync;
  readonly #forgetReader: StatementSync;
  readonly #needed: StatementSync;
  readonly #sizeUpTo: StatementSync;
  readonly #sizes: StatementSync;
  readonly #removeUpTo: StatementSync;
  /** By stream: what it has on disk. */
  readonly #bytes = new Map<string, number>();
  readonly #dropped = new Map<string, number>();
  #pending: Pending[] = [];

  constructor(file: string, bounds: MessageBounds) {
    this.#bounds = bounds;
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
    this.#streamsOf = database.prepare('SELECT stream FROM readers WHERE reader = ?');
    this.#forgetReader = database.prepare('DELETE FROM readers WHERE stream = ? AND reader = ?');
    this.#needed = database.prepare('SELECT min(number) AS number FROM readers WHERE stream = ?');
    this.#sizeUpTo = database.prepare(
      'SELECT sum(octet_length(topic) + octet_length(body)) AS size FROM messages WHERE stream = ? AND number <= ?',
    );
    this.#sizes = database.prepare(
      'SELECT number, octet_length(topic) + octet_length(body) AS size FROM messages WHERE stream = ? ORDER BY number',
    );
    this.#removeUpTo = database.prepare('DELETE FROM messages WHERE stream = ? AND number <= ?');
    const held = database.prepare(
      'SELECT stream, sum(octet_length(topic) + octet_length(body)) AS size FROM messages GROUP BY stream',
    );
    for (const { stream, size } of held.iterate()) this.#bytes.set(String(stream), Number(size));
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
    this.#removeRead(stream);
  }

  retain(reader: string, streams: ReadonlySet<string>): void {
    for (const row of this.#streamsOf.all(reader)) {
      const stream = String(row['stream']);
      if (streams.has(stream)) continue;
      this.#forgetReader.run(stream, reader);
      this.#removeRead(stream);
    }
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
      for (const stream of new Set(pending.map((each) => each.stream))) this.#dropSurplus(stream);
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
      for (const [stream, number] of last) this.#setNumber.run(stream, number);
      this.#database.exec('COMMIT');
      for (const { stream, topic, body } of pending)
        this.#bytes.set(stream, this.#bytesOf(stream) + Buffer.byteLength(topic) + Buffer.byteLength(body));
      return numbers;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** What every reader has safe; all where there is none. */
  #removeRead(stream: string): void {
    const needed = this.#needed.get(stream)?.['number'];
    this.#remove(stream, typeof needed === 'number' ? needed : this.last(stream));
  }

  #dropSurplus(stream: string): void {
    const end = Math.max(this.last(stream) - this.#bounds.messages, this.#lastToDrop(stream));
    const lost = this.#remove(stream, end);
    if (lost > 0) this.#dropped.set(stream, this.dropped(stream) + lost);
  }

  /** 0 while there are not too many bytes. */
  #lastToDrop(stream: string): number {
    let surplus = this.#bytesOf(stream) - this.#bounds.bytes;
    if (surplus <= 0) return 0;
    for (const { number, size } of this.#sizes.iterate(stream)) {
      surplus -= Number(size);
      if (surplus <= 0) return Number(number);
    }
    return 0;
  }

  #remove(stream: string, end: number): number {
    const size = Number(this.#sizeUpTo.get(stream, end)?.['size'] ?? 0);
    const removed = Number(this.#removeUpTo.run(stream, end).changes);
    this.#bytes.set(stream, this.#bytesOf(stream) - size);
    return removed;
  }

  #bytesOf(stream: string): number {
    return this.#bytes.get(stream) ?? 0;
  }
}
