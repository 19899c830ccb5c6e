/** One client interface, whatever API is behind it: in process, HTTP to any cluster, or the edge's own replica. */
import type { Gvr, KubeList, KubeObject, Ref, WatchEvent } from '@skerry/api';

export interface ReadOptions {
  readonly signal?: AbortSignal;
}

export interface GetOptions extends ReadOptions {
  /** `scale` instead of the object itself. */
  readonly subresource?: string;
}

export interface ListOptions extends ReadOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  readonly limit?: number;
  readonly continue?: string;
}

export interface WatchOptions extends ReadOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export interface WriteOptions {
  readonly subresource?: string;
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface PatchOptions extends WriteOptions {
  readonly type: PatchType;
  /** Server-side apply: take fields over from other managers. */
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly signal?: AbortSignal;
}

/** Every method rejects with a StatusError that holds what the server answered. */
export interface Client {
  get<T extends KubeObject>(ref: Ref, options?: GetOptions): Promise<T>;
  list<T extends KubeObject>(gvr: Gvr, options?: ListOptions): Promise<KubeList<T>>;
  /** Ends when the server ends it; an ERROR event rejects with its StatusError. */
  watch<T extends KubeObject>(gvr: Gvr, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(gvr: Gvr, object: T, options?: WriteOptions): Promise<T>;
  /** Posts to a subresource such as `binding`, `eviction` or `token`, and gives back what it answers. */
  createSubresource<T>(ref: Ref, subresource: string, body: object, options?: WriteOptions): Promise<T>;
  update<T extends KubeObject>(gvr: Gvr, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(ref: Ref, patch: unknown, options: PatchOptions): Promise<T>;
  delete(ref: Ref, options?: DeleteOptions): Promise<void>;
  deleteCollection(gvr: Gvr, options?: ListOptions & DeleteOptions): Promise<void>;
}
