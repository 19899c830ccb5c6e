/** A fingerprint of a set of keys and versions that can be kept up to date one pair at a time. */

export interface Digest {
  readonly count: number;
  /** Two sums modulo 2³² of two hashes of each pair: order does not matter, and a pair can be taken out again. */
  readonly high: number;
  readonly low: number;
}

const EMPTY_DIGEST: Digest = { count: 0, high: 0, low: 0 };

export function withPair(digest: Digest, key: string, version: string): Digest {
  const { high, low } = hashPair(key, version);
  return { count: digest.count + 1, high: (digest.high + high) >>> 0, low: (digest.low + low) >>> 0 };
}

export function withoutPair(digest: Digest, key: string, version: string): Digest {
  const { high, low } = hashPair(key, version);
  return { count: digest.count - 1, high: (digest.high - high) >>> 0, low: (digest.low - low) >>> 0 };
}

export function digestOf(pairs: Iterable<readonly [key: string, version: string]>): Digest {
  let digest = EMPTY_DIGEST;
  for (const [key, version] of pairs) digest = withPair(digest, key, version);
  return digest;
}

export function isSameDigest(a: Digest, b: Digest): boolean {
  return a.count === b.count && a.high === b.high && a.low === b.low;
}

// FNV-1a over both texts, twice with different primes and a final mix: not against attackers (the cloud makes both sides'
// versions) but against chance.
function hashPair(key: string, version: string): { readonly high: number; readonly low: number } {
  let high = 0x811c9dc5;
  let low = 0x9747b28c;
  for (const text of [key, '\0', version]) {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      high = Math.imul(high ^ unit, 0x01000193);
      low = Math.imul(low ^ unit, 0x5bd1e995);
    }
  }
  return { high: mix(high), low: mix(low) };
}

/** The finalizer of MurmurHash3. */
function mix(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
