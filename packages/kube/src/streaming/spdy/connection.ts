/** One SPDY/3.1 connection, as far as Kubernetes uses it: the client opens streams, the server answers. */
import type { ByteChannel } from '../byte-channel.ts';
import { streamingErrors } from '../errors.ts';
import {
  controlFrame,
  dataFrame,
  FLAG_FIN,
  FrameType,
  type SpdyFrame,
  SpdyFrameParser,
  type SpdyHeaders,
  wordsFrame,
} from './frames.ts';
import { HeaderCodec } from './header-codec.ts';

/** Streams that may be open at once on one connection; one more is refused. */
const MAX_SPDY_STREAMS = 256;
/** Bytes that may wait for one stream's consumer before the connection stops reading. */
const MAX_STREAM_BUFFER_BYTES = 256 * 1024;
const MAX_DATA_BYTES = 32 * 1024;
const RST_PROTOCOL_ERROR = 1;
const RST_REFUSED_STREAM = 3;
const RST_CANCEL = 5;
/** Number, associated stream, priority. */
const SYN_STREAM_HEAD_BYTES = 10;

export interface SpdyStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly incoming: AsyncIterable<Uint8Array>;
  send(bytes: Uint8Array): Promise<void>;
  /** Ends our direction. */
  end(): Promise<void>;
  /** Ends both directions at once. */
  reset(): Promise<void>;
}

export interface SpdyConnectionOptions {
  readonly channel: ByteChannel;
  readonly onStream: (stream: SpdyStream) => void;
}

/** Serves the connection until the client or the channel ends; rejects when the client breaks the protocol. */
export async function serveSpdy({ channel, onStream }: SpdyConnectionOptions): Promise<void> {
  using connection = new SpdyConnection(channel, onStream);
  await follow(connection, channel);
}

export interface SpdyClient {
  /** Opens a stream; its first bytes may follow at once. Await one before the next: their headers share a context. */
  open(headers: SpdyHeaders): Promise<SpdyStream>;
  close(): void;
}

/** The client's side, on a channel that a server has upgraded. */
export function connectSpdy(channel: ByteChannel): SpdyClient {
  // A server opens nothing; what it opens all the same is ended at once.
  const refuse = (stream: SpdyStream) => void stream.reset().catch(() => {});
  // Kubernetes' servers close as soon as they have written all. Credit that arrives after that would make their kernel reset
  // the connection, and ours throw away what it has not read yet; they do not ask for any either.
  const connection = new SpdyConnection(channel, refuse, false);
  follow(connection, channel)
    .catch(() => channel.destroy())
    .finally(() => connection[Symbol.dispose]());
  return { open: (headers) => connection.open(headers), close: () => channel.destroy() };
}

async function follow(connection: SpdyConnection, channel: ByteChannel): Promise<void> {
  const parser = new SpdyFrameParser();
  try {
    for await (const bytes of channel.incoming) {
      for (const frame of parser.push(bytes)) await connection.accept(frame);
    }
  } finally {
    connection.closeAll();
    channel.end();
  }
}

class SpdyConnection implements Disposable {
  readonly #channel: ByteChannel;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #grantsCredit: boolean;
  readonly #codec = new HeaderCodec();
  readonly #streams = new Map<number, OpenStream>();
  /** Those that a client opens have odd numbers. */
  #nextId = 1;

  constructor(channel: ByteChannel, onStream: (stream: SpdyStream) => void, grantsCredit = true) {
    this.#channel = channel;
    this.#onStream = onStream;
    this.#grantsCredit = grantsCredit;
  }

  /** Resolves once there is room for more, so that reading on is safe. */
  async accept(frame: SpdyFrame): Promise<void> {
    if (frame.kind === 'data') return this.#acceptData(frame);
    switch (frame.type) {
      case FrameType.synStream:
        return this.#openStream(frame.flags, frame.payload);
      case FrameType.rstStream:
        return this.#forget(frame.payload.readUInt32BE(0) & 0x7fff_ffff);
      case FrameType.ping:
        return this.#channel.send(wordsFrame(FrameType.ping, frame.payload.readUInt32BE(0)));
      case FrameType.headers:
      case FrameType.synReply:
        // The block must pass through the shared zlib context even when nobody asks for it.
        await this.#codec.decode(frame.payload.subarray(4));
        return;
      default:
        return;
    }
  }

  async open(headers: SpdyHeaders): Promise<SpdyStream> {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new OpenStream(id, headers, this.#channel, () => this.#streams.delete(id));
    this.#streams.set(id, stream);
    const head = Buffer.alloc(SYN_STREAM_HEAD_BYTES);
    head.writeUInt32BE(id);
    const block = await this.#codec.encode(headers);
    await this.#channel.send(controlFrame(FrameType.synStream, 0, Buffer.concat([head, block])));
    return stream;
  }

  async #openStream(flags: number, payload: Buffer): Promise<void> {
    if (payload.length < SYN_STREAM_HEAD_BYTES)
      throw streamingErrors.PROTOCOL({ problem: 'a SYN_STREAM that is too short' });
    const id = payload.readUInt32BE(0) & 0x7fff_ffff;
    const headers = await this.#codec.decode(payload.subarray(SYN_STREAM_HEAD_BYTES));
    if (this.#streams.has(id)) return this.#channel.send(wordsFrame(FrameType.rstStream, id, RST_PROTOCOL_ERROR));
    if (this.#streams.size >= MAX_SPDY_STREAMS)
      return this.#channel.send(wordsFrame(FrameType.rstStream, id, RST_REFUSED_STREAM));
    const stream = new OpenStream(id, headers, this.#channel, () => this.#streams.delete(id));
    this.#streams.set(id, stream);
    const block = await this.#codec.encode({});
    const word = Buffer.alloc(4);
    word.writeUInt32BE(id);
    await this.#channel.send(controlFrame(FrameType.synReply, 0, Buffer.concat([word, block])));
    if ((flags & FLAG_FIN) !== 0) stream.finishIncoming();
    this.#onStream(stream);
  }

  async #acceptData({ stream: id, payload, fin }: Extract<SpdyFrame, { kind: 'data' }>): Promise<void> {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (payload.length > 0) {
      stream.push(payload);
      // Credit as soon as the bytes are here: this connection's own bound, not the protocol's window, limits memory.
      if (this.#grantsCredit) await this.#channel.send(wordsFrame(FrameType.windowUpdate, id, payload.length));
    }
    if (fin) stream.finishIncoming();
    await stream.room();
  }

  #forget(id: number): void {
    this.#streams.get(id)?.finishIncoming();
    this.#streams.delete(id);
  }

  closeAll(): void {
    for (const stream of this.#streams.values()) stream.finishIncoming();
    this.#streams.clear();
  }

  [Symbol.dispose](): void {
    this.#codec[Symbol.dispose]();
  }
}

class OpenStream implements SpdyStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly incoming: AsyncIterable<Uint8Array>;
  readonly #channel: ByteChannel;
  readonly #onDone: () => void;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #incomingEnded = false;
  #outgoingEnded = false;
  #wakeReader = () => {};
  #wakeWriter = () => {};

  constructor(id: number, headers: SpdyHeaders, channel: ByteChannel, onDone: () => void) {
    this.id = id;
    this.headers = headers;
    this.#channel = channel;
    this.#onDone = onDone;
    this.incoming = this.#read();
  }

  push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#wakeReader();
  }

  /** Resolves while the consumer keeps up, or once it has caught up again. */
  async room(): Promise<void> {
    while (this.#waitingBytes > MAX_STREAM_BUFFER_BYTES && !this.#incomingEnded) {
      await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    }
  }

  finishIncoming(): void {
    this.#incomingEnded = true;
    this.#wakeReader();
    this.#wakeWriter();
    this.#forgetWhenDone();
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += MAX_DATA_BYTES) {
      if (this.#outgoingEnded) throw streamingErrors.CLOSED();
      await this.#channel.send(dataFrame(this.id, bytes.subarray(offset, offset + MAX_DATA_BYTES)));
    }
  }

  async end(): Promise<void> {
    if (this.#outgoingEnded) return;
    this.#outgoingEnded = true;
    await this.#channel.send(dataFrame(this.id, new Uint8Array(0), true));
    this.#forgetWhenDone();
  }

  async reset(): Promise<void> {
    if (this.#outgoingEnded && this.#incomingEnded) return;
    this.#outgoingEnded = true;
    await this.#channel.send(wordsFrame(FrameType.rstStream, this.id, RST_CANCEL));
    this.finishIncoming();
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = this.#waiting.shift();
      if (bytes !== undefined) {
        this.#waitingBytes -= bytes.length;
        this.#wakeWriter();
        yield bytes;
      } else if (this.#incomingEnded) return;
      else await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }

  #forgetWhenDone(): void {
    if (this.#incomingEnded && this.#outgoingEnded) this.#onDone();
  }
}
