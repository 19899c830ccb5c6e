/** What a path does for itself on either side: pings, acknowledgements, and noticing silence. */
import { errors } from '../errors.ts';
import { SILENT_HEARTBEATS } from '../limits.ts';
import type { Channel, Path, WriteEffect } from './channel.ts';
import type { PathFrame } from './frame.ts';

type Out = { push(effect: WriteEffect): unknown };

/** Nonces stay at or below this, so that a heartbeat is three bytes. */
const MAX_NONCE = 127;

/**
 * Asks a comer, who has no path of the session yet. Invariant: no ping of a path has it, or a comer's answer that comes in after
 * its welcome would answer for a process that is gone by now.
 */
export const COMER_NONCE = 0;

/** Handles ping, pong and acknowledgement; returns the frames that are the session's business. */
export function onPathFrame(
  channel: Channel,
  path: Path,
  frame: PathFrame,
  now: number,
  out: Out,
): PathFrame | undefined {
  switch (frame.type) {
    case 'ping':
      channel.sendOn(path, { type: 'pong', nonce: frame.nonce }, out);
      return undefined;
    case 'pong':
      if (frame.nonce === path.pingNonce && path.pingSentAt >= 0) {
        path.rttMs = now - path.pingSentAt;
        path.pingSentAt = -1;
      }
      return undefined;
    case 'ack':
      channel.onAck(frame.received);
      return undefined;
    default:
      return frame;
  }
}

export function ping(channel: Channel, path: Path, now: number, out: Out): void {
  path.pingNonce = (path.pingNonce % MAX_NONCE) + 1;
  path.pingSentAt = now;
  path.pingDueAt = now + path.heartbeatMs;
  channel.sendOn(path, { type: 'ping', nonce: path.pingNonce }, out);
}

/** When a path that stays silent counts as half-open. */
export function silentAt(path: Path): number {
  return path.heardAt + path.heartbeatMs * SILENT_HEARTBEATS;
}

export function unexpected(frame: { readonly type: string }): Error {
  return errors.PROTOCOL({ detail: `frame ${frame.type} does not belong here` });
}
