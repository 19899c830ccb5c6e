/** A pipe of bytes with back-pressure: a raw socket, or the binary messages of a WebSocket. */
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { streamingErrors } from './errors.ts';

export interface ByteChannel {
  readonly incoming: AsyncIterable<Uint8Array>;
  /** Resolves when the bytes have left for the kernel, so that a slow client slows the sender. */
  send(bytes: Uint8Array): Promise<void>;
  end(): void;
  destroy(): void;
}

export function socketChannel(socket: Duplex, head: Buffer): ByteChannel {
  if (head.length > 0) socket.unshift(head);
  socket.on('error', () => {});
  return {
    incoming: socket,
    send: (bytes) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) reject(streamingErrors.CLOSED());
        else socket.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    end: () => socket.end(),
    destroy: () => socket.destroy(),
  };
}

/** How many received messages may wait before the socket is paused. */
const MAX_WAITING_MESSAGES = 16;

/** The messages of a WebSocket, pulled one by one; the socket rests while the consumer is behind. Text becomes UTF-8 bytes. */
export async function* messagesOf(socket: WebSocket): AsyncGenerator<Uint8Array> {
  const waiting: Uint8Array[] = [];
  let wake = () => {};
  let ended = false;
  socket.on('message', (data) => {
    waiting.push(asBytes(data));
    if (waiting.length >= MAX_WAITING_MESSAGES) socket.pause();
    wake();
  });
  const onEnd = () => {
    ended = true;
    wake();
  };
  socket.on('close', onEnd);
  socket.on('error', onEnd);
  for (;;) {
    const message = waiting.shift();
    if (message !== undefined) {
      if (waiting.length === 0 && socket.isPaused) socket.resume();
      yield message;
    } else if (ended) return;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}

export function sendMessage(socket: WebSocket, message: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(message, { binary: typeof message !== 'string' }, (error) => (error ? reject(error) : resolve()));
  });
}

/** SPDY tunnelled through a WebSocket (KEP-4006): the binary messages are the byte stream. */
export function webSocketChannel(socket: WebSocket): ByteChannel {
  return {
    incoming: messagesOf(socket),
    send: (bytes) => sendMessage(socket, bytes),
    end: () => socket.close(1000),
    destroy: () => socket.terminate(),
  };
}

function asBytes(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
