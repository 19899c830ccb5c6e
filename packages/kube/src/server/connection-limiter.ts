/** Counts connections, in all and per peer, and cuts those over the limit before they cost a handshake. */
import type { Socket } from 'node:net';
import type { HttpLimits } from './limits.ts';

export class ConnectionLimiter {
  readonly #limits: Pick<HttpLimits, 'maxConnections' | 'maxConnectionsPerPeer'>;
  readonly #perPeer = new Map<string, number>();
  #size = 0;

  constructor(limits: Pick<HttpLimits, 'maxConnections' | 'maxConnectionsPerPeer'>) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** Destroys the socket and returns false when there are too many. */
  admit(socket: Socket): boolean {
    const peer = socket.remoteAddress ?? '';
    const count = this.#perPeer.get(peer) ?? 0;
    if (this.#size >= this.#limits.maxConnections || count >= this.#limits.maxConnectionsPerPeer) {
      socket.destroy();
      return false;
    }
    this.#size++;
    this.#perPeer.set(peer, count + 1);
    socket.once('close', () => this.#release(peer));
    return true;
  }

  #release(peer: string): void {
    this.#size--;
    const count = (this.#perPeer.get(peer) ?? 1) - 1;
    if (count === 0) this.#perPeer.delete(peer);
    else this.#perPeer.set(peer, count);
  }
}
