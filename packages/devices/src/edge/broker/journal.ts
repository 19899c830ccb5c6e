/** What the broker must not forget, in SQLite: all that is written in one turn of the event loop is one transaction and one fsync. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { StoredPacket } from './stored-packet.ts';

/** One change; the journal makes them last in the order in which they were given. */
export type Entry =
  | { readonly do: 'retain'; readonly topic: string; readonly packet: StoredPacket | undefined }
  | { readonly do: 'subscribe'; readonly client: string; readonly topic: string; readonly subscription: object }
  | { readonly do: 'unsubscribe'; readonly client: string; readonly topic: string }
  | { readonly do: 'own'; readonly client: string; readonly user: string | undefined }
  | { readonly do: 'enqueue'; readonly client: string; readonly at: number; readonly packet: StoredPacket }
  | { readonly do: 'dequeue'; readonly client: string; readonly at: number }
  | { readonly do: 'receive'; readonly client: string; readonly id: number; readonly packet: StoredPacket }
  | { readonly do: 'release'; readonly client: string; readonly id: number }
  | { readonly do: 'release all'; readonly client: string }
  | { readonly do: 'will'; readonly client: string; readonly packet: StoredPacket | undefined };

/** What stood in the journal when it was opened. */
export interface Recovered {
  readonly retained: readonly { readonly topic: string; readonly packet: StoredPacket }[];
  readonly subscriptions: readonly { readonly client: string; readonly topic: string; readonly subscription: object }[];
  readonly owners: readonly { readonly client: string; readonly user: string }[];
  readonly queued: readonly { readonly client: string; readonly at: number; readonly packet: StoredPacket }[];
  readonly received: readonly { readonly client: string; readonly id: number; readonly packet: StoredPacket }[];
  readonly wills: readonly { readonly client: string; readonly packet: StoredPacket }[];
}

export interface Journal {
  recover(): Recovered;
  /** Invariant: what this resolves for is on disk; it rejects when it is not, and then nothing more can be written. */
  write(entries: readonly Entry[]): Promise<void>;
  /** Resolves once everything that was written before is on disk; undefined when it is already. */
  settled(): Promise<void> | undefined;
  /** Resolves once the disk has refused something. */
  readonly failed: Promise<Error>;
  close(): void;
}

const TABLES = [
  `CREATE TABLE IF NOT EXISTS retained (topic TEXT PRIMARY KEY, head TEXT NOT NULL, payload BLOB) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS subscriptions (client TEXT, topic TEXT, subscription TEXT NOT NULL, PRIMARY KEY (client, topic)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS owners (client TEXT PRIMARY KEY, user TEXT NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS queued (client TEXT, at INTEGER, head TEXT NOT NULL, payload BLOB, PRIMARY KEY (client, at)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS received (client TEXT, id INTEGER, head TEXT NOT NULL, payload BLOB, PRIMARY KEY (client, id)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS wills (client TEXT PRIMARY KEY, head TEXT NOT NULL, payload BLOB) WITHOUT ROWID`,
];

/** `:memory:` forgets with the process. */
export function openJournal(file: string): Journal {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL`);
  db.exec(`PRAGMA synchronous = FULL`);
  for (const table of TABLES) db.exec(table);
  return new SqliteJournal(db);
}

class SqliteJournal implements Journal {
  readonly #db: DatabaseSync;
  readonly #apply: (entry: Entry) => void;
  #pending: Entry[] = [];
  #turn: PromiseWithResolvers<void> | undefined;
  readonly #failed = Promise.withResolvers<Error>();
  #failure: Error | undefined;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#apply = statements(db);
  }

  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  recover(): Recovered {
    const all = (table: string) => this.#db.prepare(table).all();
    return {
      retained: all(`SELECT topic, head, payload FROM retained ORDER BY topic`).map((row) => ({
        topic: String(row['topic']),
        packet: packetFrom(row),
      })),
      subscriptions: all(`SELECT client, topic, subscription FROM subscriptions`).map((row) => ({
        client: String(row['client']),
        topic: String(row['topic']),
        subscription: JSON.parse(String(row['subscription'])) as object,
      })),
      owners: all(`SELECT client, user FROM owners`).map((row) => ({
        client: String(row['client']),
        user: String(row['user']),
      })),
      queued: all(`SELECT client, at, head, payload FROM queued ORDER BY client, at`).map((row) => ({
        client: String(row['client']),
        at: Number(row['at']),
        packet: packetFrom(row),
      })),
      received: all(`SELECT client, id, head, payload FROM received`).map((row) => ({
        client: String(row['client']),
        id: Number(row['id']),
        packet: packetFrom(row),
      })),
      wills: all(`SELECT client, head, payload FROM wills`).map((row) => ({
        client: String(row['client']),
        packet: packetFrom(row),
      })),
    };
  }

  write(entries: readonly Entry[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (entries.length === 0) return Promise.resolve();
    this.#pending.push(...entries);
    return this.#scheduled();
  }

  settled(): Promise<void> | undefined {
    return this.#turn?.promise;
  }

  close(): void {
    this.#commit();
    this.#db.close();
  }

  #scheduled(): Promise<void> {
    if (this.#turn !== undefined) return this.#turn.promise;
    const turn = Promise.withResolvers<void>();
    // Whoever waits hears of a failure; nobody has to.
    turn.promise.catch(() => {});
    this.#turn = turn;
    setImmediate(() => this.#commit());
    return turn.promise;
  }

  #commit(): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    const entries = this.#pending;
    this.#pending = [];
    this.#turn = undefined;
    try {
      this.#db.exec('BEGIN');
      for (const entry of entries) this.#apply(entry);
      this.#db.exec('COMMIT');
      turn.resolve();
    } catch (cause) {
      // Memory is ahead of the disk now: only a new start brings them together.
      this.#failure = new Error('messages are not kept: the disk refuses them', { cause });
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#failed.resolve(this.#failure);
      turn.reject(this.#failure);
    }
  }
}

type Row = Readonly<Record<string, unknown>>;

function packetFrom({ head, payload }: Row): StoredPacket {
  const packet = JSON.parse(String(head)) as StoredPacket;
  if (payload === null) return packet;
  return { ...packet, payload: Buffer.from(payload as Uint8Array) };
}

/** A payload that is text stays in the head. */
function columns(packet: StoredPacket): [string, SQLInputValue] {
  const { payload, ...head } = packet;
  return typeof payload === 'object' ? [JSON.stringify(head), payload] : [JSON.stringify(packet), null];
}

function statements(db: DatabaseSync): (entry: Entry) => void {
  const retain = db.prepare(`INSERT OR REPLACE INTO retained (topic, head, payload) VALUES (?, ?, ?)`);
  const forget = db.prepare(`DELETE FROM retained WHERE topic = ?`);
  const subscribe = db.prepare(`INSERT OR REPLACE INTO subscriptions (client, topic, subscription) VALUES (?, ?, ?)`);
  const unsubscribe = db.prepare(`DELETE FROM subscriptions WHERE client = ? AND topic = ?`);
  const own = db.prepare(`INSERT OR REPLACE INTO owners (client, user) VALUES (?, ?)`);
  const disown = db.prepare(`DELETE FROM owners WHERE client = ?`);
  const enqueue = db.prepare(`INSERT OR REPLACE INTO queued (client, at, head, payload) VALUES (?, ?, ?, ?)`);
  const dequeue = db.prepare(`DELETE FROM queued WHERE client = ? AND at = ?`);
  const receive = db.prepare(`INSERT OR REPLACE INTO received (client, id, head, payload) VALUES (?, ?, ?, ?)`);
  const release = db.prepare(`DELETE FROM received WHERE client = ? AND id = ?`);
  const releaseAll = db.prepare(`DELETE FROM received WHERE client = ?`);
  const will = db.prepare(`INSERT OR REPLACE INTO wills (client, head, payload) VALUES (?, ?, ?)`);
  const revoke = db.prepare(`DELETE FROM wills WHERE client = ?`);
  return (entry) => {
    switch (entry.do) {
      case 'retain':
        if (entry.packet === undefined) forget.run(entry.topic);
        else retain.run(entry.topic, ...columns(entry.packet));
        return;
      case 'subscribe':
        subscribe.run(entry.client, entry.topic, JSON.stringify(entry.subscription));
        return;
      case 'unsubscribe':
        unsubscribe.run(entry.client, entry.topic);
        return;
      case 'own':
        if (entry.user === undefined) disown.run(entry.client);
        else own.run(entry.client, entry.user);
        return;
      case 'enqueue':
        enqueue.run(entry.client, entry.at, ...columns(entry.packet));
        return;
      case 'dequeue':
        dequeue.run(entry.client, entry.at);
        return;
      case 'receive':
        receive.run(entry.client, entry.id, ...columns(entry.packet));
        return;
      case 'release':
        release.run(entry.client, entry.id);
        return;
      case 'release all':
        releaseAll.run(entry.client);
        return;
      case 'will':
        if (entry.packet === undefined) revoke.run(entry.client);
        else will.run(entry.client, ...columns(entry.packet));
        return;
    }
  };
}
