/** Does something that must succeed in the end, such as a write to a disk that is full for now. */
import { backoffDelay, type Clock, type Logger } from '@skerry/base';

const STORE_BACKOFF = { baseMs: 100, capMs: 5_000 } as const;

export interface RetryContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Resolves true once `action` did, false when the signal aborted first. */
export async function untilDone(context: RetryContext, what: string, action: () => Promise<void>): Promise<boolean> {
  for (let attempt = 0; !context.signal.aborted; attempt++) {
    try {
      await action();
      return true;
    } catch (error) {
      context.log.error({ error, attempt }, `${what} failed, will be repeated`);
    }
    const delay = STORE_BACKOFF.baseMs + backoffDelay(STORE_BACKOFF, attempt, context.random);
    await context.clock.sleep(delay, context.signal).catch(() => {});
  }
  return false;
}
