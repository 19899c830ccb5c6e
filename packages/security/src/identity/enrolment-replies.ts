/** What the enrolment routes answer, as HTTP status and JSON body. Refusals are Kubernetes Status objects. */
import { StatusError, type StatusReason } from '@skerry/api';

export interface EnrolmentReply {
  readonly status: number;
  readonly body: object;
}

export function statusReply(code: number, reason: StatusReason, message: string): EnrolmentReply {
  return { status: code, body: new StatusError(code, reason, message).status };
}

export const UNAUTHORIZED = statusReply(401, 'Unauthorized', 'Unauthorized');
export const BAD_REQUEST = statusReply(400, 'BadRequest', 'the request cannot be read');
export const NOT_FOUND = statusReply(404, 'NotFound', 'the server could not find the requested resource');
export const TOO_LARGE = statusReply(413, 'RequestEntityTooLarge', 'the request is larger than 64 KiB');
export const INTERNAL = statusReply(500, 'InternalError', 'the request failed');
export const TOO_MANY: EnrolmentReply = {
  status: 429,
  body: new StatusError(429, 'TooManyRequests', 'too many requests, try again later', { retryAfterSeconds: 10 }).status,
};

export function forbidden(why: string): EnrolmentReply {
  return statusReply(403, 'Forbidden', why);
}
