/**
 * gRPC over a unix socket, straight on node:http2. What container runtimes need of it is messages each way and a status; the usual
 * library would cost the agent some ten megabytes for streams, load balancing and name resolution.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { errors } from './errors.ts';
import { FRAME_HEAD_BYTES, framed, MAX_ANSWER_BYTES, outcomeOf } from './grpc-frame.ts';
import { callOver, type GrpcCall } from './grpc-stream.ts';

type Headers = Readonly<Record<string, string>>;

export interface GrpcChannel {
  /** `path` is `/SERVICE/METHOD`. Resolves with the answer's message; rejects with an error of the CRI table. */
  call(path: string, request: Uint8Array, options: CallOptions): Promise<Buffer>;
  /** For methods that stream. */
  open(path: string, headers: Headers): GrpcCall;
  close(): void;
}

export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly headers?: Headers;
}

/** One connection, made when first needed and made anew after it broke. */
export function openGrpcChannel(socket: string): GrpcChannel {
  let session: ClientHttp2Session | undefined;
  const live = (): ClientHttp2Session => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const fresh = connect('http://localhost', { createConnection: () => connectSocket(socket) });
    // Each call hears of it by its own stream.
    fresh.on('error', () => {});
    fresh.on('goaway', () => fresh.close());
    session = fresh;
    return fresh;
  };
  return {
    call: (path, request, options) => unary(live(), { socket, path, request, ...options }),
    open: (path, headers) => callOver(begin(live(), path, headers), { socket, method: methodOf(path) }),
    close: () => session?.destroy(),
  };
}

interface Call extends CallOptions {
  readonly socket: string;
  readonly path: string;
  readonly request: Uint8Array;
}

function begin(session: ClientHttp2Session, path: string, headers: Headers): ClientHttp2Stream {
  return session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
}

function methodOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function unary(
  session: ClientHttp2Session,
  { socket, path, request, timeoutMs, signal, headers }: Call,
): Promise<Buffer> {
  const method = methodOf(path);
  return new Promise((resolve, reject) => {
    const stream = begin(session, path, headers ?? {});
    const cancel = () => {
      stream.close(constants.NGHTTP2_CANCEL);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      stream.close(constants.NGHTTP2_CANCEL);
      reject(errors.TIMED_OUT({ method, ms: timeoutMs }));
    }, timeoutMs);
    stream.once('close', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      reject(errors.NOT_REACHED({ socket }));
    });
    stream.once('error', (cause) => reject(errors.NOT_REACHED({ socket }, { cause })));
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    readAnswer(stream, method).then(resolve, reject);
    stream.end(framed(request));
  });
}

/** A stream that breaks before the trailers is its caller's business: this promise then stays open for ever. */
function readAnswer(stream: ClientHttp2Stream, method: string): Promise<Buffer> {
  const outcome = outcomeOf(stream, method);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= MAX_ANSWER_BYTES) return;
      stream.close(constants.NGHTTP2_CANCEL);
      reject(errors.ANSWER_TOO_LARGE({ method, limit: MAX_ANSWER_BYTES }));
    });
    stream.once('end', () => {
      const failure = outcome.failure();
      if (failure !== undefined) reject(failure);
      else if (outcome.isKnown()) resolve(Buffer.concat(chunks).subarray(FRAME_HEAD_BYTES));
    });
  });
}
