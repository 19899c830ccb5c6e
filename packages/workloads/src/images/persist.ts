/** Going on after failures that pass: a link that breaks every few seconds still brings an image, as long as each try brings some. */
import { type BackoffPolicy, backoffDelay, type Clock, hasCode, messageOf } from '@skerry/base';

const RETRY: BackoffPolicy = { baseMs: 250, capMs: 8000 };
/** Tries in a row that bring nothing. The pod's own back-off repeats the whole pull later. */
const MAX_STALLS = 6;

export interface PersistContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onSetback: (reason: string) => void;
}

/** `attempt` calls `advanced` once it has got on. Throws the last failure, or the first that does not pass. */
export async function persist<Result>(
  { clock, signal, onSetback }: PersistContext,
  attempt: (advanced: () => void) => Promise<Result>,
): Promise<Result> {
  for (let stalls = 0; ; ) {
    let hasAdvanced = false;
    try {
      return await attempt(() => {
        hasAdvanced = true;
      });
    } catch (error) {
      signal.throwIfAborted();
      stalls = hasAdvanced ? 0 : stalls + 1;
      if (!isPassing(error) || stalls > MAX_STALLS) throw error;
      onSetback(messageOf(error));
      await clock.sleep(backoffDelay(RETRY, stalls), signal);
    }
  }
}

function isPassing(error: unknown): boolean {
  return hasCode(error) && error.retry !== 'never';
}
