/** Kubernetes' crash-loop back-off: at once, then 10 s after the end, doubling to 5 min; forgotten after 10 quiet minutes. Pure. */
const INITIAL_BACKOFF_MS = 10_000;
const MAX_BACKOFF_MS = 300_000;
const RESET_AFTER_MS = 2 * MAX_BACKOFF_MS;

export interface RestartBackoff {
  readonly delayMs: number;
  /** When the last restart was decided. */
  readonly updatedAt: number;
}

/** When a container that ended at `finishedAt` may start again. */
export function restartAt(backoff: RestartBackoff | undefined, finishedAt: number): number {
  if (backoff === undefined || finishedAt - backoff.updatedAt > RESET_AFTER_MS) return finishedAt;
  return finishedAt + backoff.delayMs;
}

/** The state after a restart at `now` of a container that ended at `finishedAt`. */
export function afterRestart(backoff: RestartBackoff | undefined, finishedAt: number, now: number): RestartBackoff {
  const isFresh = backoff === undefined || finishedAt - backoff.updatedAt > RESET_AFTER_MS;
  return { delayMs: isFresh ? INITIAL_BACKOFF_MS : Math.min(MAX_BACKOFF_MS, backoff.delayMs * 2), updatedAt: now };
}
