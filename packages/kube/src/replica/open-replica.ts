/** The edge's copy of what concerns it, the writes made there, and what the cloud has not heard yet: one file, one transaction. */
import type { KubeObject, ResourceRow, Sealer } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import { sealedStore } from '../server/sealed-store.ts';
import type { Store, StoreKey } from '../store/contract.ts';
import { parseKey } from '../store/key.ts';
import { openStore, type SqliteStore } from '../store/sqlite-store.ts';
import type { OutboxSource, StateChange, StateReplica } from './contract.ts';
import { HELD_SCHEMA, HeldTable } from './held-table.ts';
import { OUTBOX_SCHEMA, OutboxTable } from './outbox-table.ts';
import { isAbout, overlay, type Unincluded } from './overlay.ts';
import { asPartial, decodePosition } from './position.ts';
import { MAX_OUTBOX_ENTRIES, ReplicaStore } from './replica-store.ts';

export interface ReplicaOptions {
  readonly file: string;
  readonly node: string;
  /** The kinds that the local API serves; read again at each use. */
  readonly rows: () => Iterable<ResourceRow>;
  /** Seals Secrets in the file; the local API server opens them with the same one. */
  readonly sealer?: Sealer;
  /** Entries that may wait for the cloud; beyond it old events make room, and without any a write is refused. */
  readonly maxOutboxEntries?: number;
  /** The state is level with the cloud's, for the first time in this session. */
  readonly onCurrent?: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Replica {
  /** What the local API server serves. Writes that are the cloud's to make are refused with 503. */
  readonly store: Store;
  readonly state: StateReplica;
  readonly outbox: OutboxSource;
  /** For the link's session number; durable like the rest. */
  readonly sessionNumbers: { load(): number; store(sessionNumber: number): Promise<void> };
  /** How many entries wait for the cloud. */
  outboxSize(): number;
  close(): Promise<void>;
}

/** A change as it came; without an object a deletion. */
interface Arrival {
  readonly key: StoreKey;
  readonly version?: string;
  readonly object?: KubeObject;
}

// A node's site has little memory, and the history of its objects is only for watches that resume.
const CACHE_KIB = 512;
const RETENTION = { minWrites: 500, maxWrites: 5_000, maxAgeMs: 60_000 };

export function openReplica(options: ReplicaOptions): Replica {
  const inner = openStore({
    file: options.file,
    clock: options.clock,
    log: options.log,
    retention: RETENTION,
    cacheKiB: CACHE_KIB,
    schema: HELD_SCHEMA + OUTBOX_SCHEMA,
  });
  return new FileReplica(inner, options);
}

class FileReplica implements Replica, StateReplica, OutboxSource {
  readonly store: Store;
  readonly sessionNumbers: Replica['sessionNumbers'];
  readonly #inner: SqliteStore;
  /** The same store with its Secrets in the clear. */
  readonly #opened: Store;
  readonly #options: ReplicaOptions;
  readonly #held: HeldTable;
  readonly #outbox: OutboxTable;
  readonly #listeners = new Set<() => void>();
  /** Objects that the edge need no longer show with its own writes, once the state is level with the cloud's. */
  readonly #unveiled = new Set<StoreKey>();
  readonly #decoder = new TextDecoder();

  constructor(inner: SqliteStore, options: ReplicaOptions) {
    this.#inner = inner;
    this.#opened = options.sealer === undefined ? inner : sealedStore(inner, options.sealer);
    this.#options = options;
    this.#held = new HeldTable(inner.database);
    this.#outbox = new OutboxTable(inner.database);
    this.store = new ReplicaStore({
      node: options.node,
      inner,
      outbox: this.#outbox,
      held: this.#held,
      maxOutboxEntries: options.maxOutboxEntries ?? MAX_OUTBOX_ENTRIES,
      rowOf: (key) => rowOf(options.rows(), key),
      onAppend: () => {
        for (const listener of this.#listeners) listener();
      },
    });
    for (const key of this.#held.shadowedKeys()) this.#unveiled.add(key);
    this.sessionNumbers = {
      load: () => this.#held.sessionNumber(),
      store: (sessionNumber) => inner.alongside(() => this.#held.setSessionNumber(sessionNumber)),
    };
  }

  get state(): StateReplica {
    return this;
  }

  get outbox(): OutboxSource {
    return this;
  }

  outboxSize(): number {
    return this.#outbox.size;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** The link asks at the start of a session: all state of that session is newer than what was acknowledged before it. */
  position(): Uint8Array {
    for (const key of this.#outbox.dropAcknowledged()) this.#unveiled.add(key);
    return this.#held.position();
  }

  versions(): Iterable<readonly [key: string, version: string]> {
    return this.#held.versions();
  }

  async apply(changes: readonly StateChange[], position: Uint8Array): Promise<void> {
    // All of it is read before any of it is done.
    const arrivals = changes.map((change) => this.#read(change));
    const included = this.#outbox.dropIncluded(decodePosition(position)?.included ?? 0);
    await this.#together((work) => {
      const writes = arrivals.map((arrival) => this.#applyArrival(arrival, work));
      // Invariant: a position that includes a write of this node's comes with, or after, the object as that write left it.
      const arrived = new Set(arrivals.map(({ key }) => key));
      for (const key of included) if (!arrived.has(key)) writes.push(this.#unveil(key, work));
      work.push(() => this.#held.setPosition(this.#positionAfter(changes, position)));
      return writes;
    });
  }

  onCurrent(): void {
    const keys = [...this.#unveiled];
    this.#unveiled.clear();
    this.#together((work) => keys.map((key) => this.#unveil(key, work))).catch((error: unknown) =>
      this.#options.log.error({ error: messageOf(error) }, 'state of the cloud is not shown'),
    );
    this.#options.onCurrent?.();
  }

  read(after: number, limit: number) {
    return this.#outbox.read(after, limit);
  }

  acknowledge(seq: number): void {
    this.#inner
      .alongside(() => this.#outbox.storeAcknowledged(seq))
      .then(
        () => this.#outbox.markAcknowledged(seq),
        // It will be sent again, which is harmless.
        (error: unknown) => this.#options.log.error({ seq, error: messageOf(error) }, 'acknowledgement is not stored'),
      );
  }

  onAppend(callback: () => void): () => void {
    this.#listeners.add(callback);
    return () => {
      this.#listeners.delete(callback);
    };
  }

  /** The link cuts large batches, and gives the position before them with all pieces but the last. */
  #positionAfter(changes: readonly StateChange[], position: Uint8Array): Uint8Array {
    const held = this.#held.position();
    const isHeld = (other: Uint8Array) => Buffer.compare(other, held) === 0;
    const partial = asPartial(position);
    return changes.length > 0 && (isHeld(position) || isHeld(partial)) ? partial : position;
  }

  #read(change: StateChange): Arrival {
    if ('deleted' in change) return { key: change.key };
    const object = JSON.parse(this.#decoder.decode(change.bytes)) as KubeObject;
    delete object.metadata.resourceVersion;
    return { key: change.key, version: change.version, object };
  }

  /** Runs `start` and what it leaves in `work` in one commit: nothing waits between the first write and the last. */
  async #together(start: (work: (() => void)[]) => readonly Promise<void>[]): Promise<void> {
    const work: (() => void)[] = [];
    const writes = start(work);
    const stored = this.#inner.alongside(() => {
      for (const run of work) run();
    });
    try {
      await Promise.all([...writes, stored]);
    } catch (error) {
      this.#outbox.load();
      throw error;
    }
  }

  async #applyArrival({ key, version, object }: Arrival, work: (() => void)[]): Promise<void> {
    this.#unveiled.delete(key);
    if (object === undefined || version === undefined) {
      work.push(() => this.#held.delete(key));
      this.#discard(key, () => true, work);
      if (this.#inner.get(key) !== undefined) await this.#inner.delete(key);
      return;
    }
    this.#discard(key, ({ write }) => !isAbout(write, object), work);
    const shown = overlay(object, this.#outbox.unincluded(key));
    const shadow = shown === object ? undefined : JSON.stringify(object);
    work.push(() => this.#held.set(key, version, shadow));
    await this.#keep(key, shown);
  }

  /** Shows the object as the cloud has it, with what this node has written since. */
  async #unveil(key: StoreKey, work: (() => void)[]): Promise<void> {
    const shadow = this.#held.shadow(key);
    if (shadow === undefined) return;
    const object = JSON.parse(shadow) as KubeObject;
    const shown = overlay(object, this.#outbox.unincluded(key));
    if (shown === object) work.push(() => this.#held.clearShadow(key));
    await this.#keep(key, shown);
  }

  async #keep(key: StoreKey, object: KubeObject | undefined): Promise<void> {
    const before = this.#opened.get(key);
    if (object === undefined) {
      if (before !== undefined) await this.#inner.delete(key);
      return;
    }
    const json = JSON.stringify(object);
    // Mostly the echo of what this node wrote itself: nobody here needs to hear of it.
    if (before?.json !== json) await this.#opened.put(key, json);
  }

  /** An object that is gone takes along what the edge still wanted to say about it, save for what the edge makes itself. */
  #discard(key: StoreKey, isVoid: (entry: Unincluded) => boolean, work: (() => void)[]): void {
    for (const entry of this.#outbox.unincluded(key)) {
      if (entry.write.op === 'object' || !isVoid(entry)) continue;
      this.#outbox.forget(key, entry);
      work.push(() => this.#outbox.remove(entry));
    }
  }
}

function rowOf(rows: Iterable<ResourceRow>, key: StoreKey): ResourceRow | undefined {
  const { group, resource } = parseKey(key);
  for (const row of rows) if (row.gvr.resource === resource && row.gvr.group === group) return row;
  return undefined;
}
