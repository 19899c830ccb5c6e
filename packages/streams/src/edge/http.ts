/** One HTTP request, with bounds on its time and its answer. */
import type { IncomingMessage } from 'node:http';
import { authorizationOf, type Secret, tlsOf } from './secrets.ts';

export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly secret: Secret;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** The server has answered, and not with what was asked for. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  /** Whether asking again is of no use. */
  readonly isFinal: boolean;

  constructor(url: string, status: number) {
    super(`${new URL(url).origin} answered ${status}`);
    this.isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429;
  }
}

/** The body of an answer of success. Redirects are not followed. */
export async function requestHttp(request: HttpRequest): Promise<string> {
  const { url, body, secret, timeoutMs, maxBytes } = request;
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
  const headers = { ...request.headers, ...authorizationOf(secret) };
  const { request: send } = process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http');
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = send(url, { method: request.method, headers, signal, agent: false, ...tlsOf(secret) }, resolve);
    sent.once('error', reject);
    sent.end(body);
  });
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) {
    response.destroy();
    throw new HttpRefusal(url, status);
  }
  return bodyOf(response, maxBytes);
}

export async function bodyOf(message: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message) {
    size += (chunk as Buffer).length;
    if (size > maxBytes) {
      message.destroy();
      throw new RangeError(`a body of more than ${maxBytes} bytes`);
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
