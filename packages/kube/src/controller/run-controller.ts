/** The one runtime of all controllers: changes become keys, keys are reconciled, failures are tried again. */
import { isStatus, type KubeObject } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Change, Informer } from './informer.ts';
import { WorkQueue } from './work-queue.ts';

/** Whose change wakes which keys. */
export interface Watch<T extends KubeObject = KubeObject> {
  readonly informer: Informer<T>;
  keys(change: Change<T>): Iterable<string>;
}

/** When to look at the key again although nothing changed; nothing means not before it does. */
export interface Requeue {
  readonly afterMs: number;
}

export interface ControllerSpec {
  readonly name: string;
  readonly watches: readonly Watch[];
  /** Caches that `reconcile` reads without being woken by them. */
  readonly reads?: readonly Informer[];
  /** Wakes keys for reasons of its own; the function it gives back ends that. */
  readonly source?: (enqueue: (key: string) => void) => () => void;
  /** Keys that no object stands for, reconciled once at the start. */
  readonly initialKeys?: readonly string[];
  /** Reads the world, computes the difference, applies it. Is called again after it throws. */
  reconcile(key: string, signal: AbortSignal): Promise<Requeue | undefined>;
  readonly concurrency?: number;
}

export interface ControllerContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export const DEFAULT_CONCURRENCY = 4;

/** Pairs an informer with its keys, so that the object's type is known there. */
export function watching<T extends KubeObject>(
  informer: Informer<T>,
  keys: (change: Change<T>) => Iterable<string>,
): Watch {
  return { informer: informer as unknown as Informer, keys: keys as unknown as Watch['keys'] };
}

/** A reader's side of an informer for `ControllerSpec.reads`. */
export function reading<T extends KubeObject>(informer: Informer<T>): Informer {
  return informer as unknown as Informer;
}

/** Works once every cache is complete, until `signal` aborts; resolves when the last reconcile has ended. */
// Leader election comes in here: wait for the lease before the workers start, and abort their signal when it is lost.
export async function runController(spec: ControllerSpec, context: ControllerContext): Promise<void> {
  const { signal } = context;
  const log = context.log.child({ controller: spec.name });
  const queue = new WorkQueue({ clock: context.clock });
  const unsubscribe = spec.watches.map((watch) =>
    watch.informer.onChange((change) => {
      for (const key of watch.keys(change)) queue.add(key);
    }),
  );
  if (spec.source !== undefined) unsubscribe.push(spec.source((key) => queue.add(key)));
  const stop = () => {
    for (const end of unsubscribe) end();
    queue.close();
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  if (!(await haveSynced(spec))) return;
  for (const key of spec.initialKeys ?? []) queue.add(key);
  const workers = Array.from({ length: spec.concurrency ?? DEFAULT_CONCURRENCY }, () =>
    work(spec, queue, { ...context, log }),
  );
  await Promise.all(workers);
}

async function haveSynced({ watches, reads = [] }: ControllerSpec): Promise<boolean> {
  const informers = [...watches.map(({ informer }) => informer), ...reads];
  const outcomes = await Promise.allSettled(informers.map(({ synced }) => synced));
  return outcomes.every(({ status }) => status === 'fulfilled');
}

async function work(spec: ControllerSpec, queue: WorkQueue, { log, signal }: ControllerContext): Promise<void> {
  for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
    try {
      const requeue = await spec.reconcile(key, signal);
      queue.forget(key);
      if (requeue !== undefined) queue.addAfter(key, requeue.afterMs);
    } catch (error) {
      if (!signal.aborted) reportFailure(log, key, error, queue.failuresOf(key));
      queue.retry(key);
    }
    queue.done(key);
  }
}

// Losing a race for an object is how optimistic concurrency works; only what keeps failing is worth a warning.
function reportFailure(log: Logger, key: string, error: unknown, failures: number): void {
  const level = isStatus(error, 'Conflict', 'AlreadyExists', 'NotFound') && failures < 5 ? 'debug' : 'warn';
  log[level]({ key, failures, error: messageOf(error) }, 'reconcile failed');
}
