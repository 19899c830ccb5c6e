/** The frames of one watcher on their way: pulled by its connection, bounded, cut off when it does not keep up. */
import type { Frame } from './watch-frames.ts';

/** What may wait for one slow watcher before it is cut off; it then starts again from where it was. */
export const MAX_WATCHER_BACKLOG_BYTES = 8 * 1024 * 1024;

/** Small frames are handed over together up to this size. */
const MAX_JOINED_BYTES = 64 * 1024;

export class WatchStream implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #initial: Iterator<Frame>;
  readonly #onClose: () => void;
  #isInitial = true;
  #pending: Frame[] = [];
  #pendingBytes = 0;
  #isEnded = false;
  #isClosed = false;
  #waiting: ((result: IteratorResult<Uint8Array>) => void) | undefined;

  /** `initial` is pulled before anything that was pushed. */
  constructor(initial: Iterable<Frame>, onClose: () => void) {
    this.#initial = initial[Symbol.iterator]();
    this.#onClose = onClose;
  }

  /** Ends the watch when the backlog is full. */
  push(frame: Frame): void {
    if (this.#isEnded) return;
    if (this.#waiting !== undefined && !this.#isInitial) {
      this.#resolve({ done: false, value: frame });
      return;
    }
    this.#pending.push(frame);
    this.#pendingBytes += frame.length;
    if (this.#pendingBytes > MAX_WATCHER_BACKLOG_BYTES) {
      this.#pending = [];
      this.end();
    }
  }

  /** No more frames; what is pending is still delivered. */
  end(): void {
    this.#isEnded = true;
    if (this.#waiting !== undefined) this.#resolve(this.#close());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const frame = this.#takeInitial() ?? this.#takePending();
    if (frame !== undefined) return Promise.resolve({ done: false, value: frame });
    if (this.#isEnded) return Promise.resolve(this.#close());
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.#isEnded = true;
    this.#pending = [];
    const closed = this.#close();
    this.#resolve(closed);
    return Promise.resolve(closed);
  }

  #takeInitial(): Uint8Array | undefined {
    if (!this.#isInitial) return undefined;
    const frames: Frame[] = [];
    for (let size = 0; size < MAX_JOINED_BYTES; ) {
      const { done, value } = this.#initial.next();
      if (done === true) {
        this.#isInitial = false;
        break;
      }
      frames.push(value);
      size += value.length;
    }
    return frames.length === 0 ? undefined : join(frames);
  }

  #takePending(): Uint8Array | undefined {
    if (this.#pending.length === 0) return undefined;
    const frames = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    return join(frames);
  }

  #resolve(result: IteratorResult<Uint8Array>): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(result);
  }

  #close(): IteratorResult<Uint8Array> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#onClose();
    }
    return { done: true, value: undefined };
  }
}

function join(frames: readonly Frame[]): Uint8Array {
  const [first] = frames;
  return frames.length === 1 && first !== undefined ? first : Buffer.concat(frames);
}
