/** A gRPC call with many messages each way, on a stream of HTTP/2. */
import { type ClientHttp2Stream, constants } from 'node:http2';
import { errors } from './errors.ts';
import { FRAME_HEAD_BYTES, framed, MAX_ANSWER_BYTES, type Outcome, outcomeOf } from './grpc-frame.ts';

/** A peer that says nothing for so long is gone. */
const IDLE_MS = 120_000;

export interface GrpcCall {
  send(message: Uint8Array): void;
  /** No more from here. */
  end(): void;
  /** The next message; undefined once the peer has ended the call well. Rejects with an error of the CRI table. */
  next(): Promise<Buffer | undefined>;
  /** Breaks the call off, if it is not over. */
  close(): void;
}

export function callOver(
  stream: ClientHttp2Stream,
  { socket, method }: { readonly socket: string; readonly method: string },
): GrpcCall {
  const outcome = outcomeOf(stream, method);
  const messages = messagesOf(stream, outcome, { socket, method });
  stream.setTimeout(IDLE_MS, () => stream.destroy(errors.TIMED_OUT({ method, ms: IDLE_MS })));
  return {
    send: (message) => void stream.write(framed(message)),
    end: () => void stream.end(),
    next: async () => {
      const { value } = await messages.next();
      return value ?? undefined;
    },
    close: () => stream.close(constants.NGHTTP2_CANCEL),
  };
}

async function* messagesOf(
  stream: ClientHttp2Stream,
  outcome: Outcome,
  { socket, method }: { readonly socket: string; readonly method: string },
): AsyncGenerator<Buffer, undefined> {
  const frames = new FrameReader(method);
  try {
    for await (const chunk of stream) {
      frames.push(chunk as Buffer);
      for (let message = frames.next(); message !== undefined; message = frames.next()) yield message;
    }
  } catch (cause) {
    throw outcome.failure() ?? (isOurs(cause) ? cause : errors.NOT_REACHED({ socket }, { cause }));
  }
  const failure = outcome.failure();
  if (failure !== undefined) throw failure;
  if (!outcome.isKnown()) throw errors.NOT_REACHED({ socket });
  return undefined;
}

/** Messages out of pieces of any size: put together once, when the last piece is there. */
class FrameReader {
  readonly #method: string;
  #pieces: Buffer[] = [];
  #size = 0;
  /** With its head; what is known before the head has come is the head's own length. */
  #wanted = FRAME_HEAD_BYTES;

  constructor(method: string) {
    this.#method = method;
  }

  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#size += piece.length;
  }

  next(): Buffer | undefined {
    if (this.#size < this.#wanted) return undefined;
    const whole = this.#pieces.length === 1 ? (this.#pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#pieces);
    const length = whole.readUInt32BE(1);
    if (length > MAX_ANSWER_BYTES) throw errors.ANSWER_TOO_LARGE({ method: this.#method, limit: MAX_ANSWER_BYTES });
    const end = FRAME_HEAD_BYTES + length;
    const isWhole = whole.length >= end;
    this.#keep(isWhole ? whole.subarray(end) : whole, isWhole ? FRAME_HEAD_BYTES : end);
    return isWhole ? whole.subarray(FRAME_HEAD_BYTES, end) : undefined;
  }

  #keep(rest: Buffer, wanted: number): void {
    this.#pieces = [rest];
    this.#size = rest.length;
    this.#wanted = wanted;
  }
}

function isOurs(error: unknown): error is Error {
  return error instanceof Error && error.name === 'CodedError';
}
