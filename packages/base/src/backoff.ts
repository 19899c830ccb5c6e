/** Exponential backoff with full jitter (AWS Architecture Blog, 2015): the n-th delay is uniform in [0, min(cap, base · factorⁿ)). */
export interface BackoffPolicy {
  readonly baseMs: number;
  readonly capMs: number;
  readonly factor?: number;
}

/** The delay before attempt `attempt`. Attempt 0 is the first *re*try. `random` yields numbers in [0, 1). */
export function backoffDelay(policy: BackoffPolicy, attempt: number, random: () => number = Math.random): number {
  return random() * backoffCeiling(policy, attempt);
}

/** The upper bound of the delay before attempt `attempt`. */
export function backoffCeiling(policy: BackoffPolicy, attempt: number): number {
  const growth = (policy.factor ?? 2) ** Math.min(Math.max(0, attempt), 64);
  return Math.min(policy.capMs, policy.baseMs * growth);
}
