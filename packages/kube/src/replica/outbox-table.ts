/** The edge's outbox: a table in the replica's file, and in memory which writes the cloud's state may not include yet. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StoreKey } from '../store/contract.ts';
import type { OutboxEntry } from './contract.ts';
import { decodeEdgeWrite, type EdgeWrite, encodeEdgeWrite, mergeFields, outboxKey } from './edge-write.ts';
import { isFed } from './links.ts';
import type { Unincluded } from './overlay.ts';

export const OUTBOX_SCHEMA = `
  CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY, key TEXT UNIQUE, bytes BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS outbox_state (one INTEGER PRIMARY KEY CHECK (one = 1), acknowledged INTEGER NOT NULL) STRICT;
`;

type Row = readonly [seq: number, key: string | null, bytes: Uint8Array];

export class OutboxTable {
  readonly #insert: StatementSync;
  readonly #deleteKey: StatementSync;
  readonly #deleteSeq: StatementSync;
  readonly #deleteTo: StatementSync;
  readonly #read: StatementSync;
  readonly #count: StatementSync;
  readonly #find: StatementSync;
  readonly #oldestEvent: StatementSync;
  readonly #setAcknowledged: StatementSync;
  readonly #getAcknowledged: StatementSync;
  #lastSeq = 0;
  #acknowledged = 0;
  #size = 0;
  /** By object, then by operation; in the order of their sequence numbers. */
  #unincluded = new Map<StoreKey, Map<string, Unincluded>>();

  constructor(database: DatabaseSync) {
    const prepare = (sql: string): StatementSync => {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#insert = prepare('INSERT INTO outbox (seq, key, bytes) VALUES (?, ?, ?)');
    this.#deleteKey = prepare('DELETE FROM outbox WHERE key = ?');
    this.#deleteSeq = prepare('DELETE FROM outbox WHERE seq = ?');
    this.#deleteTo = prepare('DELETE FROM outbox WHERE seq <= ?');
    this.#read = prepare('SELECT seq, key, bytes FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?');
    this.#find = prepare('SELECT 1 FROM outbox WHERE key = ?');
    this.#count = prepare('SELECT COUNT(*) FROM outbox');
    this.#oldestEvent = prepare(
      "DELETE FROM outbox WHERE seq = (SELECT MIN(seq) FROM outbox WHERE key LIKE 'object /events/%' OR key LIKE 'object events.k8s.io/%')",
    );
    this.#setAcknowledged = prepare('INSERT OR REPLACE INTO outbox_state (one, acknowledged) VALUES (1, ?)');
    this.#getAcknowledged = prepare('SELECT acknowledged FROM outbox_state');
    this.load();
  }

  /** As the file has it: at the start, and after a transaction that failed. */
  load(): void {
    const [acknowledged] = (this.#getAcknowledged.get() as unknown as readonly [number] | undefined) ?? [0];
    this.#acknowledged = acknowledged;
    this.#lastSeq = Math.max(this.#lastSeq, acknowledged);
    this.#size = (this.#count.get() as unknown as readonly [number])[0];
    this.#unincluded = new Map();
    for (const [seq, , bytes] of this.#read.iterate(0, -1) as Iterable<unknown> as Iterable<Row>) {
      this.#lastSeq = Math.max(this.#lastSeq, seq);
      this.#remember({ seq, write: decodeEdgeWrite(bytes), isAcknowledged: false });
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Whether the cloud has not acknowledged a write of this kind yet. */
  has(op: EdgeWrite['op'], key: StoreKey): boolean {
    return this.#find.get(outboxKey(op, key)) !== undefined;
  }

  /** Whether these writes need no more room than there is: they replace entries, or are events, which push out older ones. */
  canReplace(writes: readonly EdgeWrite[]): boolean {
    return writes.every(({ op, key }) => op === 'delete' || isEvent(key) || this.has(op, key));
  }

  /** Makes room by the entry that is missed least, if there is one. */
  dropOldestEvent(): void {
    this.#size -= Number(this.#oldestEvent.run().changes);
  }

  /** Takes the writes on in memory; the caller runs what it gets in the transaction of the local write. */
  append(writes: readonly EdgeWrite[]): () => void {
    const statements = writes.flatMap((write) => this.#append(write));
    return () => {
      for (const run of statements) run();
    };
  }

  read(after: number, limit: number): OutboxEntry[] {
    return (this.#read.all(after, limit) as unknown as Row[]).map(([seq, key, bytes]) =>
      key === null ? { seq, bytes } : { seq, key, bytes },
    );
  }

  /** To be run in a transaction. */
  storeAcknowledged(seq: number): void {
    this.#size -= Number(this.#deleteTo.run(seq).changes);
    this.#setAcknowledged.run(Math.max(seq, this.#acknowledged));
  }

  markAcknowledged(seq: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, seq);
    for (const writes of this.#unincluded.values()) {
      for (const [op, entry] of writes) if (entry.seq <= seq) writes.set(op, { ...entry, isAcknowledged: true });
    }
  }

  unincluded(key: StoreKey): readonly Unincluded[] {
    return [...(this.#unincluded.get(key)?.values() ?? [])].sort((a, b) => a.seq - b.seq);
  }

  /** The cloud's state includes what this node wrote up to `seq`, which need not be acknowledged yet; gives the objects. */
  dropIncluded(seq: number): StoreKey[] {
    return this.#drop((entry) => entry.seq <= seq);
  }

  /** The state that comes from now on includes whatever was acknowledged before. */
  dropAcknowledged(): StoreKey[] {
    return this.#drop(({ isAcknowledged }) => isAcknowledged);
  }

  #drop(isDue: (entry: Unincluded) => boolean): StoreKey[] {
    const keys = new Set<StoreKey>();
    for (const [key, writes] of this.#unincluded) {
      for (const [op, entry] of writes) if (isDue(entry) && writes.delete(op)) keys.add(key);
      if (writes.size === 0) this.#unincluded.delete(key);
    }
    return [...keys];
  }

  /** What was to be said is void. Its row is removed by `remove` in a transaction. */
  forget(key: StoreKey, entry: Unincluded): void {
    const writes = this.#unincluded.get(key);
    writes?.delete(entry.write.op);
    if (writes?.size === 0) this.#unincluded.delete(key);
  }

  remove({ seq }: Unincluded): void {
    this.#size -= Number(this.#deleteSeq.run(seq).changes);
  }

  #append(write: EdgeWrite): (() => void)[] {
    const { key } = write;
    const pending = this.#unincluded.get(key);
    const earlier = pending?.get('fields')?.write;
    const whole =
      write.op === 'fields' && earlier?.op === 'fields'
        ? { ...write, fields: mergeFields(earlier.fields, write.fields) }
        : write;
    // A deletion leaves nothing else to say about the object.
    const replaced: readonly EdgeWrite['op'][] = write.op === 'delete' ? OPERATIONS : [write.op];
    if (write.op === 'delete') pending?.clear();
    const seq = ++this.#lastSeq;
    this.#remember({ seq, write: whole, isAcknowledged: false });
    return [
      () => {
        for (const op of replaced) this.#size -= Number(this.#deleteKey.run(outboxKey(op, key)).changes);
        this.#insert.run(seq, outboxKey(whole.op, key), encodeEdgeWrite(whole));
        this.#size++;
      },
    ];
  }

  /** Only of what comes down again: events and leases are many, and nothing is ever laid over by them. */
  #remember(entry: Unincluded): void {
    const { key, op } = entry.write;
    if (!isFed(key)) return;
    const writes = this.#unincluded.get(key);
    if (writes === undefined) this.#unincluded.set(key, new Map([[op, entry]]));
    else writes.set(op, entry);
  }
}

const OPERATIONS: readonly EdgeWrite['op'][] = ['status', 'fields', 'object', 'delete'];

function isEvent(key: StoreKey): boolean {
  return key.startsWith('/events/') || key.startsWith('events.k8s.io/');
}
