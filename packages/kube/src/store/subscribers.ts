/** Those who follow the store. Live ones get each commit as it happens; late ones first read the log, some of it each turn. */
import { type Logger, messageOf } from '@skerry/base';
import type { Change, Revision, Subscription } from './contract.ts';
import { type KeyRange, rangeOfPrefix } from './key-range.ts';

/** A late subscriber reads so many revisions a turn. */
const REPLAY_REVISIONS = 1_000;

type OnChange = (changes: readonly Change[]) => void;

interface Subscriber {
  readonly prefix: string;
  readonly range: KeyRange;
  readonly onChange: OnChange;
  /** Everything up to here was delivered. */
  position: Revision;
  isClosed: boolean;
}

export interface SubscribersOptions {
  readonly log: Logger;
  readonly readLog: (from: Revision, to: Revision, range: KeyRange) => readonly Change[];
  /** The last revision that is on disk. */
  readonly committed: () => Revision;
}

export class Subscribers {
  readonly #options: SubscribersOptions;
  // By prefix, so that a commit is filtered once for all who share one, and all get the same array.
  readonly #live = new Map<string, Set<Subscriber>>();
  readonly #replaying = new Set<Subscriber>();

  constructor(options: SubscribersOptions) {
    this.#options = options;
  }

  add(prefix: string, from: Revision, onChange: OnChange): Subscription {
    const subscriber = { prefix, range: rangeOfPrefix(prefix), onChange, position: from, isClosed: false };
    if (from >= this.#options.committed()) this.#goLive(subscriber);
    else this.#startReplay(subscriber);
    const close = () => this.#remove(subscriber);
    const position = () => this.#positionOf(subscriber);
    return {
      get position() {
        return position();
      },
      close,
      [Symbol.dispose]: close,
    };
  }

  /** The oldest revision that a subscriber still has to read the log from. */
  oldestPosition(): Revision {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { position } of this.#replaying) oldest = Math.min(oldest, position);
    return oldest;
  }

  publish(changes: readonly Change[]): void {
    for (const [prefix, subscribers] of this.#live) {
      const relevant = prefix === '' ? changes : changes.filter((change) => keyOf(change).startsWith(prefix));
      if (relevant.length === 0) continue;
      for (const subscriber of subscribers) this.#deliver(subscriber, relevant);
    }
  }

  closeAll(): void {
    for (const subscribers of this.#live.values()) for (const subscriber of subscribers) subscriber.isClosed = true;
    for (const subscriber of this.#replaying) subscriber.isClosed = true;
    this.#live.clear();
    this.#replaying.clear();
  }

  /** Live ones have seen every commit, whether it concerned them or not. */
  #positionOf(subscriber: Subscriber): Revision {
    const isLate = this.#replaying.has(subscriber);
    return isLate ? subscriber.position : Math.max(subscriber.position, this.#options.committed());
  }

  #goLive(subscriber: Subscriber): void {
    const peers = this.#live.get(subscriber.prefix);
    if (peers === undefined) this.#live.set(subscriber.prefix, new Set([subscriber]));
    else peers.add(subscriber);
  }

  #startReplay(subscriber: Subscriber): void {
    this.#replaying.add(subscriber);
    // Never within subscribe(): the caller does not hold its subscription yet.
    setImmediate(() => this.#replay(subscriber));
  }

  // A turn is never interrupted, so nothing is committed between the last read and going live.
  #replay(subscriber: Subscriber): void {
    if (subscriber.isClosed) return;
    const committed = this.#options.committed();
    const to = Math.min(committed, subscriber.position + REPLAY_REVISIONS);
    const changes = this.#options.readLog(subscriber.position, to, subscriber.range);
    if (changes.length > 0) this.#deliver(subscriber, changes);
    subscriber.position = to;
    if (subscriber.isClosed) return;
    if (to < committed) {
      setImmediate(() => this.#replay(subscriber));
      return;
    }
    this.#replaying.delete(subscriber);
    this.#goLive(subscriber);
  }

  #deliver(subscriber: Subscriber, changes: readonly Change[]): void {
    if (subscriber.isClosed) return;
    // Someone who read a version that was not on disk yet has subscribed from it.
    const first = changes[0];
    const fresh =
      first !== undefined && revisionOf(first) <= subscriber.position
        ? changes.filter((change) => revisionOf(change) > subscriber.position)
        : changes;
    if (fresh.length === 0) return;
    try {
      subscriber.onChange(fresh);
    } catch (error) {
      this.#options.log.error({ prefix: subscriber.prefix, error: messageOf(error) }, 'store subscriber failed');
    }
  }

  #remove(subscriber: Subscriber): void {
    subscriber.isClosed = true;
    this.#replaying.delete(subscriber);
    const peers = this.#live.get(subscriber.prefix);
    peers?.delete(subscriber);
    if (peers?.size === 0) this.#live.delete(subscriber.prefix);
  }
}

export function keyOf(change: Change): string {
  return change.type === 'put' ? change.object.key : change.key;
}

export function revisionOf(change: Change): Revision {
  return change.type === 'put' ? change.object.revision : change.revision;
}
