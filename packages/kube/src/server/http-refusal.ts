/** The last words on a connection that node's HTTP server has given up: nobody else would ever close it. */
import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '@skerry/base';

/** How long a client may take nothing of its refusal. */
export const REFUSAL_MS = 5_000;

/** Sends the text and destroys the connection, whether the client takes the text, closes its side, or does neither. */
export function endRefused(socket: Duplex, text: string, clock: Clock = systemClock): void {
  if (socket.destroyed) return;
  const timer = clock.after(REFUSAL_MS, () => socket.destroy(), { unref: true });
  socket.once('close', () => timer.cancel());
  // A connection that is closed on unread bytes is reset, and the client could lose the answer.
  socket.resume();
  socket.end(text, () => socket.destroy());
}
