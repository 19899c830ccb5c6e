/** A WebSocket as the link uses it: binary, uncompressed, bounded, and with the same few listeners for all. */
import type { Clock } from '@skerry/base';
import { WebSocket } from 'ws';
import { MAX_WIRE_MESSAGE_BYTES } from '../limits.ts';

/** How long the other side has to answer a close before the socket is destroyed. */
const CLOSE_GRACE_MS = 1_000;
const MAX_REASON_BYTES = 120;

/** Options of both the client and the server side. */
export const socketOptions = {
  perMessageDeflate: false,
  maxPayload: MAX_WIRE_MESSAGE_BYTES,
  skipUTF8Validation: true,
  autoPong: false,
} as const;

/** Who gets what happens on a socket. */
export interface SocketOwner {
  onSocketMessage(socket: LinkSocket, bytes: Uint8Array): void;
  onSocketWritten(socket: LinkSocket, bytes: number): void;
  onSocketClosed(socket: LinkSocket, reason: string): void;
}

/** The listeners are shared functions, not closures: ten thousand idle sockets cost what they hold, no more. */
export class LinkSocket extends WebSocket {
  path = 0;
  owner: SocketOwner | undefined;
  failure: string | undefined;
  remoteAddress: string | undefined;
}

/** From now on `owner` hears of the socket. */
export function attach(socket: LinkSocket, owner: SocketOwner, path: number): void {
  socket.owner = owner;
  socket.path = path;
  socket.on('message', onMessage);
  socket.on('close', onClose);
  socket.on('error', onError);
}

export function write(socket: LinkSocket, bytes: Uint8Array): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(bytes, { binary: true, compress: false }, () => socket.owner?.onSocketWritten(socket, bytes.length));
}

/** Closes politely, and by force when there is no answer. The owner is told once, by `onSocketClosed`. */
export function close(socket: LinkSocket, clock: Clock, code: number, reason: string): void {
  socket.close(code, Buffer.from(reason).subarray(0, MAX_REASON_BYTES));
  clock.after(CLOSE_GRACE_MS, () => socket.terminate(), { unref: true });
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  if (!(this instanceof LinkSocket)) return;
  if (isBinary && data instanceof Uint8Array) this.owner?.onSocketMessage(this, data);
  else this.close(1003);
}

function onError(this: WebSocket, error: Error): void {
  if (this instanceof LinkSocket) this.failure ??= error.message;
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  if (!(this instanceof LinkSocket)) return;
  const said = reason.toString('utf8');
  this.owner?.onSocketClosed(this, this.failure ?? (said === '' ? `closed with code ${code}` : said));
  this.owner = undefined;
}
