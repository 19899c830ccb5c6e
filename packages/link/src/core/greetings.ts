/** Dials on their way: from the dial to the hub's welcome. */
import { HELLO_TIMEOUT_MS, PROTOCOL_VERSIONS } from '../limits.ts';
import { encodeFrame } from './frame.ts';
import type { Hello } from './hub-events.ts';

interface Greeting {
  readonly until: number;
  /** It has asked for a new session, in case the hub does not know ours. */
  mayBegin: boolean;
}

export class Greetings {
  readonly #greetings = new Map<number, Greeting>();

  get size(): number {
    return this.#greetings.size;
  }

  has(path: number): boolean {
    return this.#greetings.has(path);
  }

  add(path: number, now: number): void {
    this.#greetings.set(path, { until: now + HELLO_TIMEOUT_MS, mayBegin: false });
  }

  delete(path: number): boolean {
    return this.#greetings.delete(path);
  }

  takeAll(): readonly number[] {
    const paths = [...this.#greetings.keys()];
    this.#greetings.clear();
    return paths;
  }

  /** Invariant: one greeting at a time may begin a session, or a node with two paths would look like two nodes. */
  takeBeginning(path: number): boolean {
    const greeting = this.#greetings.get(path);
    if (greeting === undefined || this.#greetings.values().some(({ mayBegin }) => mayBegin)) return false;
    greeting.mayBegin = true;
    return true;
  }

  deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { until } of this.#greetings.values()) next = Math.min(next, until);
    return next;
  }

  /** Those that the hub did not welcome in time. */
  late(now: number): readonly number[] {
    return [...this.#greetings].flatMap(([path, { until }]) => (now >= until ? [path] : []));
  }
}

export function encodeHello(fields: Omit<Hello, 'type' | 'lowest' | 'highest'>): Uint8Array {
  return encodeFrame({ type: 'hello', ...PROTOCOL_VERSIONS, ...fields });
}
