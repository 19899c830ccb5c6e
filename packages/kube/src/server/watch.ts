/** GET with `watch=true`: changes as they are committed, from any revision that the store still holds. */
import { isStatus } from '@skerry/api';
import type { Timer } from '@skerry/base';
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, groupResource } from './engine.ts';
import { selectionOf } from './selection.ts';
import { expired, methodNotSupported } from './statuses.ts';
import { errorFrame, FrameCache } from './watch-frames.ts';
import { readWatchStart, type WatchStart } from './watch-start.ts';
import { WatchStream } from './watch-stream.ts';
import { Watcher } from './watcher.ts';

/** About how often a watcher that allows bookmarks gets one. */
const BOOKMARK_INTERVAL_MS = 60_000;

// Without a timeout of the client, a watch ends after half an hour to an hour, so that not all come back at once.
const MIN_WATCH_MS = 1_800_000;

/** All watches of one server. */
export class Watches {
  readonly #engine: Engine;
  readonly #frames: FrameCache;
  readonly #open = new Set<Watcher>();
  #bookmarks: Timer | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#frames = new FrameCache(engine);
  }

  get size(): number {
    return this.#open.size;
  }

  watch(call: Call): ApiResponse {
    if (!call.kind.row.verbs.includes('watch')) throw methodNotSupported(groupResource(call.kind), 'watch');
    const start = readWatchStart(call.request.query);
    const headers = { 'content-type': contentType(call), 'cache-control': 'no-cache, private' };
    return { status: 200, headers, body: this.#start(call, start) };
  }

  /** Ends every watch; what is pending is still delivered. */
  close(): void {
    this.#bookmarks?.cancel();
    for (const watcher of this.#open) watcher.end();
  }

  #start(call: Call, start: WatchStart): WatchStream {
    try {
      const watcher = new Watcher({
        engine: this.#engine,
        call,
        selection: selectionOf(call),
        start,
        frames: this.#frames,
        timeoutMs: (start.timeoutSeconds ?? 0) * 1000 || MIN_WATCH_MS * (1 + Math.random()),
        onClose: (closed) => this.#open.delete(closed),
      });
      this.#open.add(watcher);
      this.#scheduleBookmarks();
      return watcher.stream;
    } catch (error) {
      if (!isStatus(error, 'Expired')) throw error;
      return onlyError(start, this.#engine.store.compactedRevision);
    }
  }

  #scheduleBookmarks(): void {
    if (this.#bookmarks !== undefined) return;
    const send = () => {
      this.#bookmarks = undefined;
      for (const watcher of this.#open) watcher.bookmark();
      if (this.#open.size > 0) this.#scheduleBookmarks();
    };
    this.#bookmarks = this.#engine.clock.after(BOOKMARK_INTERVAL_MS, send, { unref: true });
  }
}

/** A watch from a compacted revision is answered 200, then ends with one ERROR event. */
function onlyError(start: WatchStart, compacted: number): WatchStream {
  const { status } = expired(`too old resource version: ${start.from ?? 0} (${compacted})`);
  const stream = new WatchStream([errorFrame(status)], () => {});
  stream.end();
  return stream;
}

/** A watch says how its frames are cut: one JSON object a line. */
function contentType({ wanted }: Call): string {
  return wanted.contentType === 'application/json' ? 'application/json' : 'application/yaml;stream=watch';
}
