/** The client over HTTPS with keep-alive, or over a unix socket. No fetch: it would cost the agent 14 MB. */
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { AgentOptions, RequestOptions as TlsRequestOptions } from 'node:https';
import { type Clock, systemClock } from '@skerry/base';
import { clientOver } from './client-over.ts';
import type { Client } from './contract.ts';
import { errors } from './errors.ts';
import type { Transport, WireRequest, WireResponse } from './transport.ts';

/** Where an API is and who we are to it. */
export interface Connection {
  /** `https://HOST:PORT[/PREFIX]`. */
  readonly server: string;
  /** PEM of the authorities that may have signed the server's certificate; absent means the system's. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** A bearer token, or a function that gives the current one. */
  readonly token?: string | (() => string | undefined);
  /** The name to expect in the server's certificate when it differs from the host. */
  readonly serverName?: string;
}

export interface HttpClientOptions {
  readonly connection: Connection | UnixConnection;
  readonly userAgent?: string;
  readonly clock?: Clock;
  /** How long an answer may take to begin; watches too, since a server answers them at once. */
  readonly timeoutMs?: number;
  readonly maxSockets?: number;
}

export interface UnixConnection {
  /** A unix socket that speaks HTTP without TLS; the file's owner and mode are the authentication. */
  readonly socketPath: string;
  readonly token?: Connection['token'];
}

export interface HttpClient extends Client, Disposable {
  /** Closes every connection; running calls fail. */
  close(): void;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** How many connections one client opens; each watch holds one. */
const MAX_SOCKETS = 256;

/** A dead peer behind NAT is noticed by TCP keep-alive, so that no watch hangs on it for ever. */
const KEEP_ALIVE_PROBE_MS = 15_000;

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const dialer = openDialer(options);
  const close = () => dialer.agent.destroy();
  return { ...clientOver(httpTransport(dialer, options)), close, [Symbol.dispose]: close };
}

interface Dialer {
  readonly agent: Agent;
  /** For error texts. */
  readonly server: string;
  readonly prefix: string;
  readonly send: (options: RequestOptions) => ClientRequest;
  readonly token: () => string | undefined;
}

function openDialer({ connection, maxSockets = MAX_SOCKETS }: HttpClientOptions): Dialer {
  const pool = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_PROBE_MS, maxSockets, scheduling: 'lifo' } as const;
  const { token } = connection;
  const currentToken = typeof token === 'function' ? token : () => token;
  if ('socketPath' in connection) {
    const http = builtin('node:http');
    const { socketPath } = connection;
    return {
      agent: new http.Agent(pool),
      server: socketPath,
      prefix: '',
      send: (request) => http.request({ ...request, socketPath, host: 'localhost' }),
      token: currentToken,
    };
  }
  const https = builtin('node:https');
  const url = new URL(connection.server);
  const to: TlsRequestOptions = { host: hostOf(url), port: url.port === '' ? 443 : Number(url.port) };
  return {
    agent: new https.Agent({ ...pool, ...tlsOptions(connection) }),
    server: connection.server,
    prefix: url.pathname.replace(/\/$/, ''),
    send: (request) => https.request({ ...request, ...to }),
    token: currentToken,
  };
}

// A static import of these modules from ESM evaluates every export of theirs, the browser's WebSocket and so undici too.
function builtin<Name extends 'node:http' | 'node:https'>(
  name: Name,
): Name extends 'node:http' ? typeof import('node:http') : typeof import('node:https');
function builtin(name: 'node:http' | 'node:https'): unknown {
  return process.getBuiltinModule(name);
}

function tlsOptions({ ca, cert, key, serverName }: Connection): AgentOptions {
  return {
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function httpTransport(dialer: Dialer, options: HttpClientOptions): Transport {
  const { clock = systemClock, timeoutMs = DEFAULT_TIMEOUT_MS, userAgent = 'skerry' } = options;
  const attempt = (request: WireRequest) => exchange({ dialer, clock, timeoutMs, userAgent }, request);
  return async (request) => {
    const first = await attempt(request);
    if (!('stale' in first)) return first;
    const second = await attempt(request);
    if (!('stale' in second)) return second;
    throw second.stale;
  };
}

interface ExchangeContext {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly userAgent: string;
}

/** `stale`: a kept-alive connection turned out to be closed before it carried anything; asking again is safe. */
type ExchangeResult = WireResponse | { readonly stale: Error };

function exchange({ dialer, clock, timeoutMs, userAgent }: ExchangeContext, request: WireRequest) {
  const { promise, resolve, reject } = Promise.withResolvers<ExchangeResult>();
  const { method, path, signal } = request;
  if (signal?.aborted) return Promise.reject(signal.reason);

  const search = request.query.size === 0 ? '' : `?${request.query}`;
  const message = dialer.send({
    agent: dialer.agent,
    method,
    path: `${dialer.prefix}${path}${search}`,
    headers: headersOf(request, userAgent, dialer.token()),
  });
  const timer = clock.after(timeoutMs, () => message.destroy(errors.TIMED_OUT({ method, path, limit: timeoutMs })));
  const onAbort = () => message.destroy(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  message.once('close', () => signal?.removeEventListener('abort', onAbort));

  message.once('response', (response) => {
    timer.cancel();
    resolve({
      status: response.statusCode ?? 500,
      headers: response.headers as WireResponse['headers'],
      body: bodyOf(response, request),
    });
  });
  message.once('error', (cause: NodeJS.ErrnoException) => {
    timer.cancel();
    if (signal?.aborted) reject(signal.reason);
    else if (isStale(message, cause, method)) resolve({ stale: cause });
    else if (cause.name === 'CodedError') reject(cause);
    else reject(errors.UNREACHABLE({ method, path, server: dialer.server }, { cause }));
  });
  message.end(request.body);
  return promise;
}

// A write may have been carried out before the connection broke, so only reads are asked again.
function isStale(message: ClientRequest, error: NodeJS.ErrnoException, method: string): boolean {
  return message.reusedSocket && method === 'GET' && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function headersOf(request: WireRequest, userAgent: string, token: string | undefined): Record<string, string> {
  return {
    accept: request.accept ?? 'application/json',
    'user-agent': userAgent,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
    ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
  };
}

async function* bodyOf(response: IncomingMessage, { method, path, signal }: WireRequest): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response) yield chunk as Uint8Array;
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw errors.BROKEN_OFF({ method, path }, { cause });
  }
}
