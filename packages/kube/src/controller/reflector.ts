/**
 * Mirrors one resource: a first state, then every change, for as long as the signal lets it, whatever breaks in between.
 *
 * Invariant: between two calls of `replace` the sink sees each change once and in order.
 */
import { type Gvr, isStatus, type KubeObject, type WatchEvent } from '@skerry/api';
import { type BackoffPolicy, backoffDelay, type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '../client/contract.ts';
import { compareResourceVersions } from './resource-version.ts';

export interface ReflectorSink<T extends KubeObject> {
  /** The whole state as of `version`, replacing whatever was known. */
  replace(objects: readonly T[], version: string): void;
  apply(event: WatchEvent<T>): void;
  /** Everything up to this version has been, or is about to be, applied. */
  reached?(version: string): void;
}

/** What to mirror. */
export interface Selection {
  readonly gvr: Gvr;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client;
  readonly selection: Selection;
  readonly sink: ReflectorSink<T>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** For the spread of timeouts and delays; yields numbers in [0, 1). */
  readonly random?: () => number;
}

/** A watch is asked to end after this long, and up to twice it, so that watches do not all come back at once. */
const WATCH_SECONDS = 300;

/** How much longer than asked a watch may last before it is taken for dead. */
const WATCH_GRACE_MS = 30_000;

/** A watch that lasted this long was a good one: it is resumed at once, however it ended. */
const STEADY_MS = 10_000;

const BACKOFF: BackoffPolicy = { baseMs: 200, capMs: 30_000 };

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** Where the mirror stands: no `version` means that it needs a new first state. */
interface Progress {
  version: string | undefined;
  /** Whether the server takes streaming lists; found out by asking. */
  streams: boolean;
}

/** Runs until `signal` aborts; failures are logged and retried, never thrown. */
export async function runReflector<T extends KubeObject>(options: ReflectorOptions<T>): Promise<void> {
  const { clock, signal, random = Math.random } = options;
  const progress: Progress = { version: undefined, streams: true };
  let failures = 0;
  while (!signal.aborted) {
    const startedAt = clock.monotonic();
    const outcome = await followOnce(options, progress);
    if (signal.aborted) return;
    if (outcome === 'again') continue;
    failures = clock.monotonic() - startedAt >= STEADY_MS ? 0 : failures + 1;
    if (failures > 0) await pause(clock, backoffDelay(BACKOFF, failures - 1, random), signal);
  }
}

type Outcome =
  /** The server ended the watch in good order. */
  | 'ended'
  /** Something is known now that makes another try worthwhile at once. */
  | 'again'
  | 'failed';

async function followOnce<T extends KubeObject>(options: ReflectorOptions<T>, progress: Progress): Promise<Outcome> {
  const { log, selection, signal, sink } = options;
  const fresh = progress.version === undefined;
  try {
    if (fresh && !progress.streams) await list(options, progress);
    await watch(options, progress);
    return 'ended';
  } catch (error) {
    if (signal.aborted) return 'failed';
    if (isStatus(error, 'Expired', 'Gone')) {
      progress.version = undefined;
      // A first state that is too old already is a server in trouble, not news.
      return fresh ? 'failed' : 'again';
    }
    if (fresh && progress.streams && isStatus(error, 'BadRequest', 'Invalid', 'Forbidden', 'MethodNotAllowed')) {
      progress.streams = false;
      return 'again';
    }
    if (isStatus(error, 'NotFound')) {
      // A resource that is not served has no objects; it may be served later.
      progress.version = undefined;
      sink.replace([], '0');
      log.debug({ resource: selection.gvr.resource }, 'resource is not served');
      return 'failed';
    }
    log.warn({ resource: selection.gvr.resource, error: messageOf(error) }, 'watch failed');
    return 'failed';
  }
}

async function list<T extends KubeObject>(options: ReflectorOptions<T>, progress: Progress): Promise<void> {
  const { client, selection, signal, sink } = options;
  const { gvr, ...where } = selection;
  const answer = await client.list<T>(gvr, { ...where, resourceVersion: '0', signal });
  progress.version = answer.metadata.resourceVersion ?? '0';
  sink.replace(answer.items, progress.version);
}

async function watch<T extends KubeObject>(options: ReflectorOptions<T>, progress: Progress): Promise<void> {
  const { client, clock, selection, random = Math.random } = options;
  const { gvr, ...where } = selection;
  const timeoutSeconds = Math.round(WATCH_SECONDS * (1 + random()));
  using deadline = abortAfter(clock, timeoutSeconds * 1000 + WATCH_GRACE_MS, options.signal);
  const from =
    progress.version === undefined ? { sendInitialEvents: true as const } : { resourceVersion: progress.version };
  const events = client.watch<T>(gvr, {
    ...where,
    ...from,
    allowWatchBookmarks: true,
    timeoutSeconds,
    signal: deadline.signal,
  });
  await consume(events, options.sink, progress);
}

async function consume<T extends KubeObject>(
  events: AsyncIterable<WatchEvent<T>>,
  sink: ReflectorSink<T>,
  progress: Progress,
): Promise<void> {
  // While a streaming list runs, its objects are kept apart: a mirror must not show half a state.
  let initial: Map<string, T> | undefined = progress.version === undefined ? new Map() : undefined;
  for await (const event of events) {
    const { metadata } = event.object;
    if (initial !== undefined) {
      if (event.type !== 'BOOKMARK') collect(initial, event);
      else if (metadata.annotations?.[INITIAL_EVENTS_END] === 'true') {
        progress.version = metadata.resourceVersion ?? '0';
        sink.replace([...initial.values()], progress.version);
        initial = undefined;
      }
      continue;
    }
    if (isOld(metadata.resourceVersion, progress.version)) continue;
    progress.version = metadata.resourceVersion ?? progress.version;
    if (progress.version !== undefined) sink.reached?.(progress.version);
    if (event.type !== 'BOOKMARK') sink.apply(event);
  }
}

function collect<T extends KubeObject>(initial: Map<string, T>, { type, object }: WatchEvent<T>): void {
  const key = `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`;
  if (type === 'DELETED') initial.delete(key);
  else initial.set(key, object);
}

// A proxy or a resumed stream may repeat what was seen.
function isOld(version: string | undefined, seen: string | undefined): boolean {
  if (version === undefined || seen === undefined) return false;
  const order = compareResourceVersions(version, seen);
  return order !== undefined && order <= 0;
}

interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

function abortAfter(clock: Clock, delayMs: number, parent: AbortSignal): Deadline {
  const controller = new AbortController();
  const timer = clock.after(delayMs, () => controller.abort(new Error('the watch outlived its time')), { unref: true });
  const onAbort = () => controller.abort(parent.reason);
  if (parent.aborted) onAbort();
  else parent.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      timer.cancel();
      parent.removeEventListener('abort', onAbort);
    },
  };
}

async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(delayMs, signal).catch(() => {});
}
