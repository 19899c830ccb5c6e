/** For tests: one resource behind the list and watch of `Client`, with every fault a network and a server can have. */
import { type Gvr, type KubeObject, StatusError, type WatchEvent } from '@skerry/api';
import type { Client, ListOptions, WatchOptions } from '../client/contract.ts';

export interface FlakyApi {
  readonly client: Pick<Client, 'list' | 'watch'>;
  /** The truth, `name` to `value`. */
  state(): Record<string, string>;
  put(name: string, value: string): void;
  remove(name: string): void;
  /** Ends every open watch, in good order or broken. */
  dropWatches(how: 'end' | 'break'): void;
  /** Forgets the history: watches from before now are Expired. */
  compact(): void;
  /** Every open watch repeats the last few events, as a confused proxy would. */
  repeatEvents(): void;
  bookmark(): void;
  /** The next `count` requests fail with 503. */
  failRequests(count: number): void;
  setStreaming(supported: boolean): void;
  /** Whether the resource is there at all. */
  setServed(served: boolean): void;
  readonly requests: string[];
}

interface OpenWatch {
  readonly queue: (WatchEvent | Error | 'end')[];
  wake: () => void;
}

const REPEATED = 3;

export function flakyApi(): FlakyApi {
  const objects = new Map<string, KubeObject>();
  let log: { readonly version: number; readonly event: WatchEvent }[] = [];
  const watches = new Set<OpenWatch>();
  const requests: string[] = [];
  let version = 1;
  let compacted = 1;
  let uids = 0;
  let failures = 0;
  let streaming = true;
  let served = true;

  const publish = (event: WatchEvent) => {
    log.push({ version, event });
    for (const open of watches) push(open, event);
  };
  const refuse = () => {
    if (!served) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
    if (failures === 0) return;
    failures--;
    throw new StatusError(503, 'ServiceUnavailable', 'flaky');
  };
  const list = async (_gvr: Gvr, options: ListOptions = {}) => {
    requests.push(`list ${options.resourceVersion ?? ''}`);
    refuse();
    return {
      apiVersion: 'v1',
      kind: 'ThingList',
      metadata: { resourceVersion: String(version) },
      items: [...objects.values()],
    };
  };
  async function* watch(_gvr: Gvr, options: WatchOptions = {}): AsyncGenerator<WatchEvent> {
    requests.push(options.sendInitialEvents === true ? 'stream' : `watch ${options.resourceVersion}`);
    refuse();
    const open: OpenWatch = { queue: [], wake: () => {} };
    if (options.sendInitialEvents === true) {
      if (!streaming) throw new StatusError(422, 'Invalid', 'sendInitialEvents is forbidden');
      for (const object of objects.values()) open.queue.push({ type: 'ADDED', object });
      open.queue.push(bookmarkAt(version, true));
    } else {
      const from = Number(options.resourceVersion);
      if (from < compacted) throw new StatusError(410, 'Expired', 'too old resource version');
      open.queue.push(...log.filter((entry) => entry.version > from).map(({ event }) => event));
    }
    watches.add(open);
    options.signal?.addEventListener('abort', () => push(open, new Error('aborted')));
    try {
      yield* drain(open);
    } finally {
      watches.delete(open);
    }
  }

  return {
    client: { list: list as unknown as Client['list'], watch: watch as unknown as Client['watch'] },
    state: () => stateOf(objects.values()),
    put: (name, value) => {
      version++;
      const known = objects.get(name);
      const uid = known?.metadata.uid ?? `uid-${++uids}`;
      const object = {
        apiVersion: 'v1',
        kind: 'Thing',
        metadata: { name, uid, resourceVersion: String(version) },
        value,
      };
      objects.set(name, object);
      publish({ type: known === undefined ? 'ADDED' : 'MODIFIED', object });
    },
    remove: (name) => {
      const known = objects.get(name);
      if (known === undefined) return;
      version++;
      objects.delete(name);
      publish({
        type: 'DELETED',
        object: { ...known, metadata: { ...known.metadata, resourceVersion: String(version) } },
      });
    },
    dropWatches: (how) => {
      for (const open of watches) push(open, how === 'end' ? 'end' : new Error('connection reset'));
    },
    compact: () => {
      version++;
      compacted = version;
      log = [];
    },
    repeatEvents: () => {
      for (const { event } of log.slice(-REPEATED)) for (const open of watches) push(open, event);
    },
    bookmark: () => {
      for (const open of watches) push(open, bookmarkAt(version, false));
    },
    failRequests: (count) => {
      failures = count;
    },
    setStreaming: (supported) => {
      streaming = supported;
    },
    setServed: (isServed) => {
      served = isServed;
    },
    requests,
  };
}

/** `name` to `value` of any objects of this API. */
export function stateOf(objects: Iterable<KubeObject>): Record<string, string> {
  const entries = Array.from(objects, ({ metadata, value }) => [metadata.name ?? '', String(value)] as const);
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
}

function push(open: OpenWatch, item: WatchEvent | Error | 'end'): void {
  open.queue.push(item);
  open.wake();
}

async function* drain(open: OpenWatch): AsyncGenerator<WatchEvent> {
  for (;;) {
    const item = open.queue.shift();
    if (item === undefined) {
      await new Promise<void>((resolve) => {
        open.wake = resolve;
      });
      continue;
    }
    if (item === 'end') return;
    if (item instanceof Error) throw item;
    yield item;
  }
}

function bookmarkAt(version: number, endsInitialEvents: boolean): WatchEvent {
  const annotations = { 'k8s.io/initial-events-end': 'true' };
  const metadata = { resourceVersion: String(version), ...(endsInitialEvents ? { annotations } : {}) };
  return { type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'Thing', metadata } };
}
