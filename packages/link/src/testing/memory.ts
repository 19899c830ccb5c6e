/** A cloud's feed, an edge's replica and its outbox in memory: for tests and benchmarks. */
import type {
  HeldState,
  OutboxEntry,
  OutboxSource,
  Position,
  StateChange,
  StateFeed,
  StateOutput,
  StateReplica,
} from '../contract.ts';
import { ByteReader, ByteWriter } from '../core/bytes.ts';

/** How many changes the feed hands over at a time. */
const FEED_BATCH = 500;

interface Version {
  readonly revision: number;
  readonly bytes: Uint8Array | undefined;
}

/** The same objects for every node. A position is a revision. */
export class MemoryFeed {
  revision = 0;
  /** A position below this cannot be continued from. */
  compactedTo = 0;
  readonly objects = new Map<string, Version>();
  readonly #changed = new Set<() => void>();

  put(key: string, bytes: Uint8Array): void {
    this.#set(key, bytes);
  }

  delete(key: string): void {
    this.#set(key, undefined);
  }

  readonly feed: StateFeed = async (_node, held, output, signal) => {
    let from = await this.#start(held, output);
    let isCurrent = false;
    while (!signal.aborted) {
      const changes = this.#since(from);
      if (changes.length > 0) {
        for (let at = 0; at < changes.length; at += FEED_BATCH) {
          const part = changes.slice(at, at + FEED_BATCH);
          from = part.at(-1)?.[1].revision ?? from;
          await output.send(part.map(toChange), toPosition(from));
        }
      } else {
        if (!isCurrent) await output.current(toPosition(this.revision));
        isCurrent = true;
        await this.#change(signal);
      }
    }
  };

  async #start(held: HeldState, output: StateOutput): Promise<number> {
    const from = fromPosition(held.position);
    if (from >= this.compactedTo && from <= this.revision) return from;
    const upTo = this.revision;
    const versions = await held.versions();
    const gone = [...versions.keys()].filter((key) => this.objects.get(key)?.bytes === undefined);
    const different = [...this.objects].filter(
      ([key, { bytes, revision }]) => bytes !== undefined && versions.get(key) !== String(revision),
    );
    const changes = [...gone.map((key): StateChange => ({ key, deleted: true })), ...different.map(toChange)];
    await output.send(changes, toPosition(upTo));
    return upTo;
  }

  #since(revision: number): [string, Version][] {
    if (revision === this.revision) return [];
    const changed = [...this.objects].filter(([, version]) => version.revision > revision);
    return changed.sort(([, one], [, other]) => one.revision - other.revision);
  }

  #set(key: string, bytes: Uint8Array | undefined): void {
    this.objects.set(key, { revision: ++this.revision, bytes });
    for (const wake of this.#changed) wake();
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#changed.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#changed.add(wake);
      signal.addEventListener('abort', wake);
      if (signal.aborted) wake();
    });
  }
}

export class MemoryReplica implements StateReplica {
  readonly objects = new Map<string, { readonly version: string; readonly bytes: Uint8Array }>();
  currents = 0;
  applies = 0;
  #position: Position = new Uint8Array(0);
  readonly #waiting = new Set<{ readonly isMet: () => boolean; readonly resolve: () => void }>();

  position(): Position {
    return this.#position;
  }

  *versions(): Iterable<readonly [string, string]> {
    for (const [key, { version }] of this.objects) yield [key, version];
  }

  async apply(changes: readonly StateChange[], position: Position): Promise<void> {
    this.applies++;
    for (const change of changes) {
      if ('deleted' in change) this.objects.delete(change.key);
      else this.objects.set(change.key, { version: change.version, bytes: change.bytes.slice() });
    }
    this.#position = position;
    this.#wake();
  }

  onCurrent(): void {
    this.currents++;
    this.#wake();
  }

  /** Resolves once `isMet` holds after a change here. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add({ isMet, resolve }));
  }

  #wake(): void {
    for (const waiter of this.#waiting) {
      if (!waiter.isMet()) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }
}

export class MemoryOutbox implements OutboxSource {
  entries: OutboxEntry[] = [];
  #seq = 0;
  readonly #listeners = new Set<() => void>();

  append(bytes: Uint8Array, key?: string): void {
    const seq = ++this.#seq;
    this.entries.push(key === undefined ? { seq, bytes } : { seq, key, bytes });
    for (const listener of this.#listeners) listener();
  }

  read(after: number, limit: number): readonly OutboxEntry[] {
    const start = this.entries.findIndex(({ seq }) => seq > after);
    return start < 0 ? [] : this.entries.slice(start, start + limit);
  }

  acknowledge(seq: number): void {
    this.entries = this.entries.filter((entry) => entry.seq > seq);
  }

  onAppend(callback: () => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }
}

function toChange([key, { revision, bytes }]: readonly [string, Version]): StateChange {
  return bytes === undefined ? { key, deleted: true } : { key, version: String(revision), bytes };
}

function toPosition(revision: number): Position {
  return new ByteWriter(8).varint(revision).finish().slice();
}

function fromPosition(position: Position): number {
  return position.length === 0 ? 0 : new ByteReader(position).varint();
}
