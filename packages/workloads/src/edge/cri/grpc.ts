/**
 * Unary gRPC calls over a unix socket, straight on node:http2. The whole of what CRI needs of gRPC is one message each way and a
 * status; the usual library would cost the agent some ten megabytes for streams, load balancing and name resolution.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { errors } from './errors.ts';

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const FRAME_HEAD_BYTES = 5;
const STATUS_DEADLINE_EXCEEDED = 4;
const STATUS_NOT_FOUND = 5;

export interface GrpcChannel {
  /** `path` is `/SERVICE/METHOD`. Resolves with the answer's message; rejects with an error of the CRI table. */
  call(path: string, request: Uint8Array, options: CallOptions): Promise<Buffer>;
  close(): void;
}

export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
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
    close: () => session?.destroy(),
  };
}

interface Call extends CallOptions {
  readonly socket: string;
  readonly path: string;
  readonly request: Uint8Array;
}

function unary(session: ClientHttp2Session, { socket, path, request, timeoutMs, signal }: Call): Promise<Buffer> {
  const method = path.slice(path.lastIndexOf('/') + 1);
  return new Promise((resolve, reject) => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
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
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status: number | undefined;
    let reason = '';
    const note = (headers: Readonly<Record<string, string | string[] | undefined>>) => {
      if (headers['grpc-status'] === undefined) return;
      status = Number(headers['grpc-status']);
      reason = decodeReason(String(headers['grpc-message'] ?? ''));
    };
    // An error without a message comes as the only headers there are.
    stream.once('response', note);
    stream.once('trailers', note);
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= MAX_ANSWER_BYTES) return;
      stream.close(constants.NGHTTP2_CANCEL);
      reject(errors.ANSWER_TOO_LARGE({ method, limit: MAX_ANSWER_BYTES }));
    });
    stream.once('end', () => {
      if (status === 0) resolve(Buffer.concat(chunks).subarray(FRAME_HEAD_BYTES));
      else if (status !== undefined) reject(failure(status, method, reason));
    });
  });
}

function failure(status: number, method: string, reason: string): Error {
  if (status === STATUS_NOT_FOUND) return errors.NOT_FOUND({ method, reason });
  if (status === STATUS_DEADLINE_EXCEEDED) return errors.TIMED_OUT({ method, ms: 0 }, { cause: new Error(reason) });
  return errors.CALL_FAILED({ method, status, reason });
}

/** A flag for compression and the length, before the one message. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The text is percent-encoded; what is not stays as it is. */
function decodeReason(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
