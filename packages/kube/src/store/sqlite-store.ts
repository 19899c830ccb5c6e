/** The store on one SQLite file: current objects in memory, every version in the log, one commit a turn of the event loop. */
import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Clock, Logger } from '@skerry/base';
import { backUp } from './backup.ts';
import type {
  Change,
  ListOptions,
  ListResult,
  Revision,
  Store,
  StoredObject,
  StoreKey,
  Subscription,
  WriteOptions,
} from './contract.ts';
import { type DatabaseFile, isDamage, openDatabaseFile } from './database-file.ts';
import { storeErrors } from './errors.ts';
import { alreadyExists, conflict, expired, notFound, tooNew } from './failures.ts';
import { IdleCheckpoint } from './idle-checkpoint.ts';
import { rangeAfter, rangeOfPrefix } from './key-range.ts';
import { FORMAT, LogTable, SCHEMA } from './log-table.ts';
import { DEFAULT_RETENTION, Retention, type RetentionPolicy } from './retention.ts';
import { listAt } from './snapshot.ts';
import { SortedObjects } from './sorted-objects.ts';
import { Subscribers } from './subscribers.ts';

export interface StoreOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly retention?: Partial<RetentionPolicy>;
  /** Prefixes of which only the newest version is kept: objects that change all the time and that nobody reads the history of. */
  readonly coalesce?: readonly string[];
  readonly cacheKiB?: number;
  /** Bound of the file; a write beyond it fails as on a full disk. */
  readonly maxBytes?: number;
  /** Tables of the owner's in the same file; see `SqliteStore.alongside`. */
  readonly schema?: string;
}

/** Work in a transaction. It must not throw for anything but a failing database: it takes the turn's writes with it. */
export type DatabaseWork = (database: DatabaseSync) => void;

export interface SqliteWriteOptions extends WriteOptions {
  /** Done in the transaction of this write, and only if its precondition holds. */
  readonly alongside?: DatabaseWork;
}

/** A store whose owner may keep tables of his own in the same file and the same transactions. */
export interface SqliteStore extends Store {
  readonly database: DatabaseSync;
  put(key: StoreKey, json: string, options?: SqliteWriteOptions): Promise<StoredObject>;
  delete(
    key: StoreKey,
    options?: SqliteWriteOptions,
  ): Promise<{ readonly revision: Revision; readonly previous: StoredObject }>;
  /** Runs `work` in the transaction of this turn's commit, together with all writes of the turn; resolves when it is on disk. */
  alongside(work: DatabaseWork): Promise<void>;
  durable(): Promise<void> | undefined;
  /** Reads the whole file; gives what is wrong with it, in SQLite's words. */
  findDamage(): string[];
}

const DEFAULT_COALESCED = ['coordination.k8s.io/leases/'];
const DEFAULT_CACHE_KIB = 8 * 1024;

/** Each commit compacts at least so many revisions when they are due, and twice as many as it adds. */
const MIN_COMPACTION_STEP = 64;

/** An explicit compaction goes in transactions of this many revisions. */
const COMPACTION_STEP = 2_000;

/** Opens or creates the file. Throws STORE_LOCKED with the holder's pid when another process has it. */
export function openStore(options: StoreOptions): SqliteStore {
  const file = openDatabaseFile({
    file: options.file,
    cacheKiB: options.cacheKiB ?? DEFAULT_CACHE_KIB,
    ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
  });
  try {
    return new FileStore(file, options);
  } catch (cause) {
    file.close();
    if (isDamage(cause)) throw storeErrors.DAMAGED({ file: options.file }, { cause });
    throw cause;
  }
}

/** A write that is visible in memory and not yet on disk. */
interface PendingWrite {
  readonly change: Change;
  readonly isCoalesced: boolean;
}

class FileStore implements SqliteStore {
  readonly epoch: string;
  readonly #file: DatabaseFile;
  readonly #options: StoreOptions;
  readonly #table: LogTable;
  readonly #objects: SortedObjects;
  readonly #subscribers: Subscribers;
  readonly #retention: Retention;
  readonly #checkpoint: IdleCheckpoint;
  readonly #coalesced: readonly string[];
  /** The newest revision given out; those above `#committed` are not on disk yet. */
  #revision: Revision;
  #committed: Revision;
  #compacted: Revision;
  /** Where the policy says the log may be compacted to. */
  #floor: Revision = 0;
  #pending: PendingWrite[] = [];
  #work: DatabaseWork[] = [];
  #group: PromiseWithResolvers<void> | undefined;
  #isPublishing = false;
  #isClosed = false;

  constructor(file: DatabaseFile, options: StoreOptions) {
    this.#file = file;
    this.#options = options;
    this.#coalesced = options.coalesce ?? DEFAULT_COALESCED;
    prepareFile(file.database, options);
    this.#table = new LogTable(file.database);
    this.epoch = this.#table.meta('epoch') ?? '';
    this.#compacted = Number(this.#table.meta('compacted'));
    this.#committed = Math.max(this.#table.lastRevision(), this.#compacted);
    this.#revision = this.#committed;
    this.#objects = SortedObjects.fromSorted(this.#table.current());
    this.#checkpoint = new IdleCheckpoint({ database: file.database, clock: options.clock, log: options.log });
    this.#retention = new Retention({ ...DEFAULT_RETENTION, ...options.retention });
    this.#retention.note(this.#revision, this.#revision - this.#compacted, options.clock.monotonic());
    this.#subscribers = new Subscribers({
      log: options.log,
      readLog: (from, to, range) => this.#table.changes(from, to, range),
      committed: () => this.#committed,
    });
  }

  get database(): DatabaseSync {
    return this.#file.database;
  }

  get revision(): Revision {
    return this.#revision;
  }

  get compactedRevision(): Revision {
    return this.#compacted;
  }

  get(key: StoreKey): StoredObject | undefined {
    return this.#objects.get(key);
  }

  count(prefix: string): number {
    const { from, to } = rangeOfPrefix(prefix);
    return this.#objects.count(from, to);
  }

  list(prefix: string, options: ListOptions = {}): ListResult {
    const { revision = this.#revision, after, limit = Number.POSITIVE_INFINITY } = options;
    if (revision < this.#compacted) throw expired(revision, this.#compacted);
    if (revision > this.#revision) throw tooNew(revision, this.#revision);
    const range = rangeAfter(rangeOfPrefix(prefix), after);
    if (revision < this.#revision) return listAt(this.#snapshotSource(), { revision, range, limit });
    const items = this.#objects.slice(range.from, range.to, limit);
    return { items, revision, remaining: this.#objects.count(range.from, range.to) - items.length };
  }

  async put(key: StoreKey, json: string, options: SqliteWriteOptions = {}): Promise<StoredObject> {
    const previous = this.#expect(key, options);
    const object: StoredObject = { key, revision: ++this.#revision, json };
    this.#objects.set(object);
    const change: Change = previous === undefined ? { type: 'put', object } : { type: 'put', object, previous };
    await this.#enqueue(change, options.alongside);
    return object;
  }

  async delete(
    key: StoreKey,
    options: SqliteWriteOptions = {},
  ): Promise<{ readonly revision: Revision; readonly previous: StoredObject }> {
    const previous = this.#expect(key, options);
    if (previous === undefined) throw notFound(key);
    const revision = ++this.#revision;
    this.#objects.delete(key);
    await this.#enqueue({ type: 'delete', key, revision, previous }, options.alongside);
    return { revision, previous };
  }

  alongside(work: DatabaseWork): Promise<void> {
    if (this.#isClosed) return Promise.reject(storeErrors.CLOSED());
    this.#work.push(work);
    return this.#joinGroup();
  }

  durable(): Promise<void> | undefined {
    return this.#group?.promise;
  }

  subscribe(prefix: string, from: Revision, onChange: (changes: readonly Change[]) => void): Subscription {
    if (this.#isClosed) throw storeErrors.CLOSED();
    if (from < this.#compacted) throw expired(from, this.#compacted);
    return this.#subscribers.add(prefix, from, onChange);
  }

  compact(keepRevisions: number): void {
    this.#flush();
    this.#floor = Math.max(this.#floor, this.#committed - keepRevisions);
    const due = () => Math.min(this.#floor, this.#subscribers.oldestPosition());
    while (this.#compacted < due()) {
      this.#transaction(() => this.#compactTo(Math.min(due(), this.#compacted + COMPACTION_STEP)));
    }
  }

  backupTo(file: string): Promise<void> {
    if (this.#isClosed) return Promise.reject(storeErrors.CLOSED());
    this.#flush();
    return backUp(file, this.#objects.slice('', undefined, Number.POSITIVE_INFINITY), this.#committed);
  }

  findDamage(): string[] {
    const rows = this.#file.database.prepare('PRAGMA integrity_check').all();
    return rows.map((row) => String(row['integrity_check'])).filter((finding) => finding !== 'ok');
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#flush();
    this.#isClosed = true;
    this.#group?.reject(storeErrors.CLOSED());
    this.#group = undefined;
    this.#subscribers.closeAll();
    this.#checkpoint.close();
    this.#file.close();
  }

  /** The object a write replaces, once its precondition holds. */
  #expect(key: StoreKey, { ifRevision }: WriteOptions): StoredObject | undefined {
    if (this.#isClosed) throw storeErrors.CLOSED();
    const current = this.#objects.get(key);
    if (ifRevision === undefined || ifRevision === (current?.revision ?? 0)) return current;
    throw ifRevision === 0 ? alreadyExists(key) : conflict(key);
  }

  #enqueue(change: Change, work: DatabaseWork | undefined): Promise<void> {
    const key = change.type === 'put' ? change.object.key : change.key;
    this.#pending.push({ change, isCoalesced: this.#coalesced.some((prefix) => key.startsWith(prefix)) });
    if (work !== undefined) this.#work.push(work);
    return this.#joinGroup();
  }

  // The check phase comes right after all input of this turn was handled, so whoever is ready shares one fsync and nobody waits.
  #joinGroup(): Promise<void> {
    if (this.#group === undefined) {
      this.#group = Promise.withResolvers<void>();
      setImmediate(() => this.#flush());
    }
    return this.#group.promise;
  }

  /** Commits what is pending, then tells the writers and the subscribers. */
  #flush(): void {
    const group = this.#group;
    // A subscriber may compact or back up: what is pending then waits its turn, so that all hear of commits in order.
    if (group === undefined || this.#isPublishing) return;
    const pending = this.#pending;
    const work = this.#work;
    this.#group = undefined;
    this.#pending = [];
    this.#work = [];
    try {
      this.#transaction(() => this.#writeGroup(pending, work));
    } catch (cause) {
      this.#undo(pending);
      this.#options.log.error({ writes: pending.length, error: cause }, 'store commit failed');
      group.reject(storeErrors.COMMIT({ writes: pending.length }, { cause }));
      return;
    }
    this.#checkpoint.onCommit();
    const last = pending.at(-1);
    if (last !== undefined) this.#committed = revisionOfChange(last.change);
    group.resolve();
    if (last === undefined) return;
    this.#isPublishing = true;
    this.#subscribers.publish(pending.map(({ change }) => change));
    this.#isPublishing = false;
  }

  #writeGroup(pending: readonly PendingWrite[], work: readonly DatabaseWork[]): void {
    let counted = 0;
    for (const { change, isCoalesced } of pending) {
      this.#appendChange(change, isCoalesced);
      if (!isCoalesced) counted++;
    }
    for (const run of work) run(this.#file.database);
    if (pending.length === 0) return;
    const now = this.#options.clock.monotonic();
    this.#retention.note(this.#revision, counted, now);
    this.#floor = Math.max(this.#floor, this.#retention.floor(now));
    const step = Math.max(MIN_COMPACTION_STEP, 2 * pending.length);
    const to = Math.min(this.#floor, this.#subscribers.oldestPosition(), this.#compacted + step);
    if (to > this.#compacted) this.#compactTo(to);
  }

  #appendChange(change: Change, isCoalesced: boolean): void {
    const previous = change.previous?.revision ?? 0;
    if (change.type === 'put') this.#table.append({ ...change.object, previous });
    else this.#table.append({ key: change.key, revision: change.revision, previous, json: undefined });
    if (isCoalesced && previous > 0) this.#table.forget(previous);
  }

  #compactTo(revision: Revision): void {
    this.#table.compact(this.#compacted, revision);
    this.#table.setMeta('compacted', revision);
    this.#compacted = revision;
  }

  #transaction(work: () => void): void {
    const compacted = this.#compacted;
    this.#file.database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#file.database.exec('COMMIT');
    } catch (error) {
      this.#compacted = compacted;
      if (this.#file.database.isTransaction) this.#file.database.exec('ROLLBACK');
      throw error;
    }
  }

  // Newest first, so that each key ends with what it was before the group. Its revisions are not given out again.
  #undo(pending: readonly PendingWrite[]): void {
    for (const { change } of pending.toReversed()) {
      if (change.previous !== undefined) this.#objects.set(change.previous);
      else if (change.type === 'put') this.#objects.delete(change.object.key);
    }
  }

  #snapshotSource() {
    return { table: this.#table, objects: this.#objects, pending: this.#pending.map(({ change }) => change) };
  }
}

function revisionOfChange(change: Change): Revision {
  return change.type === 'put' ? change.object.revision : change.revision;
}

function prepareFile(database: DatabaseSync, options: StoreOptions): void {
  database.exec(SCHEMA);
  if (options.schema !== undefined) database.exec(options.schema);
  const table = new LogTable(database);
  const found = table.meta('format');
  if (found === undefined) {
    database.exec('BEGIN IMMEDIATE');
    table.setMeta('format', FORMAT);
    table.setMeta('epoch', randomUUID());
    table.setMeta('compacted', 0);
    database.exec('COMMIT');
  } else if (found !== String(FORMAT)) {
    throw storeErrors.FORMAT({ file: options.file, found, expected: FORMAT });
  }
}
