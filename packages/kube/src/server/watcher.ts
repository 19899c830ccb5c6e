/** One watch: a subscription, a selection, and the stream of frames to its client. */
import type { WatchEventType } from '@skerry/api';
import type { Timer } from '@skerry/base';
import type { Change, Revision, StoredObject, Subscription } from '../store/contract.ts';
import type { Call, Engine } from './engine.ts';
import { readPage } from './list.ts';
import { toServedObject } from './object-text.ts';
import type { Selection } from './selection.ts';
import { revisionTooLarge } from './statuses.ts';
import { bookmarkFrame, encodeFrame, type Frame, type FrameCache } from './watch-frames.ts';
import type { WatchStart } from './watch-start.ts';
import { WatchStream } from './watch-stream.ts';

export interface WatcherOptions {
  readonly engine: Engine;
  readonly call: Call;
  readonly selection: Selection;
  readonly start: WatchStart;
  readonly frames: FrameCache;
  readonly timeoutMs: number;
  readonly onClose: (watcher: Watcher) => void;
}

export class Watcher {
  readonly stream: WatchStream;
  readonly #options: WatcherOptions;
  readonly #subscription: Subscription;
  readonly #timer: Timer;
  /** Everything up to here has been seen. */
  #seen: Revision;

  /** Throws Expired when the start was compacted. */
  constructor(options: WatcherOptions) {
    this.#options = options;
    const { engine, start, selection, call } = options;
    const state = start.sendsState ? this.#readState() : undefined;
    this.#seen = state?.revision ?? start.from ?? engine.store.revision;
    this.stream = new WatchStream(state?.frames ?? [], () => this.#close());
    const from = Math.min(this.#seen, engine.store.revision);
    this.#subscription = engine.store.subscribe(selection.prefix, from, (changes) => this.#onChanges(changes));
    this.#timer = engine.clock.after(options.timeoutMs, () => this.end(), { unref: true });
    if (call.request.signal.aborted) void this.stream.return();
    else call.request.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  bookmark(): void {
    const { call, start } = this.#options;
    if (!start.bookmarks) return;
    const revision = Math.max(this.#seen, this.#subscription.position ?? 0);
    this.stream.push(bookmarkFrame(call.kind, call.wanted.form, revision, false));
  }

  /** Ends the watch in order: a last bookmark, then the end. */
  end(): void {
    this.bookmark();
    this.stream.end();
  }

  #readState(): { frames: Iterable<Frame>; revision: Revision } {
    const { engine, call, selection, start } = this.#options;
    const { revision } = engine.store;
    if (start.from !== undefined && start.from > revision) throw revisionTooLarge(start.from, revision);
    const page = readPage(engine, selection, { at: { type: 'latest' }, limit: 0 });
    return {
      frames: stateFrames(engine, call, { items: page.items, end: start.marksEndOfState ? page.revision : undefined }),
      revision: page.revision,
    };
  }

  #onChanges(changes: readonly Change[]): void {
    for (const change of changes) {
      const revision = change.type === 'put' ? change.object.revision : change.revision;
      if (revision <= this.#seen) continue;
      this.#seen = revision;
      this.#onChange(change);
    }
  }

  #onChange(change: Change): void {
    const { selection, frames, call } = this.#options;
    const key = change.type === 'put' ? change.object.key : change.key;
    if (selection.key !== undefined && selection.key !== key) return;
    const event = eventOf(change, selection);
    if (event !== undefined) this.stream.push(frames.frame(call, event.type, event.object));
  }

  readonly #onAbort = (): void => {
    void this.stream.return();
  };

  #close(): void {
    this.#subscription.close();
    this.#timer.cancel();
    this.#options.call.request.signal.removeEventListener('abort', this.#onAbort);
    this.#options.onClose(this);
  }
}

interface State {
  readonly items: readonly StoredObject[];
  /** Where the state ends, when a bookmark is to say so. */
  readonly end: Revision | undefined;
}

function* stateFrames(engine: Engine, call: Call, { items, end }: State): Iterable<Frame> {
  for (const object of items) yield encodeFrame(engine, call, { type: 'ADDED', object });
  if (end !== undefined) yield bookmarkFrame(call.kind, call.wanted.form, end, true);
}

/** What a change means to who sees only a selection: objects enter it and leave it. */
function eventOf(change: Change, { matches }: Selection): { type: WatchEventType; object: StoredObject } | undefined {
  const { previous } = change;
  const wasSeen = previous !== undefined && (matches === undefined || matches(toServedObject(previous)));
  if (change.type === 'delete') {
    return wasSeen ? { type: 'DELETED', object: { ...change.previous, revision: change.revision } } : undefined;
  }
  const { object } = change;
  const isSeen = matches === undefined || matches(toServedObject(object));
  if (isSeen) return { type: wasSeen ? 'MODIFIED' : 'ADDED', object };
  return wasSeen ? { type: 'DELETED', object: { ...previous, revision: object.revision } } : undefined;
}
