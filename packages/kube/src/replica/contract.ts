/**
 * What the link asks of the replica, as `@skerry/link/contract` says it: kube may not import the link, and needs only the shapes.
 * The composition of cloud and edge gives one to the other, so the compiler compares them there.
 */
export type StateChange =
  | { readonly key: string; readonly version: string; readonly bytes: Uint8Array }
  | { readonly key: string; readonly deleted: true };

export interface StateReplica {
  position(): Uint8Array;
  versions(): Iterable<readonly [key: string, version: string]>;
  apply(changes: readonly StateChange[], position: Uint8Array): Promise<void>;
  onCurrent(): void;
}

export interface HeldState {
  readonly position: Uint8Array;
  versions(): Promise<ReadonlyMap<string, string>>;
}

export interface StateOutput {
  send(changes: readonly StateChange[], position: Uint8Array): Promise<void>;
  current(position: Uint8Array): Promise<void>;
}

export type StateFeed = (node: string, held: HeldState, output: StateOutput, signal: AbortSignal) => Promise<void>;

export interface OutboxEntry {
  readonly seq: number;
  readonly key?: string;
  readonly bytes: Uint8Array;
}

export interface OutboxSource {
  read(after: number, limit: number): readonly OutboxEntry[];
  acknowledge(seq: number): void;
  onAppend(callback: () => void): () => void;
}

export type OutboxSink = (node: string, entries: readonly OutboxEntry[]) => Promise<void>;
