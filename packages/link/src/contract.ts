/** What the link asks of those who use it. Keys, versions and bytes are opaque here; which objects, is the replica's business. */

/** A change of state on its way down. */
export type StateChange =
  | { readonly key: string; readonly version: string; readonly bytes: Uint8Array }
  | { readonly key: string; readonly deleted: true };

/**
 * How far a replica is: opaque to the link, given out by the feed, stored by the replica with the changes it belongs to.
 * Small (under 200 bytes), so that a node that comes back with nothing changed costs next to nothing.
 */
export type Position = Uint8Array;

/** The edge's durable copy. */
export interface StateReplica {
  /** As last applied; empty when there is none. */
  position(): Position;
  /** Key and version of all that is held; read only when the feed asks for it. */
  versions(): Iterable<readonly [key: string, version: string]>;
  /** Stores changes and position in one transaction; resolves once they are on disk. Applying twice is harmless. */
  apply(changes: readonly StateChange[], position: Position): Promise<void>;
  /** The feed has sent all there was at the session's start. */
  onCurrent(): void;
}

/** What the hub knows of the edge's copy at a session's start. */
export interface HeldState {
  readonly position: Position;
  /** Asks the edge for every key and version it holds: for a position the feed cannot continue from. */
  versions(): Promise<ReadonlyMap<string, string>>;
}

/** Where a feed sends. `send` resolves when the link has room for more: back-pressure is the feed's. */
export interface StateOutput {
  send(changes: readonly StateChange[], position: Position): Promise<void>;
  /** Says once that the replica is level with the cloud. */
  current(position: Position): Promise<void>;
}

/** The cloud's side of state sync; one call a session. Runs until `signal` aborts. */
export type StateFeed = (node: string, held: HeldState, output: StateOutput, signal: AbortSignal) => Promise<void>;

/** An entry on its way up. `seq` grows by one a node and is never reused. */
export interface OutboxEntry {
  readonly seq: number;
  /** Entries with a key are state: a later one replaces an earlier one that was not sent yet. Without: each one counts. */
  readonly key?: string;
  readonly bytes: Uint8Array;
}

/** The edge's durable queue of what must reach the cloud. */
export interface OutboxSource {
  /** Up to `limit` entries with a sequence number above `after`, in order. */
  read(after: number, limit: number): readonly OutboxEntry[];
  /** Everything up to and including `seq` is stored in the cloud. */
  acknowledge(seq: number): void;
  /** Calls back after each append; the returned function unsubscribes. */
  onAppend(callback: () => void): () => void;
}

/** The cloud's side of the outbox. Resolves once every entry's effect is on disk; must be harmless when called twice. */
export type OutboxSink = (node: string, entries: readonly OutboxEntry[]) => Promise<void>;

/** A full-duplex stream of messages over the link, with credit both ways. Same shape as the API server's node streams. */
export interface LinkStream {
  send(message: Uint8Array): Promise<void>;
  readonly incoming: AsyncIterable<Uint8Array>;
  end(): void;
  abort(reason: string): void;
  readonly closed: Promise<void>;
  /** The answering side says that it takes the stream. Sending, reading and ending say so too; call it when the first bytes may be long in coming. */
  accept?(): void;
}

/**
 * Answers a stream that the other side opened. `header` is what the opener said. A rejection before the stream was taken
 * refuses it with the error's message as text (the opener's promise rejects with LINK_STREAM_REFUSED and `facts.text`);
 * a later one aborts it with that text. The stream is ended and closed when the promise resolves.
 */
export type StreamHandler = (header: Uint8Array, stream: LinkStream, signal: AbortSignal) => Promise<void>;

/** What an edge asks for: which blob, in words that only those who serve and ask understand, and from which byte on. */
export interface BlobAsk {
  readonly request: Uint8Array;
  readonly offset: number;
}

/** Content that the cloud has for one who asked. */
export interface BlobSource {
  /** Of all of it, whatever part is asked for. */
  readonly size: number;
  /** Told to the asker together with the size; at most MAX_BLOB_INFO_BYTES. */
  readonly info?: Uint8Array;
  /** From the offset that was asked for to the end, in pieces of any size. Left early when the asker goes away. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Finds what an edge asks for. A rejection refuses: the asker's promise rejects with LINK_BLOB_REFUSED and the message as `facts.text`. */
export type BlobDoor = (ask: BlobAsk, node: string, signal: AbortSignal) => Promise<BlobSource>;

/** A blob on its way from the cloud. */
export interface LinkBlob {
  readonly size: number;
  readonly info: Uint8Array;
  /**
   * The bytes from the offset that was asked for; to be read once. Asking for the next piece says that the one before is kept, and
   * only then does the cloud send more in its place. Survives the loss of paths; rejects when the session ends: ask again from
   * where it got to. Leaving the loop ends the blob. Whether the bytes are the right ones is for the one who keeps them to verify.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
}
