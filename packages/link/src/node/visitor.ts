/** A connection that has not greeted yet. */
import type { IncomingMessage } from 'node:http';
import { type Clock, messageOf } from '@skerry/base';
import { CloseCode, decodeFrames } from '../core/frame.ts';
import type { Hello } from '../core/hub-events.ts';
import { HELLO_TIMEOUT_MS } from '../limits.ts';
import { close, type LinkSocket, type SocketOwner } from './link-socket.ts';
import { NO_SLOT, type WheelItem } from './timer-wheel.ts';

export interface VisitorHost {
  readonly clock: Clock;
  readonly onHello: (visitor: Visitor) => void;
  readonly onGone: (visitor: Visitor) => void;
}

export class Visitor implements SocketOwner, WheelItem {
  readonly node: string;
  readonly socket: LinkSocket;
  /** Gone once it was asked about: a timer may hold the visitor for a while, and a request is large. */
  request: IncomingMessage | undefined;
  readonly #host: VisitorHost;
  readonly #until: number;
  wheelSlot = NO_SLOT;
  hello: Hello | undefined;
  isGone = false;

  constructor(node: string, socket: LinkSocket, request: IncomingMessage, host: VisitorHost) {
    this.node = node;
    this.socket = socket;
    this.request = request;
    this.#host = host;
    this.#until = host.clock.monotonic() + HELLO_TIMEOUT_MS;
  }

  deadline(): number {
    return this.isGone || this.hello !== undefined ? Number.POSITIVE_INFINITY : this.#until;
  }

  onDue(): void {
    this.#sendAway('no hello in time');
  }

  onSocketMessage(_socket: LinkSocket, bytes: Uint8Array): void {
    if (this.isGone) return;
    try {
      const [only, ...others] = decodeFrames(bytes);
      if (only?.frame.type !== 'hello' || others.length > 0 || this.hello !== undefined) {
        this.#sendAway('expected one hello');
        return;
      }
      this.hello = only.frame;
    } catch (error) {
      this.#sendAway(messageOf(error));
      return;
    }
    this.#host.onHello(this);
  }

  onSocketWritten(): void {}

  onSocketClosed(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#host.onGone(this);
  }

  #sendAway(reason: string): void {
    close(this.socket, this.#host.clock, CloseCode.protocol, reason);
    this.onSocketClosed();
  }
}
