/** One session as the edge holds it, and what follows from it alone. */
import { LINGER_MS } from '../limits.ts';
import type { Channel } from './channel.ts';
import type { EdgeEffect } from './edge-events.ts';
import type { EdgeSync } from './edge-sync.ts';
import { silentAt } from './path-frames.ts';
import type { Streams } from './streams.ts';

export interface HeldSession {
  readonly key: Uint8Array;
  readonly sessionNumber: number;
  readonly channel: Channel;
  readonly streams: Streams;
  /** There once the number is on disk. */
  sync: EdgeSync | undefined;
  pathlessSince: number;
}

/** When it is to be looked at, at the latest. */
export function deadlineOf({ channel, pathlessSince }: HeldSession): number {
  let next = channel.active === undefined ? Number.POSITIVE_INFINITY : channel.ackDueAt;
  for (const path of channel.paths) next = Math.min(next, path.pingDueAt, silentAt(path));
  return channel.paths.length === 0 ? Math.min(next, pathlessSince + LINGER_MS) : next;
}

/** Invariant: a session with a number on disk and a path has an active path. */
export function failOver({ channel, sync }: HeldSession): void {
  const best = channel.paths.toSorted((one, other) => (one.rttMs ?? 0) - (other.rttMs ?? 0))[0];
  if (best !== undefined && sync !== undefined) channel.switchTo(best);
}

/** Streams and outbox take turns for the room in their lane. Whether anything went. */
export function fillLane({ streams, sync }: HeldSession, now: number, out: EdgeEffect[]): boolean {
  if (sync === undefined) return false;
  const moved = streams.fill(now, out);
  return sync.fill(out) || moved;
}
