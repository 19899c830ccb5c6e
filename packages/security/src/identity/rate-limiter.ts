/** Token buckets by key. At most `maxKeys` are remembered: the ones used longest ago are forgotten, full again. */
import type { Clock } from '@skerry/base';

export interface RateLimit {
  readonly burst: number;
  readonly perSecond: number;
  readonly maxKeys: number;
}

export interface RateLimiter {
  /** Takes one; false when the key has none left. */
  take(key: string): boolean;
  /** Whether one could be taken now. */
  hasRoom(key: string): boolean;
}

export function createRateLimiter(clock: Clock, { burst, perSecond, maxKeys }: RateLimit): RateLimiter {
  const buckets = new Map<string, { left: number; at: number }>();
  const refilled = (key: string) => {
    const now = clock.monotonic();
    const bucket = buckets.get(key);
    const left = bucket ? Math.min(burst, bucket.left + ((now - bucket.at) / 1000) * perSecond) : burst;
    return { left, at: now };
  };
  return {
    hasRoom: (key) => refilled(key).left >= 1,
    take: (key) => {
      const bucket = refilled(key);
      const isAllowed = bucket.left >= 1;
      if (isAllowed) bucket.left -= 1;
      // Deleted first, so that the map's order is the order of use.
      buckets.delete(key);
      if (buckets.size >= maxKeys) buckets.delete(buckets.keys().next().value ?? '');
      buckets.set(key, bucket);
      return isAllowed;
    },
  };
}
