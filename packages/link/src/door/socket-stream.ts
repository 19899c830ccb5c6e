/** A stream of messages over a local socket: the length of each in four bytes before it. The end of a direction is the socket's own. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { messageOf } from '@skerry/base';
import type { LinkStream } from '../contract.ts';
import { errors } from '../errors.ts';
import { MAX_STREAM_MESSAGE_BYTES } from '../limits.ts';

const LENGTH_BYTES = 4;

export class SocketStream implements LinkStream {
  readonly incoming: AsyncIterable<Uint8Array>;
  readonly closed: Promise<void>;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.incoming = splitMessages(socket);
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    // Whoever reads or sends hears of it; nobody else has to.
    socket.on('error', () => {});
  }

  async send(message: Uint8Array): Promise<void> {
    if (message.length > MAX_STREAM_MESSAGE_BYTES)
      throw errors.MESSAGE_TOO_LARGE({ size: message.length, limit: MAX_STREAM_MESSAGE_BYTES });
    if (!this.#socket.writable) throw errors.STREAM_CLOSED();
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(message.length);
    this.#socket.cork();
    this.#socket.write(length);
    const hasRoom = this.#socket.write(message);
    this.#socket.uncork();
    if (hasRoom) return;
    await Promise.race([once(this.#socket, 'drain'), this.closed]).catch((cause: unknown) => {
      throw errors.STREAM_CLOSED({}, { cause });
    });
    if (this.#socket.destroyed) throw errors.STREAM_CLOSED();
  }

  end(): void {
    this.#socket.end();
  }

  abort(_reason: string): void {
    this.#socket.destroy();
  }
}

/** A length is checked before anything is kept for it. */
async function* splitMessages(socket: Socket): AsyncGenerator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= LENGTH_BYTES) {
      const size = rest.readUInt32LE(at);
      if (size > MAX_STREAM_MESSAGE_BYTES) throw errors.MESSAGE_TOO_LARGE({ size, limit: MAX_STREAM_MESSAGE_BYTES });
      const end = at + LENGTH_BYTES + size;
      if (end > rest.length) break;
      yield rest.subarray(at + LENGTH_BYTES, end);
      at = end;
    }
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw errors.STREAM_ABORTED({ text: 'it ended within a message' });
}

/** Carries what comes of each to the other, until both have ended or one breaks. */
export async function joinStreams(one: LinkStream, other: LinkStream): Promise<void> {
  const carry = async (from: LinkStream, to: LinkStream): Promise<void> => {
    for await (const message of from.incoming) await to.send(message);
    to.end();
  };
  try {
    await Promise.all([carry(one, other), carry(other, one)]);
  } catch (error) {
    one.abort(messageOf(error));
    other.abort(messageOf(error));
  }
}
