/** The public keys that the cloud's tokens are checked with: fetched at each new link, kept for the time without one. */
import { type BackoffPolicy, backoffDelay, type Clock, type Logger, messageOf } from '@skerry/base';
import type { EdgeLink } from '@skerry/link/node';
import { JWKS_PATH } from '@skerry/security/tokens';
import type { AskCloud } from './cloud-requests.ts';
import type { LocalAccess } from './local-access.ts';

export interface CloudKeysOptions {
  readonly node: string;
  readonly ask: AskCloud;
  readonly link: Pick<EdgeLink, 'status' | 'onStatus'>;
  readonly access: Pick<LocalAccess, 'setCloudKeys'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const RETRY: BackoffPolicy = { baseMs: 1_000, capMs: 60_000 };
const REQUEST_TIMEOUT_MS = 10_000;

/** Resolves once `signal` aborts. A cloud that was restored or has new keys is known by its new link. */
export async function followCloudKeys(options: CloudKeysOptions): Promise<void> {
  const { link, clock, log, signal } = options;
  let [hasKeys, failures, wake] = [false, 0, new AbortController()];
  const forget = link.onStatus(({ connected }) => {
    if (!connected) hasKeys = false;
    wake.abort();
  });
  while (!signal.aborted) {
    wake = new AbortController();
    if (!hasKeys && link.status().connected) {
      try {
        await fetchKeys(options);
        [hasKeys, failures] = [true, 0];
      } catch (error) {
        // Until they come, pods are not let in with the tokens that the cloud gave them: somebody will look for the reason.
        log.warn({ error: messageOf(error) }, 'the keys of the cloud’s tokens did not come');
        await clock.sleep(backoffDelay(RETRY, failures++) + RETRY.baseMs, signal).catch(() => {});
        continue;
      }
    }
    if (!wake.signal.aborted) await aborted(AbortSignal.any([signal, wake.signal]));
  }
  forget();
}

async function fetchKeys({ node, ask, access, signal }: CloudKeysOptions): Promise<void> {
  const { status, body } = await ask({
    method: 'GET',
    path: JWKS_PATH,
    query: new URLSearchParams(),
    headers: { accept: 'application/json' },
    user: { username: `system:node:${node}`, groups: [] },
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
  });
  const text = Buffer.from(body as Uint8Array).toString();
  if (status !== 200) throw new Error(`the cloud answered ${status}: ${text.slice(0, 200)}`);
  access.setCloudKeys(text);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
