/** So many a second, and as many at once after a pause. */
import type { Clock } from '@skerry/base';

export interface Rate {
  /** Whether one more may be; then it counts. */
  take(): boolean;
}

export function createRate(perSecond: number, clock: Clock): Rate {
  let tokens = perSecond;
  let at = clock.monotonic();
  return {
    take: () => {
      const now = clock.monotonic();
      tokens = Math.min(perSecond, tokens + ((now - at) * perSecond) / 1000);
      at = now;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
