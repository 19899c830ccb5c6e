/** Join tokens that nobody can use any more are deleted after a while in which a person may still want to see what became of them. */
import type { Gvr, KubeObject } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';

const JOIN_TOKENS: Gvr = { group: 'security.skerry.io', version: 'v1alpha1', resource: 'jointokens' };
export const SWEEP_EVERY_MS = 10 * 60_000;
export const KEPT_AFTER_EXPIRY_MS = 24 * 3_600_000;

export interface SweeperOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Sweeps until `signal` aborts; a sweep that fails is done again at the next turn. */
export async function sweepTokens({ client, clock, log, signal }: SweeperOptions): Promise<void> {
  while (!signal.aborted) {
    try {
      const { items } = await client.list(JOIN_TOKENS, { signal });
      for (const { metadata } of items.filter((token) => isOver(token, clock.now()))) {
        await client.delete({ gvr: JOIN_TOKENS, name: metadata.name ?? '' }, { signal });
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ error: messageOf(error) }, 'old join tokens not deleted');
    }
    await clock.sleep(SWEEP_EVERY_MS, signal).catch(() => {});
  }
}

function isOver({ spec }: KubeObject, now: number): boolean {
  const { expirationTimestamp } = (spec ?? {}) as { readonly expirationTimestamp?: string };
  return Date.parse(expirationTimestamp ?? '') + KEPT_AFTER_EXPIRY_MS < now;
}
