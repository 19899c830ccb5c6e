/** The replica as a store: reads and watches are the file's, writes also say what the cloud must be told of them. */
import { type KubeObject, type ResourceRow, StatusError } from '@skerry/api';
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
} from '../store/contract.ts';
import { parseKey } from '../store/key.ts';
import type { SqliteStore } from '../store/sqlite-store.ts';
import { type EdgePlan, type EdgeWrite, planEdgeWrite } from './edge-write.ts';
import type { HeldTable } from './held-table.ts';
import type { OutboxTable } from './outbox-table.ts';

export interface ReplicaStoreOptions {
  readonly node: string;
  readonly inner: SqliteStore;
  readonly outbox: OutboxTable;
  readonly held: HeldTable;
  readonly rowOf: (key: StoreKey) => ResourceRow | undefined;
  readonly maxOutboxEntries: number;
  /** Called after entries reached the disk. */
  readonly onAppend: () => void;
}

/** Entries that may wait for the cloud. Beyond it old events make room, and without any the write is refused. */
export const MAX_OUTBOX_ENTRIES = 50_000;

/** Objects of one kind that the edge made and keeps, such as events; the oldest go first once the cloud has them. */
export const MAX_OWN_OBJECTS = 1_000;
const PRUNED_AT_ONCE = 100;

export class ReplicaStore implements Store {
  readonly #options: ReplicaStoreOptions;
  readonly #inner: SqliteStore;

  constructor(options: ReplicaStoreOptions) {
    this.#options = options;
    this.#inner = options.inner;
  }

  get revision(): Revision {
    return this.#inner.revision;
  }

  get compactedRevision(): Revision {
    return this.#inner.compactedRevision;
  }

  get epoch(): string {
    return this.#inner.epoch;
  }

  get(key: StoreKey): StoredObject | undefined {
    return this.#inner.get(key);
  }

  list(prefix: string, options?: ListOptions): ListResult {
    return this.#inner.list(prefix, options);
  }

  count(prefix: string): number {
    return this.#inner.count(prefix);
  }

  async put(key: StoreKey, json: string, options: WriteOptions = {}): Promise<StoredObject> {
    const before = this.#inner.get(key);
    // A precondition that fails is told before anything else.
    if (isStale(before, options)) return this.#inner.put(key, json, options);
    const after = JSON.parse(json) as KubeObject;
    const { writes, keep } = this.#plan(key, before, after);
    const alongside = this.#append(writes, before);
    const kept = keep === after ? json : JSON.stringify(keep);
    const stored = await this.#tell(writes, this.#inner.put(key, kept, { ...options, alongside }));
    if (before === undefined) await this.#prune(key);
    return stored;
  }

  async delete(
    key: StoreKey,
    options: WriteOptions = {},
  ): Promise<{ readonly revision: Revision; readonly previous: StoredObject }> {
    const before = this.#inner.get(key);
    if (before === undefined || isStale(before, options)) return this.#inner.delete(key, options);
    const { writes } = this.#plan(key, before, undefined);
    const alongside = this.#append(writes, before);
    return this.#tell(writes, this.#inner.delete(key, { ...options, alongside }));
  }

  durable(): Promise<void> | undefined {
    return this.#inner.durable();
  }

  subscribe(prefix: string, from: Revision, onChange: (changes: readonly Change[]) => void): Subscription {
    return this.#inner.subscribe(prefix, from, onChange);
  }

  compact(keepRevisions: number): void {
    this.#inner.compact(keepRevisions);
  }

  backupTo(file: string): Promise<void> {
    return this.#inner.backupTo(file);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #plan(key: StoreKey, before: StoredObject | undefined, after: KubeObject | undefined): EdgePlan {
    const { node, outbox, rowOf, maxOutboxEntries } = this.#options;
    const row = rowOf(key);
    if (row === undefined) throw new StatusError(503, 'ServiceUnavailable', `no resource of this node: ${key}`);
    const plan = planEdgeWrite({
      node,
      row,
      key,
      before: before === undefined ? undefined : (JSON.parse(before.json) as KubeObject),
      after,
    });
    const isFull = outbox.size >= maxOutboxEntries;
    if (isFull && !outbox.canReplace(plan.writes)) {
      throw new StatusError(503, 'ServiceUnavailable', 'too much waits for the cloud already', {
        retryAfterSeconds: 60,
      });
    }
    return plan;
  }

  #append(writes: readonly EdgeWrite[], before: StoredObject | undefined): () => void {
    const { outbox, held, maxOutboxEntries } = this.#options;
    const store = outbox.append(writes);
    return () => {
      store();
      if (before !== undefined && writes.length > 0) held.castShadow(before.key, before.json);
      if (outbox.size > maxOutboxEntries) outbox.dropOldestEvent();
    };
  }

  async #tell<T>(writes: readonly EdgeWrite[], write: Promise<T>): Promise<T> {
    try {
      const result = await write;
      if (writes.length > 0) this.#options.onAppend();
      return result;
    } catch (error) {
      this.#options.outbox.load();
      throw error;
    }
  }

  /** Own objects are for looking back at this place; the cloud keeps them. */
  async #prune(key: StoreKey): Promise<void> {
    const { rowOf, outbox } = this.#options;
    if (rowOf(key)?.origin !== 'edge') return;
    const { group, resource } = parseKey(key);
    const prefix = `${group}/${resource}/`;
    if (this.#inner.count(prefix) < MAX_OWN_OBJECTS + PRUNED_AT_ONCE) return;
    const oldest = this.#inner
      .list(prefix)
      .items.filter((object) => !outbox.has('object', object.key))
      .sort((a, b) => a.revision - b.revision)
      .slice(0, PRUNED_AT_ONCE);
    await Promise.all(oldest.map((object) => this.#inner.delete(object.key)));
  }
}

function isStale(before: StoredObject | undefined, { ifRevision }: WriteOptions): boolean {
  return ifRevision !== undefined && ifRevision !== (before?.revision ?? 0);
}
