/** When the edge dials: the first try at once, then after an exponential backoff with full jitter. */
import { backoffCeiling, backoffDelay } from '@skerry/base';
import { RECONNECT_BACKOFF, REFUSED_BACKOFF, STABLE_MS } from '../limits.ts';
import { Reason } from './frame.ts';

export class DialPlan {
  readonly #random: () => number;
  #failures = 0;
  #turn = 0;
  dialAt = Number.POSITIVE_INFINITY;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Counts dials, so that each goes to the next endpoint. */
  takeTurn(): number {
    return this.#turn++;
  }

  dialNow(now: number): void {
    this.#failures = 0;
    this.dialAt = now;
  }

  stop(): void {
    this.dialAt = Number.POSITIVE_INFINITY;
  }

  onFailure(now: number): void {
    this.dialAt = now + backoffDelay(RECONNECT_BACKOFF, this.#failures++, this.#random);
  }

  /** A path was lost that had been up since `openedAt`. One that never lasts must not be redialled in a loop. */
  onLoss(openedAt: number, now: number): void {
    if (now - openedAt >= STABLE_MS) this.dialNow(now);
    else this.onFailure(now);
  }

  onRefusal(reason: Reason, retryAfterMs: number, now: number): void {
    if (isLasting(reason)) {
      const half = backoffCeiling(REFUSED_BACKOFF, this.#failures++) / 2;
      this.dialAt = now + half + half * this.#random();
      return;
    }
    this.onFailure(now);
    this.dialAt += retryAfterMs * (1 + this.#random());
  }
}

function isLasting(reason: Reason): boolean {
  return reason === Reason.copy || reason === Reason.revoked || reason === Reason.version;
}
