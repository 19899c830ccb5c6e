/** A mirror of one resource with a cache to read from and handlers that hear of changes; shared by all who want the same. */
import { formatGroupResource, type KubeObject, type WatchEvent } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '../client/contract.ts';
import { keyOf } from './key.ts';
import { type IndexValues, ObjectCache, type ObjectLister } from './object-cache.ts';
import { runReflector, type Selection } from './reflector.ts';
import { compareResourceVersions } from './resource-version.ts';

export type Change<T extends KubeObject = KubeObject> =
  | { readonly type: 'add'; readonly object: T; readonly previous?: undefined }
  | { readonly type: 'update'; readonly object: T; readonly previous: T }
  | { readonly type: 'delete'; readonly object: T; readonly previous?: undefined };

export interface Informer<T extends KubeObject = KubeObject> {
  readonly selection: Selection;
  readonly cache: ObjectLister<T>;
  /** Resolves at the first whole state; rejects with the signal's reason when it is stopped before. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** Whether the cache shows the write that was answered with this resourceVersion. */
  hasReached(version: string): boolean;
  addIndex(name: string, valuesOf: IndexValues<T>): void;
  /** Hears of what is there already as adds, then of every change, after the cache shows it. The returned function ends that. */
  onChange(handler: (change: Change<T>) => void): () => void;
}

export interface InformerContext {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface InformerOptions<T extends KubeObject> extends Selection {
  /** Drops what nobody here reads before it is kept, to save memory. */
  readonly transform?: (object: T) => T;
}

/** Starts to mirror at once and goes on until the context's signal aborts. */
export function startInformer<T extends KubeObject>(
  context: InformerContext,
  options: InformerOptions<T>,
): Informer<T> {
  const { transform = (object) => object, ...selection } = options;
  const log = context.log.child({ resource: formatGroupResource(selection.gvr) });
  const cache = new ObjectCache<T>();
  const handlers = new Set<(change: Change<T>) => void>();
  const synced = Promise.withResolvers<void>();
  // Whoever waits hears of the rejection; nobody has to wait.
  synced.promise.catch(() => {});
  let hasSynced = false;
  let reached = '0';

  const notify = (change: Change<T>) => {
    for (const handler of handlers) {
      try {
        handler(change);
      } catch (error) {
        log.error({ error: messageOf(error) }, 'a handler failed');
      }
    }
  };
  const remove = (key: string) => {
    const object = cache.delete(key);
    if (object !== undefined) notify({ type: 'delete', object });
  };
  const put = (object: T) => {
    const kept = transform(object);
    const key = keyOf(kept);
    // Deleted and made again while nobody watched: two objects, so two changes.
    if (cache.get(key)?.metadata.uid !== kept.metadata.uid) remove(key);
    const previous = cache.put(kept);
    notify(previous === undefined ? { type: 'add', object: kept } : { type: 'update', object: kept, previous });
  };

  const sink = {
    replace: (objects: readonly T[], version: string) => {
      reached = version;
      const gone = new Set(cache.keys());
      for (const object of objects) gone.delete(keyOf(object));
      for (const key of gone) remove(key);
      for (const object of objects) if (isNews(cache.get(keyOf(object)), object)) put(object);
      hasSynced = true;
      synced.resolve();
    },
    apply: ({ type, object }: WatchEvent<T>) => {
      if (type === 'DELETED') remove(keyOf(object));
      else put(object);
    },
    reached: (version: string) => {
      reached = version;
    },
  };

  runReflector({ ...context, log, selection, sink }).then(
    () => synced.reject(context.signal.reason),
    (error: unknown) => log.error({ error: messageOf(error) }, 'the reflector failed'),
  );

  return {
    selection,
    cache,
    synced: synced.promise,
    get hasSynced() {
      return hasSynced;
    },
    hasReached: (version) => (compareResourceVersions(reached, version) ?? 0) >= 0,
    addIndex: (name, valuesOf) => cache.addIndex(name, valuesOf),
    onChange: (handler) => {
      handlers.add(handler);
      for (const object of cache.list()) handler({ type: 'add', object });
      return () => {
        handlers.delete(handler);
      };
    },
  };
}

function isNews(known: KubeObject | undefined, object: KubeObject): boolean {
  if (known === undefined || known.metadata.uid !== object.metadata.uid) return true;
  return known.metadata.resourceVersion !== object.metadata.resourceVersion;
}

export interface InformerFactory {
  /** The one informer of this selection, started when it is first asked for. */
  informer<T extends KubeObject>(selection: Selection): Informer<T>;
}

export function createInformerFactory(context: InformerContext): InformerFactory {
  const running = new Map<string, Informer>();
  return {
    informer: <T extends KubeObject>(selection: Selection) => {
      const id = identityOf(selection);
      const known = running.get(id);
      if (known !== undefined) return known as Informer<KubeObject> as unknown as Informer<T>;
      const started = startInformer<T>(context, selection);
      running.set(id, started as unknown as Informer);
      return started;
    },
  };
}

function identityOf({ gvr, namespace = '', labelSelector = '', fieldSelector = '' }: Selection): string {
  return [gvr.group, gvr.version, gvr.resource, namespace, labelSelector, fieldSelector].join('\0');
}
