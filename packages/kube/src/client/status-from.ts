import { type Status, StatusError, type StatusReason } from '@skerry/api';

/** The StatusError that an answer stands for: its own Status when the body is one, else one made from the code. */
export function statusErrorFrom(code: number, body: string): StatusError {
  return statusErrorOf(parseStatus(body), code) ?? new StatusError(code, reasonFor(code), textFor(code, body));
}

/** The error that carries a Status object; undefined when `value` is no failure Status. */
export function statusErrorOf(value: unknown, code = 500): StatusError | undefined {
  if (!isFailure(value)) return undefined;
  const reason = value.reason ?? reasonFor(value.code ?? code);
  return new StatusError(value.code ?? code, reason, value.message ?? reason, value.details);
}

function parseStatus(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function isFailure(value: unknown): value is Status {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, status } = value as Partial<Status>;
  return kind === 'Status' && status !== 'Success';
}

const REASONS: Readonly<Record<number, StatusReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function reasonFor(code: number): StatusReason {
  return REASONS[code] ?? (code < 500 ? 'BadRequest' : 'InternalError');
}

/** How much of an answer that is not a Status is worth showing. */
const SHOWN_BODY_LENGTH = 200;

function textFor(code: number, body: string): string {
  const shown = body.trim().slice(0, SHOWN_BODY_LENGTH);
  return shown === '' ? `the server answered ${code}` : `the server answered ${code}: ${shown}`;
}
