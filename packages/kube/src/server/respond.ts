/** Answers as bytes: objects, Statuses, and the headers every answer has. */
import type { StatusError } from '@skerry/api';
import type { ApiResponse } from './contract.ts';
import type { Wanted } from './negotiate.ts';

const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' };

export function respondJson(status: number, body: unknown, wanted?: Wanted): ApiResponse {
  return respondText(status, JSON.stringify(body), wanted);
}

/** `json` is the text of an answer, already encoded. */
export function respondText(status: number, json: string, wanted?: Wanted): ApiResponse {
  const headers =
    wanted === undefined || wanted.contentType === 'application/json'
      ? JSON_HEADERS
      : { ...JSON_HEADERS, 'content-type': wanted.contentType };
  return { status, headers, body: wanted?.pretty === true ? prettyPrint(json) : json };
}

export function respondPlain(status: number, text: string): ApiResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    body: text,
  };
}

export function respondError(error: StatusError): ApiResponse {
  const { status, code } = error;
  const retryAfter = status.details?.retryAfterSeconds;
  const headers = retryAfter === undefined ? JSON_HEADERS : { ...JSON_HEADERS, 'retry-after': String(retryAfter) };
  return { status: code, headers, body: JSON.stringify(status) };
}

/** `Warning: 299 - "text"` for each warning, in one header line as HTTP allows. */
export function withWarnings(response: ApiResponse, warnings: readonly string[]): ApiResponse {
  if (warnings.length === 0) return response;
  const warning = warnings.map((text) => `299 - "${quote(text)}"`).join(', ');
  return { ...response, headers: { ...response.headers, warning } };
}

function prettyPrint(json: string): string {
  return `${JSON.stringify(JSON.parse(json), null, 2)}\n`;
}

function quote(text: string): string {
  return text.replaceAll(/[\\"]/g, '\\$&').replaceAll(/[^\x20-\x7e]/g, '?');
}
