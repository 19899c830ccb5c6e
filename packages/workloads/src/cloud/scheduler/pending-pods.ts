/** Pods that wait for a node: ready ones by priority and age, the others until something changes or their backoff is over. */
import { type BackoffPolicy, backoffCeiling, type Clock, type Timer } from '@skerry/base';

const BACKOFF: BackoffPolicy = { baseMs: 1000, capMs: 10_000 };
/** A pod that fits nowhere is looked at again after this long even when nothing was seen to change. */
const RETRY_ANYWAY_MS = 60_000;

interface Waiting {
  readonly timer: Timer;
  readonly notBefore: number;
  readonly priority: number;
}

export class PendingPods {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  /** Keys by priority, each level in the order of arrival. */
  readonly #ready = new Map<number, Set<string>>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #attempts = new Map<string, number>();

  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  add(key: string, priority: number): void {
    this.#stopWaiting(key);
    const level = this.#ready.get(priority);
    if (level === undefined) this.#ready.set(priority, new Set([key]));
    else level.add(key);
    this.#onReady();
  }

  /** The key of the highest priority that has waited longest. */
  take(): string | undefined {
    if (this.#ready.size === 0) return undefined;
    const highest = Math.max(...this.#ready.keys());
    const level = this.#ready.get(highest);
    const [key] = level ?? [];
    if (key === undefined || level === undefined) return undefined;
    level.delete(key);
    if (level.size === 0) this.#ready.delete(highest);
    return key;
  }

  /** No node fits now: waits for a change of the cluster, at least for its backoff. */
  park(key: string, priority: number): void {
    const attempts = this.#attempts.get(key) ?? 0;
    this.#attempts.set(key, attempts + 1);
    this.#wait(key, priority, this.#clock.monotonic() + backoffCeiling(BACKOFF, attempts), RETRY_ANYWAY_MS);
  }

  /** The cluster changed: whoever is past its backoff is looked at now, the others when it is over. */
  wake(): void {
    const now = this.#clock.monotonic();
    // A copy: whoever goes on waiting is put back into the map, and would be met again without end.
    const waiting = [...this.#waiting];
    for (const [key, { notBefore, priority }] of waiting) {
      if (notBefore <= now) this.add(key, priority);
      else this.#wait(key, priority, notBefore, notBefore - now);
    }
  }

  isWaiting(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** Placed or gone. */
  forget(key: string): void {
    this.#stopWaiting(key);
    this.#attempts.delete(key);
    for (const [priority, level] of this.#ready) {
      if (level.delete(key) && level.size === 0) this.#ready.delete(priority);
    }
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
    this.#ready.clear();
  }

  #wait(key: string, priority: number, notBefore: number, delayMs: number): void {
    this.#stopWaiting(key);
    const timer = this.#clock.after(delayMs, () => this.add(key, priority), { unref: true });
    this.#waiting.set(key, { timer, notBefore, priority });
  }

  #stopWaiting(key: string): void {
    this.#waiting.get(key)?.timer.cancel();
    this.#waiting.delete(key);
  }
}
