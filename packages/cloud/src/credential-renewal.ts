/** The cloud's own certificates are looked at again and again, and renewed before they end. */
import { type Clock, type Logger, messageOf } from '@skerry/base';

export const CREDENTIAL_CHECK_MS = 6 * 3_600_000;
export const CREDENTIAL_RETRY_MS = 10 * 60_000;

export interface RenewalOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Reissues what is near its end and puts it to use. Called again after a failure, so doing it twice must do no harm. */
  readonly renew: () => void;
}

/** Goes on until `signal` aborts; a turn that fails is done again soon. */
export async function renewCredentials({ clock, log, signal, renew }: RenewalOptions): Promise<void> {
  let pause = CREDENTIAL_CHECK_MS;
  for (;;) {
    await clock.sleep(pause, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      renew();
      pause = CREDENTIAL_CHECK_MS;
    } catch (error) {
      log.error({ error: messageOf(error) }, 'certificates of the cloud not renewed');
      pause = CREDENTIAL_RETRY_MS;
    }
  }
}
