/**
 * The registry's own listener: HTTPS, bodies streamed both ways, everything bounded.
 *
 * It sets `rejectUnauthorized: false`: clients may come with a token instead of a certificate.
 * Invariant: `identify` and `permit` judge every request, with the certificate and whether its chain was valid, before any body is read.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import type { AuditLog, Credentials } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import { ConnectionLimiter, RateLimiter, type TlsMaterial } from '@skerry/kube/server';
import type { Answer } from './answers.ts';
import { identify, permit, type RegistryAccess, tokenIn, type Visitor } from './door.ts';
import { Records } from './records.ts';
import { Refusal, refusals } from './refusal.ts';
import { type Action, API_ROOT, parseRoute } from './route.ts';

/** What stands behind the door: our own registry, or another one. */
export interface Backend {
  handle(action: Action, message: IncomingMessage): Promise<Answer>;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsMaterial;
  readonly access: RegistryAccess;
  readonly backend: Backend;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits?: Partial<ListenLimits>;
}

export interface ListenLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerPeer: number;
  readonly handshakeMs: number;
  /** For the headers of a request. */
  readonly headersMs: number;
  /** How long a connection may be silent, in either direction, in the midst of a request. */
  readonly silentMs: number;
  readonly requests: { readonly perSecond: number; readonly burst: number };
  readonly refusals: { readonly perSecond: number; readonly burst: number };
}

const DEFAULT_LIMITS: ListenLimits = {
  maxConnections: 2_000,
  maxConnectionsPerPeer: 500,
  handshakeMs: 10_000,
  headersMs: 10_000,
  silentMs: 60_000,
  requests: { perSecond: 2_000, burst: 10_000 },
  refusals: { perSecond: 5, burst: 100 },
};
const MAX_HEADER_BYTES = 32 * 1024;
const GRACE_MS = 2_000;
const MAX_DRAINED_BYTES = 8 * 1024 * 1024;

export interface RegistryListener {
  readonly port: number;
  setTls(tls: TlsMaterial): void;
  /** Takes no more requests, lets those under way end for a moment, then cuts them. */
  close(): Promise<void>;
}

export async function listenRegistry(options: ListenOptions): Promise<RegistryListener> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const server = process.getBuiltinModule('node:https').createServer({
    ...tlsOptions(options.tls),
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: limits.handshakeMs,
    ALPNProtocols: ['http/1.1'],
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: limits.headersMs,
    // A layer takes as long as it takes; silence is what ends a request.
    requestTimeout: 0,
    noDelay: true,
  });
  server.timeout = limits.silentMs;
  const limiter = new ConnectionLimiter(limits);
  server.on('connection', (socket: Socket) => limiter.admit(socket));
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('clientError', (_error, socket) => socket.destroy());
  const records = new Records(options.audit, options.clock);
  const desk = { ...options, records, pace: new Pace(options.clock, limits) };
  for (const event of ['request', 'checkContinue'] as const) {
    server.on(event, (message: IncomingMessage, response: ServerResponse) => void serve(desk, message, response));
  }
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    setTls: (tls) => server.setSecureContext(tlsOptions(tls)),
    close: async () => {
      await close(server, options.clock);
      records[Symbol.dispose]();
    },
  };
}

class Pace {
  readonly #requests: RateLimiter;
  readonly #refusals: RateLimiter;

  constructor(clock: Clock, limits: ListenLimits) {
    this.#requests = new RateLimiter(clock, limits.requests);
    this.#refusals = new RateLimiter(clock, limits.refusals);
  }

  ask(peer: string): void {
    if (!this.#requests.take(peer)) throw refusals.tooMany('too many requests; try again later');
  }

  /** Many may share an address, so only those who fail wait for those who failed. */
  fail(peer: string, refusal: Refusal): Refusal {
    return this.#refusals.take(peer) ? refusal : refusals.tooMany('too many refused requests; try again later');
  }
}

type Desk = ListenOptions & { readonly pace: Pace; readonly records: Records };

async function serve(desk: Desk, message: IncomingMessage, response: ServerResponse): Promise<void> {
  response.on('error', () => response.destroy());
  try {
    await write(message, response, await answerTo(desk, message, response));
  } catch (error) {
    desk.log.debug({ error: messageOf(error) }, 'registry answer not written');
    response.destroy();
  }
}

async function answerTo(desk: Desk, message: IncomingMessage, response: ServerResponse): Promise<Answer> {
  const { method = '', url = '' } = message;
  let visitor: Visitor | undefined;
  try {
    const peer = message.socket.remoteAddress ?? '';
    desk.pace.ask(peer);
    const action = parseRoute(method, url);
    visitor = await entering(desk, message);
    permit(desk.access, visitor, action, url);
    if (isHesitant(message)) response.writeContinue();
    const answer = await desk.backend.handle(action, message);
    record(desk, message, visitor, answer.status);
    return answer;
  } catch (error) {
    const refusal = refusalOf(desk, error);
    record(desk, message, visitor, refusal.status);
    return {
      status: refusal.status,
      headers: { ...refusal.headers, 'content-type': 'application/json' },
      body: refusal.toJson(),
    };
  }
}

/** Sends its body only to who says that it may. */
function isHesitant({ headers }: IncomingMessage): boolean {
  return headers.expect !== undefined;
}

async function entering({ access, pace }: Desk, message: IncomingMessage): Promise<Visitor> {
  try {
    return await identify(access, credentialsOf(message));
  } catch (error) {
    throw error instanceof Refusal ? pace.fail(message.socket.remoteAddress ?? '', error) : error;
  }
}

function refusalOf({ log }: Desk, error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  log.error({ error }, 'registry request failed');
  return refusals.failed();
}

/** Pings say nothing: clients ask without a password first. */
function record({ records }: Desk, message: IncomingMessage, visitor: Visitor | undefined, code: number): void {
  const { method = '', url = '', socket } = message;
  const path = url.split('?')[0] ?? '';
  if (path === API_ROOT) return;
  const { remoteAddress } = socket;
  const event = {
    user: visitor?.user.username ?? 'system:anonymous',
    verb: VERBS[method] ?? method.toLowerCase(),
    path,
    code,
    ...(remoteAddress === undefined ? {} : { sourceIp: remoteAddress }),
  };
  records.add(event, visitor?.isKnown === true);
}

const VERBS: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'create',
  PATCH: 'create',
};

function credentialsOf({ socket, headers }: IncomingMessage): Credentials {
  const certificate = (socket as TLSSocket).getPeerX509Certificate();
  const bearerToken = tokenIn(headers.authorization);
  return {
    ...(certificate === undefined
      ? {}
      : { peerCertificate: { raw: certificate.raw, authorized: (socket as TLSSocket).authorized } }),
    ...(bearerToken === undefined ? {} : { bearerToken }),
  };
}

async function write(message: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
  const { status, headers, body } = answer;
  if (!message.complete && status >= 400) {
    // What was not read of a refused body would be taken for the next request.
    response.shouldKeepAlive = false;
    if (!isHesitant(message)) await drain(message);
  }
  response.writeHead(status, { 'docker-distribution-api-version': 'registry/2.0', ...lengthOf(answer), ...headers });
  if (message.method === 'HEAD' || body === undefined) response.end();
  else if (typeof body === 'string') response.end(body);
  else await pipeline(Readable.from(body, { objectMode: false }), response);
}

function lengthOf({ status, body }: Answer): Readonly<Record<string, string>> {
  if (typeof body === 'string') return { 'content-length': String(Buffer.byteLength(body)) };
  return body === undefined && status !== 204 && status !== 304 ? { 'content-length': '0' } : {};
}

/** A connection that is closed on unread bytes is reset, and the client could lose the answer; so a little is read all the same. */
async function drain(message: IncomingMessage): Promise<void> {
  if (message.destroyed || message.readableEnded) return;
  let left = MAX_DRAINED_BYTES;
  await new Promise<void>((resolve) => {
    message.on('data', (chunk: Uint8Array) => {
      left -= chunk.length;
      if (left <= 0) resolve();
    });
    message.once('close', resolve).once('end', resolve).resume();
  });
  message.pause();
}

function tlsOptions({ cert, key, ca }: TlsMaterial) {
  return { cert, key, ca: Array.isArray(ca) ? [...(ca as readonly (string | Buffer)[])] : [ca as string | Buffer] };
}

function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function close(server: Server, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = clock.after(GRACE_MS, () => server.closeAllConnections());
  await closed;
  timer.cancel();
}
