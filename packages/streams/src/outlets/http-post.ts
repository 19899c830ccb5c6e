/** One POST, with the credentials of an outlet. What the answer means for the rows, and how long it may take. */
import type { LookupAddress } from 'node:dns';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { LookupFunction } from 'node:net';
import { messageOf } from '@skerry/base';
import { hostOf, portOf } from './endpoint.ts';
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

export interface HttpDoor {
  /** Redirects are refused: what a Secret opens is opened nowhere else. Throws `OutletError`. */
  post(sent: Post): Promise<void>;
  close(): Promise<void>;
}

/** Connections of its own: nobody else has judged where they lead. */
export function openHttpDoor(settings: Pick<TargetSettings, 'credentials' | 'reach'>): HttpDoor {
  const agents = { 'http:': new HttpAgent({ keepAlive: true }), 'https:': new HttpsAgent({ keepAlive: true }) };
  return {
    post: async (sent) => {
      const { status, text } = await exchange(settings, agents, sent);
      if (status >= 200 && status < 300) return;
      const isFinal = status >= 400 && status < 500 && !TRY_AGAIN.has(status);
      throw new OutletError(`the engine answered ${status}`, { isFinal, said: text });
    },
    close: async () => {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

interface Agents {
  readonly 'http:': HttpAgent;
  readonly 'https:': HttpsAgent;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function exchange(
  { credentials, reach }: Pick<TargetSettings, 'credentials' | 'reach'>,
  agents: Agents,
  sent: Post,
): Promise<Answer> {
  const url = URL.parse(sent.url);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new OutletError(`the endpoint must be a URL of http or https`);
  const isTls = url.protocol === 'https:';
  const addresses = await reach.find(hostOf(url), portOf(url, isTls ? 443 : 80));
  const { certificate, key, authority } = credentials;
  const options: RequestOptions = {
    method: 'POST',
    headers: { ...sent.headers, ...authorization(credentials, sent.tokenScheme), 'content-length': sent.body.length },
    signal: AbortSignal.any([sent.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    agent: agents[url.protocol],
    lookup: lookupOf(addresses),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(authority === undefined ? {} : { ca: authority }),
  };
  const start = isTls ? httpsRequest : httpRequest;
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

/** Whatever the name leads to meanwhile. */
function lookupOf([first, ...rest]: readonly [LookupAddress, ...LookupAddress[]]): LookupFunction {
  return (_host, { all = false }, done) => {
    if (all) done(null, [first, ...rest]);
    else done(null, first.address, first.family);
  };
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
