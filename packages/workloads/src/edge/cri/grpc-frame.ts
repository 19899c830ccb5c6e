/** What all gRPC calls share: the frame around a message, and how a call says whether it went well. */
import type { ClientHttp2Stream } from 'node:http2';
import { errors } from './errors.ts';

export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
export const FRAME_HEAD_BYTES = 5;

/** As gRPC numbers them. */
export const Status = {
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  failedPrecondition: 9,
  unimplemented: 12,
  unavailable: 14,
} as const;

export interface Outcome {
  isKnown(): boolean;
  /** Undefined while nothing is known, and when the call went well. */
  failure(): Error | undefined;
}

/** An error without a message comes as the only headers there are. */
export function outcomeOf(stream: ClientHttp2Stream, method: string): Outcome {
  let status: number | undefined;
  let reason = '';
  const note = (headers: Readonly<Record<string, string | string[] | undefined>>) => {
    if (headers['grpc-status'] === undefined) return;
    status = Number(headers['grpc-status']);
    reason = decodeReason(String(headers['grpc-message'] ?? ''));
  };
  stream.once('response', note);
  stream.once('trailers', note);
  return {
    isKnown: () => status !== undefined,
    failure: () => (status === undefined || status === 0 ? undefined : failureOf(status, method, reason)),
  };
}

function failureOf(status: number, method: string, reason: string): Error {
  if (status === Status.notFound) return errors.NOT_FOUND({ method, reason });
  if (status === Status.deadlineExceeded) return errors.TIMED_OUT({ method, ms: 0 }, { cause: new Error(reason) });
  return errors.CALL_FAILED({ method, status, reason });
}

/** A flag for compression and the length, before the message. */
export function framed(message: Uint8Array): Buffer {
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
