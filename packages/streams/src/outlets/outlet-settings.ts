/** What an Outlet's resource says of its queue, as the queue needs it. */
import { parseDuration } from '@skerry/api/durations';
import type { Outlet } from '../kinds/index.ts';
import type { RouteSettings } from '../road/contract.ts';
import { periodMs } from '../road/edge/route-settings.ts';

const DAY_MS = 86_400_000;
const DEFAULTS = { maxRows: 5000, maxDelayMs: 1000, maxBytes: 1024 ** 3, maxAgeMs: 7 * DAY_MS };

export function queueSettings({ batch = {}, queue = {} }: Outlet['spec']): RouteSettings {
  return {
    priority: 'Live',
    maxRows: batch.maxRows ?? DEFAULTS.maxRows,
    maxDelayMs: parseDuration(batch.maxDelay ?? '') ?? DEFAULTS.maxDelayMs,
    maxBytes: queue.maxBytes ?? DEFAULTS.maxBytes,
    maxAgeMs: periodMs(queue.maxAge ?? '') ?? DEFAULTS.maxAgeMs,
    windows: [],
  };
}
