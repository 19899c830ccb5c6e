/** The in-process bus: batches go to every subscriber by reference; a slow one loses its oldest, counted, and delays nobody. */
import { BoundedQueue } from '@skerry/base';
import type { Batch } from './batch.ts';

export interface SubscriptionOptions {
  /** Stands beside the count of what was dropped. */
  readonly name: string;
  /** How many rows may wait. Default 131,072. A batch that is larger by itself still waits alone. */
  readonly limitRows?: number;
  /** Which batches; all without it. Called once a batch, so it must be cheap. */
  readonly wants?: (batch: Batch) => boolean;
}

/** One consumer. Iterating ends when either side closes. */
export interface Subscription extends AsyncIterable<Batch>, Disposable {
  readonly name: string;
  /** Rows handed over. */
  readonly delivered: number;
  /** Rows that were lost here because nobody took them in time. */
  readonly dropped: number;
  /** Rows that wait. */
  readonly waiting: number;
  /** The next batch, if one waits. */
  take(): Batch | undefined;
  close(): void;
}

export interface Bus {
  /** Never waits and never throws; the batch must not change afterwards. */
  publish(batch: Batch): void;
  subscribe(options: SubscriptionOptions): Subscription;
  /** Of all subscribers that there are now. */
  subscriptions(): readonly Subscription[];
  /** Rows published since the start. */
  readonly published: number;
  /** Ends every subscription after what waits in it. */
  close(): void;
}

const DEFAULT_LIMIT_ROWS = 131_072;

/** Subscribers are parts of this process, so that more of them is a mistake. */
const MAX_SUBSCRIBERS = 256;

export function createBus(): Bus {
  const all = new Set<BoundedSubscription>();
  let published = 0;
  let isClosed = false;
  return {
    publish: (batch) => {
      if (batch.length === 0) return;
      published += batch.length;
      for (const each of all) each.offer(batch);
    },
    subscribe: (options) => {
      if (isClosed) throw new RangeError('the bus is closed');
      if (all.size >= MAX_SUBSCRIBERS) throw new RangeError(`more than ${MAX_SUBSCRIBERS} subscribers`);
      const subscription = new BoundedSubscription(options, () => all.delete(subscription));
      all.add(subscription);
      return subscription;
    },
    subscriptions: () => [...all],
    get published() {
      return published;
    },
    close: () => {
      isClosed = true;
      for (const each of all) each.finish();
      all.clear();
    },
  };
}

class BoundedSubscription implements Subscription {
  readonly name: string;
  delivered = 0;
  dropped = 0;
  waiting = 0;
  readonly #limit: number;
  readonly #wants: ((batch: Batch) => boolean) | undefined;
  readonly #onClose: () => void;
  readonly #queue: BoundedQueue<Batch>;
  #isFinished = false;
  #wake: (() => void) | undefined;

  constructor({ name, limitRows = DEFAULT_LIMIT_ROWS, wants }: SubscriptionOptions, onClose: () => void) {
    this.name = name;
    this.#limit = limitRows;
    // A batch has a row at least, so that the bound on rows is met first.
    this.#queue = new BoundedQueue(name, limitRows + 1);
    this.#wants = wants;
    this.#onClose = onClose;
  }

  offer(batch: Batch): void {
    if (this.#wants?.(batch) === false) return;
    while (this.waiting > 0 && this.waiting + batch.length > this.#limit) {
      const oldest = this.#shift();
      if (oldest !== undefined) this.dropped += oldest.length;
    }
    this.#queue.offer(batch);
    this.waiting += batch.length;
    this.#awake();
  }

  take(): Batch | undefined {
    const batch = this.#shift();
    if (batch !== undefined) this.delivered += batch.length;
    return batch;
  }

  /** What waits may still be taken. */
  finish(): void {
    this.#isFinished = true;
    this.#awake();
  }

  close(): void {
    this.#onClose();
    this.#queue.clear();
    this.waiting = 0;
    this.finish();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    try {
      for (;;) {
        const batch = this.take();
        if (batch !== undefined) yield batch;
        else if (this.#isFinished) return;
        else await this.#next();
      }
    } finally {
      this.close();
    }
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #shift(): Batch | undefined {
    const batch = this.#queue.take();
    if (batch !== undefined) this.waiting -= batch.length;
    return batch;
  }
}
