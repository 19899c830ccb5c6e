/** The cloud's side of state sync: finds out what a node lacks, sends it, then sends what changes. Keeps nothing for absent nodes. */
import type { Sealer } from '@skerry/api';
import { sealedStore } from '../server/sealed-store.ts';
import type { Store, StoredObject, StoreKey } from '../store/contract.ts';
import type { Concerns } from './concerns.ts';
import type { HeldState, StateChange, StateFeed, StateOutput } from './contract.ts';
import { type Digest, digestOf, isSameDigest, withoutPair, withPair } from './digest.ts';
import type { IncludedEntries } from './included.ts';
import { isFed } from './links.ts';
import { decodePosition, encodePosition, type Position } from './position.ts';
import { RecentlyHeld } from './recently-held.ts';

export interface StateFeedOptions {
  readonly store: Store;
  readonly concerns: Concerns;
  /** Opens Secrets: they travel in the clear inside the link's TLS, and are sealed again at the edge. */
  readonly sealer?: Sealer;
  /** Shared with the sink, so that a node knows when the state includes what it wrote. */
  readonly included: IncludedEntries;
  /** Changes in one batch; tests make it small. */
  readonly batchChanges?: number;
}

/** A batch is sent when it has so many changes or so many bytes. */
const BATCH_CHANGES = 128;
const BATCH_BYTES = 128 * 1024;

/** What nodes held when they left, for so many of them. It saves a list of versions; without it nothing is lost. */
const REMEMBERED_NODES = 2_000;

export function createStateFeed({ sealer, ...options }: StateFeedOptions): StateFeed {
  const opened = sealer === undefined ? options.store : sealedStore(options.store, sealer);
  const source: Source = { ...options, jsonOf: ({ key, json }) => opened.get(key)?.json ?? json };
  const recent = new RecentlyHeld(REMEMBERED_NODES);
  return async (node, held, output, signal) => {
    const session = new FeedSession(source, node, recent);
    try {
      await session.run(held, output, signal);
    } finally {
      session.close();
    }
  };
}

interface Source extends Omit<StateFeedOptions, 'sealer'> {
  /** In the clear, for the version that is current. */
  readonly jsonOf: (object: StoredObject) => string;
}

class FeedSession {
  readonly #source: Source;
  readonly #node: string;
  readonly #recent: RecentlyHeld;
  /** Keys to look at; bounded by the keys that concern the node. */
  readonly #touched = new Set<StoreKey>();
  readonly #unfollow: readonly (() => void)[];
  readonly #encoder = new TextEncoder();
  #wake: () => void = () => {};
  /** What the node holds once all that was sent has arrived. */
  #held = new Map<StoreKey, string>();
  #digest: Digest = digestOf([]);
  #included: number | undefined;
  /** What of that the node was told. */
  #told = 0;

  constructor(source: Source, node: string, recent: RecentlyHeld) {
    this.#source = source;
    this.#node = node;
    this.#recent = recent;
    const onTouch = (key: StoreKey) => {
      this.#touched.add(key);
      this.#wake();
    };
    this.#unfollow = [source.concerns.follow(node, onTouch), source.included.follow(node, () => this.#wake())];
  }

  async run(held: HeldState, output: StateOutput, signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    await this.#begin(held);
    let isCurrent = false;
    while (!signal.aborted) {
      const included = this.#source.included.of(this.#node);
      // What those writes met may not be published yet: the deletion that made one void, for example.
      await this.#source.store.durable?.();
      const { changes, position } = this.#takeBatch(included);
      // A read may see a write that is not on disk yet; the node must never hold a version that a crash takes back.
      await this.#source.store.durable?.();
      if (signal.aborted) return;
      if (changes.length > 0 || (isCurrent && this.#hasNews)) await output.send(changes, position);
      else if (!isCurrent) await output.current(position);
      isCurrent ||= changes.length === 0;
      this.#told = Math.max(this.#told, this.#included ?? 0);
      if (isCurrent) await this.#nextTouch(signal);
    }
  }

  /** The node can let go of a write of its own. */
  get #hasNews(): boolean {
    return (this.#included ?? 0) > this.#told && this.#source.included.lastSeen(this.#node) > this.#told;
  }

  close(): void {
    for (const unfollow of this.#unfollow) unfollow();
    this.#recent.keep(this.#node, { versions: this.#held, digest: this.#digest });
  }

  /** Finds out what the node holds, the cheapest way that is certain, and touches what differs. */
  async #begin(held: HeldState): Promise<void> {
    const isNew = held.position.length === 0;
    if (isNew) this.#source.included.reset(this.#node);
    else this.#held = this.#guess(decodePosition(held.position)) ?? new Map(await held.versions());
    this.#digest = digestOf(this.#held);
    for (const key of this.#held.keys()) this.#touched.add(key);
    for (const key of this.#source.concerns.keysOf(this.#node)) this.#touched.add(key);
  }

  /** Sets that the node may hold; its digest tells whether it does. */
  #guess(position: Position | undefined): Map<StoreKey, string> | undefined {
    const { store } = this.#source;
    if (position === undefined || !position.isWhole || position.epoch !== store.epoch) return undefined;
    const isIt = (versions: Map<StoreKey, string>) => isSameDigest(digestOf(versions), position.digest);
    const now = this.#concerning((key) => store.get(key));
    if (isIt(now)) return now;
    const remembered = this.#recent.take(this.#node, position.digest);
    if (remembered !== undefined) return remembered;
    const { revision } = position;
    if (revision < store.compactedRevision || revision > store.revision) return undefined;
    const then = this.#concerning((key) => versionAt(store, key, revision));
    return isIt(then) ? then : undefined;
  }

  #concerning(read: (key: StoreKey) => StoredObject | undefined): Map<StoreKey, string> {
    const versions = new Map<StoreKey, string>();
    for (const key of this.#source.concerns.keysOf(this.#node)) {
      const object = isFed(key) ? read(key) : undefined;
      if (object !== undefined) versions.set(key, String(object.revision));
    }
    return versions;
  }

  #takeBatch(included: number | undefined): { readonly changes: StateChange[]; readonly position: Uint8Array } {
    const changes: StateChange[] = [];
    let bytes = 0;
    for (const key of this.#touched) {
      if (changes.length >= (this.#source.batchChanges ?? BATCH_CHANGES) || bytes >= BATCH_BYTES) break;
      this.#touched.delete(key);
      const change = this.#difference(key);
      if (change === undefined) continue;
      changes.push(change);
      bytes += 'bytes' in change ? change.bytes.length : key.length;
    }
    // Whatever was published before this batch drained the set is in what the node holds now.
    if (this.#touched.size === 0) this.#included = included;
    return { changes, position: this.#position() };
  }

  /** What to send for `key`; afterwards the node counts as holding it. */
  #difference(key: StoreKey): StateChange | undefined {
    const { store, concerns, jsonOf } = this.#source;
    const object = isFed(key) && concerns.concerns(this.#node, key) ? store.get(key) : undefined;
    const before = this.#held.get(key);
    const version = object === undefined ? undefined : String(object.revision);
    if (version === before) return undefined;
    if (before !== undefined) this.#digest = withoutPair(this.#digest, key, before);
    if (object === undefined || version === undefined) {
      this.#held.delete(key);
      return { key, deleted: true };
    }
    this.#held.set(key, version);
    this.#digest = withPair(this.#digest, key, version);
    return { key, version, bytes: this.#encoder.encode(withoutManagedFields(jsonOf(object))) };
  }

  #position(): Uint8Array {
    return encodePosition({
      epoch: this.#source.store.epoch,
      revision: this.#source.concerns.revision,
      digest: this.#digest,
      isWhole: this.#touched.size === 0,
      included: this.#included,
    });
  }

  async #nextTouch(signal: AbortSignal): Promise<void> {
    const isIdle = () => this.#touched.size === 0 && this.#source.included.lastSeen(this.#node) <= this.#told;
    if (signal.aborted) return;
    if (isIdle()) {
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      await woken.promise;
      this.#wake = () => {};
    }
    // What is written together is published, and so sent, together. What came from the node itself goes with the news of that.
    if (this.#source.included.isUnderWay(this.#node)) await new Promise(setImmediate);
  }
}

function versionAt(store: Store, key: StoreKey, revision: number): StoredObject | undefined {
  const now = store.get(key);
  if (now !== undefined && now.revision <= revision) return now;
  const [then] = store.list(key, { revision, limit: 1 }).items;
  return then?.key === key ? then : undefined;
}

const MANAGED_FIELDS = '"managedFields":';

/** Who owns which field matters where the fields are written, which is here; it can be half of an object. */
function withoutManagedFields(json: string): string {
  if (!json.includes(MANAGED_FIELDS)) return json;
  const object = JSON.parse(json) as { metadata?: { managedFields?: unknown } };
  delete object.metadata?.managedFields;
  return JSON.stringify(object);
}
