/** Paths of the cloud that are no resources: what they answer may be large, so it is given as it comes. */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { findCloud } from './connection.ts';

export type Connection = Awaited<ReturnType<typeof findCloud>>['connection'];

export interface PathRequest {
  readonly method: 'GET' | 'POST';
  /** With the query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
}

const TIMEOUT_MS = 600_000;

/** The answer, once it has begun well; what the cloud says instead is the error. */
export function askPath(connection: Connection, { method, path, body }: PathRequest): Promise<IncomingMessage> {
  const { server, ca, cert, key } = connection;
  const token = typeof connection.token === 'function' ? connection.token() : connection.token;
  const headers = {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL(path, server),
      { method, ca, cert, key, headers, timeout: TIMEOUT_MS },
      (response) => {
        if (response.statusCode === 200) resolve(response);
        else refusalIn(response).then((text) => reject(new Error(text)), reject);
      },
    );
    asked.on('error', reject).on('timeout', () => asked.destroy(new Error('it did not answer in time')));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** More than that is no refusal. */
const MAX_REFUSAL_CHARACTERS = 64 * 1024;

/** A Status, or what the endpoints of series say. */
async function refusalIn(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > MAX_REFUSAL_CHARACTERS) break;
  }
  try {
    const { message, error } = JSON.parse(text) as { readonly message?: string; readonly error?: string };
    return message ?? error ?? text;
  } catch {
    return `it answered ${response.statusCode}`;
  }
}
