/** One POST, with the credentials of an outlet. What the answer means for the rows, and how long it may take. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { messageOf } from '@skerry/base';
import { type Credentials, OutletError, type TargetSettings } from './target.ts';

const TIMEOUT_MS = 30_000;
/** Of an answer, for the log. */
const MAX_ANSWER_BYTES = 1024;
/** They look like a refusal of the rows, and are none: too slow, too early, too many. */
const TRY_AGAIN = new Set([401, 403, 404, 408, 425, 429]);

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
  /** Before a token; `Bearer` without it. */
  readonly tokenScheme?: string;
}

/** Redirects are refused: what a Secret opens is opened nowhere else. Throws `OutletError`. */
export async function post(settings: Pick<TargetSettings, 'credentials'>, sent: Post): Promise<void> {
  const { status, text } = await exchange(settings.credentials, sent);
  if (status >= 200 && status < 300) return;
  const isFinal = status >= 400 && status < 500 && !TRY_AGAIN.has(status);
  throw new OutletError(`the engine answered ${status}`, { isFinal, said: text });
}

function exchange(credentials: Credentials, sent: Post): Promise<{ readonly status: number; readonly text: string }> {
  const url = new URL(sent.url);
  const { certificate, key, authority } = credentials;
  const options: RequestOptions = {
    method: 'POST',
    headers: { ...sent.headers, ...authorization(credentials, sent.tokenScheme), 'content-length': sent.body.length },
    signal: AbortSignal.any([sent.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(authority === undefined ? {} : { ca: authority }),
  };
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new OutletError(`the engine cannot be reached: ${messageOf(error)}`, { cause: error }));
    const request = start(url, options, (response) => {
      read(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), fail);
    });
    request.on('error', fail);
    request.end(sent.body);
  });
}

async function read(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) if (text.length < MAX_ANSWER_BYTES) text += String(chunk);
  return text.slice(0, MAX_ANSWER_BYTES).trim();
}

function authorization({ username, password, token }: Credentials, scheme = 'Bearer'): { authorization?: string } {
  if (token !== undefined) return { authorization: `${scheme} ${token}` };
  if (username === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` };
}
