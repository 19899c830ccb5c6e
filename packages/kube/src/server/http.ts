/**
 * Listeners for the API: HTTPS, and a unix socket for the programs of the same machine.
 *
 * It sets `rejectUnauthorized: false`: clients may come with a token instead of a certificate.
 * Invariant: the Authenticator judges every request, with the certificate and whether its chain was valid, before any route.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type Authenticator, isStatus, type UserInfo } from '@skerry/api';
import { type Clock, type Logger, systemClock } from '@skerry/base';
import type { RawUpgrade, UpgradeHandler } from '../streaming/contract.ts';
import type { ApiServer } from './api-server.ts';
import { ConnectionLimiter } from './connection-limiter.ts';
import type { ApiResponse } from './contract.ts';
import { Gate } from './gate.ts';
import { endRefused } from './http-refusal.ts';
import { readBody, toApiRequest } from './http-request.ts';
import { writeResponse } from './http-response.ts';
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
import { respondError } from './respond.ts';
import { internalError } from './statuses.ts';

export interface TlsMaterial {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** The authorities whose client certificates count. */
  readonly ca: string | Buffer | readonly (string | Buffer)[];
}

export interface ServeOptions {
  readonly server: Pick<ApiServer, 'handle' | 'planUpgrade'>;
  readonly authenticator: Authenticator;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly limits?: Partial<HttpLimits>;
  /** Takes over exec, attach, port-forward and watches over WebSocket; without it they are refused. */
  readonly upgrades?: UpgradeHandler;
}

export interface HttpsOptions extends ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsMaterial;
}

export interface UnixOptions extends ServeOptions {
  readonly path: string;
}

export interface Listener {
  /** The port bound; undefined for a unix socket. */
  readonly port?: number;
  readonly connections: number;
  /** New connections use the new certificate; open ones go on. */
  setTls(tls: TlsMaterial): void;
  /** Ends at once every connection, watches and all, whose client certificate (DER) is one of those; gives back how many. */
  disconnect(isMeant: (certificate: Uint8Array) => boolean): number;
  /** Takes no more requests, lets those under way end for `graceMs`, then cuts them. */
  close(graceMs?: number): Promise<void>;
}

const DEFAULT_GRACE_MS = 2_000;

export async function listenHttps(options: HttpsOptions): Promise<Listener> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const https = process.getBuiltinModule('node:https');
  const server = https.createServer({
    ...tlsOptions(options.tls),
    ...httpOptions(limits),
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: limits.handshakeMs,
    ALPNProtocols: ['http/1.1'],
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const { limiter, upgraded } = serve(server, options, limits);
  const open = new Set<TLSSocket>();
  server.on('secureConnection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  await listen(server, { host: options.host, port: options.port });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return limiter.size;
    },
    setTls: (tls) => server.setSecureContext(tlsOptions(tls)),
    disconnect: (isMeant) => disconnect(open, isMeant),
    close: (graceMs = DEFAULT_GRACE_MS) =>
      closeServer({ server, upgraded, clock: options.clock ?? systemClock, graceMs }),
  };
}

/** On a unix socket that only its owner may open; who may open it still authenticates. */
export async function listenUnix(options: UnixOptions): Promise<Listener> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { chmodSync, rmSync } = process.getBuiltinModule('node:fs');
  const server = process.getBuiltinModule('node:http').createServer(httpOptions(limits));
  const { limiter, upgraded } = serve(server, options, limits);
  rmSync(options.path, { force: true });
  await listen(server, { path: options.path });
  chmodSync(options.path, 0o600);
  return {
    get connections() {
      return limiter.size;
    },
    setTls: () => {},
    disconnect: () => 0,
    close: (graceMs = DEFAULT_GRACE_MS) =>
      closeServer({ server, upgraded, clock: options.clock ?? systemClock, graceMs }),
  };
}

function disconnect(open: ReadonlySet<TLSSocket>, isMeant: (certificate: Uint8Array) => boolean): number {
  const meant = [...open].filter((socket) => {
    const certificate = socket.getPeerX509Certificate();
    return certificate !== undefined && isMeant(certificate.raw);
  });
  for (const socket of meant) socket.destroy();
  return meant.length;
}

function tlsOptions({ cert, key, ca }: TlsMaterial): {
  cert: string | Buffer;
  key: string | Buffer;
  ca: (string | Buffer)[];
} {
  return { cert, key, ca: Array.isArray(ca) ? [...(ca as readonly (string | Buffer)[])] : [ca as string | Buffer] };
}

const CHECK_INTERVAL_MS = 5_000;

function httpOptions(limits: HttpLimits) {
  return {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, limits.headersMs),
    noDelay: true,
  };
}

interface Serving {
  readonly limiter: ConnectionLimiter;
  /** Connections that node gave up for an upgrade; closing the server is otherwise unaware of them. */
  readonly upgraded: ReadonlySet<Duplex>;
}

function serve(server: Server | TlsServer, options: ServeOptions, limits: HttpLimits): Serving {
  const limiter = new ConnectionLimiter(limits);
  const upgraded = new Set<Duplex>();
  const door = { ...options, gate: new Gate(options.clock ?? systemClock, options.authenticator, limits) };
  server.on('connection', (socket: Socket) => limiter.admit(socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
    refuseBroken(socket, error.code, options.clock),
  );
  server.on('request', (message: IncomingMessage, response: ServerResponse) => {
    void answer(door, limits, message, response);
  });
  server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    void takeOver(door, { message, socket, head });
  });
  return { limiter, upgraded };
}

type Door = ServeOptions & { readonly gate: Gate };

async function answer(
  options: Door,
  limits: HttpLimits,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on('error', () => response.destroy());
  try {
    const result = await resultOf(options, limits, message, response);
    // What was not read of a body that was too large would be taken for the next request.
    if (!message.complete) response.shouldKeepAlive = false;
    await writeResponse(
      { clock: options.clock ?? systemClock, stalledMs: limits.stalledMs },
      message,
      response,
      result,
    );
  } catch (error) {
    options.log.warn({ error }, 'response not written');
    response.destroy();
  }
}

async function resultOf(
  { server, gate, log }: Door,
  limits: HttpLimits,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<ApiResponse> {
  let user: UserInfo;
  let request: ReturnType<typeof toApiRequest>;
  try {
    user = await gate.admit(message);
    request = toApiRequest(message, user, await readBody(message, limits.maxBodyBytes), response);
  } catch (error) {
    if (isStatus(error)) return respondError(error);
    log.error({ error }, 'request not read');
    return respondError(internalError(error));
  }
  return server.handle(request);
}

async function takeOver({ server, gate, upgrades, log, clock }: Door, raw: RawUpgrade): Promise<void> {
  const { socket, message } = raw;
  socket.on('error', () => socket.destroy());
  try {
    const user = await gate.admit(message);
    const plan = await server.planUpgrade(toApiRequest(message, user, undefined));
    if ('status' in plan) return writeRaw(socket, plan, clock);
    if (upgrades === undefined) throw internalError(undefined);
    await upgrades(raw, plan);
  } catch (error) {
    if (!isStatus(error)) log.error({ error }, 'upgrade failed');
    writeRaw(socket, respondError(isStatus(error) ? error : internalError(error)), clock);
  }
}

/** An HTTP answer on a connection that node has already given up. */
function writeRaw(socket: Duplex, { status, headers, body }: ApiResponse, clock: Clock | undefined): void {
  const text = typeof body === 'string' ? body : '';
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(text)), connection: 'close' });
  const reason = process.getBuiltinModule('node:http').STATUS_CODES[status] ?? '';
  endRefused(
    socket,
    `HTTP/1.1 ${status} ${reason}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${text}`,
    clock,
  );
}

/** What node's parser gave up on; by its code we know why. */
const BROKEN: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function refuseBroken(socket: Duplex, code: string | undefined, clock: Clock | undefined): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const status = BROKEN[code ?? ''] ?? '400 Bad Request';
  endRefused(socket, `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, clock);
}

function listen(server: Server, at: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

interface Closing {
  readonly server: Server;
  readonly upgraded: Serving['upgraded'];
  readonly clock: Clock;
  readonly graceMs: number;
}

async function closeServer({ server, upgraded, clock, graceMs }: Closing): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = clock.after(graceMs, () => {
    server.closeAllConnections();
    for (const socket of upgraded) socket.destroy();
  });
  await closed;
  timer.cancel();
}
