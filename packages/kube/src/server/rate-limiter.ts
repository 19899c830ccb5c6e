/** Token buckets per peer: each may spend at once what it has saved, and saves at a steady rate. */
import type { Clock } from '@skerry/base';

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Peers beyond this number share what a fresh one gets: the longest unseen are forgotten first. */
const MAX_PEERS = 10_000;

interface Bucket {
  tokens: number;
  filledAt: number;
}

export class RateLimiter {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #rate: Rate;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Pick<Clock, 'monotonic'>, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Takes one token; false when the peer has none left. */
  take(peer: string): boolean {
    const bucket = this.#refill(peer);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  #refill(peer: string): Bucket {
    const { perSecond, burst } = this.#rate;
    const now = this.#clock.monotonic();
    const known = this.#buckets.get(peer);
    if (known === undefined) return this.#add(peer, { tokens: burst, filledAt: now });
    known.tokens = Math.min(burst, known.tokens + ((now - known.filledAt) / 1000) * perSecond);
    known.filledAt = now;
    return known;
  }

  #add(peer: string, bucket: Bucket): Bucket {
    this.#buckets.set(peer, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_PEERS && oldest !== undefined) this.#buckets.delete(oldest);
    return bucket;
  }
}
