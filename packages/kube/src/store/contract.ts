/** The versioned store below the API server: current objects, and every version since compaction. Keys and bytes; no kinds. */

/** `GROUP/RESOURCE/NAMESPACE/NAME`, each part possibly empty; the one place that builds and splits them is `key.ts`. */
export type StoreKey = string;

/** Revisions grow by one a write and are never reused; as text they are `metadata.resourceVersion`. */
export type Revision = number;

export interface StoredObject {
  readonly key: StoreKey;
  /** The revision of the write that made this version. */
  readonly revision: Revision;
  /** The JSON served to clients, without `metadata.resourceVersion`, which is `revision`. */
  readonly json: string;
}

export interface ListOptions {
  /** Read as of this revision; throws StatusError Expired when it was compacted. Absent: now. */
  readonly revision?: Revision;
  /** Start after this key. */
  readonly after?: StoreKey;
  readonly limit?: number;
}

export interface ListResult {
  readonly items: readonly StoredObject[];
  /** The revision that the list shows. */
  readonly revision: Revision;
  /** How many more there are after the last item; 0 when the list is complete. */
  readonly remaining: number;
}

export type Change =
  | { readonly type: 'put'; readonly object: StoredObject; readonly previous?: StoredObject }
  | { readonly type: 'delete'; readonly key: StoreKey; readonly revision: Revision; readonly previous: StoredObject };

export interface WriteOptions {
  /** The version the write is based on; 0 means the key must not exist; absent means whatever is there. */
  readonly ifRevision?: Revision;
}

export interface Subscription extends Disposable {
  /** Every change up to here has been delivered, so that a client may resume from it; absent where that is not known. */
  readonly position?: Revision;
  close(): void;
}

export interface Store {
  readonly revision: Revision;
  /** The oldest revision whose successors are still in the log. */
  readonly compactedRevision: Revision;
  /** Identifies this history; a restored backup gets a new one, so that replicas notice. */
  readonly epoch: string;

  get(key: StoreKey): StoredObject | undefined;
  list(prefix: string, options?: ListOptions): ListResult;
  count(prefix: string): number;

  /**
   * Checks and applies in memory-visible order, resolves once the group commit that holds it is on disk.
   * Rejects with Conflict (ifRevision differs), AlreadyExists (ifRevision 0) or NotFound (delete of nothing).
   * `json` may be a function of the new revision.
   */
  put(key: StoreKey, json: string, options?: WriteOptions): Promise<StoredObject>;
  delete(
    key: StoreKey,
    options?: WriteOptions,
  ): Promise<{ readonly revision: Revision; readonly previous: StoredObject }>;

  /**
   * Reads see a write at once, so that the next write of the same turn builds on it; it may still fail to reach the disk.
   * Resolves when all that is visible now is on disk; undefined when it is already. Await it before showing a read to anybody.
   */
  durable?(): Promise<void> | undefined;

  /**
   * Delivers each committed change under `prefix` with a revision above `from`, in order, without gap or repeat, synchronously at commit.
   * What is in the log already comes in portions in the turns after this one. All subscribers of one prefix get the same array.
   * Throws StatusError Expired when `from` was compacted.
   */
  subscribe(prefix: string, from: Revision, onChange: (changes: readonly Change[]) => void): Subscription;

  compact(keepRevisions: number): void;
  /** An online, consistent copy of the whole file. */
  backupTo(file: string): Promise<void>;
  close(): Promise<void>;
}
