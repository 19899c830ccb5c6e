/**
 * The link listener: one TCP port with three doors, told apart by a connection's first bytes.
 * `GET /enroll/v1/ca` in the clear answers the CA certificate, which a comer checks against the hash in its token.
 * TLS that offers `skerry-enroll/1` reaches the enrolment routes without a client certificate.
 * All other TLS needs a node's certificate, which is verified here on every connection.
 */
import { constants } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock, Logger, Timer } from '@skerry/base';
import {
  type Certificate,
  certificateToPem,
  credentialToPem,
  type Pki,
  parseCertificate,
  refusalOf,
} from '../pki/index.ts';
import { MAX_HELLO_BYTES, readFirstBytes } from './client-hello.ts';
import type { Enrolment } from './enrolment.ts';
import { answerEnrolment } from './enrolment-http.ts';
import { ROUTE } from './enrolment-messages.ts';
import { nodeOfCertificate } from './node-profile.ts';
import { createRateLimiter, type RateLimiter } from './rate-limiter.ts';
import type { Revocations } from './revocations.ts';

export const ENROL_PROTOCOL = 'skerry-enroll/1';

/** A node whose certificate was verified on this connection. */
export interface NodePeer {
  readonly node: string;
  readonly certificate: Certificate;
}

export interface LinkListenerOptions {
  readonly pki: Pick<Pki, 'authority' | 'caPem' | 'link'>;
  readonly enrolment: Enrolment;
  readonly revocations: Revocations;
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes over a WebSocket upgrade of a verified node. */
  readonly onLink: (request: IncomingMessage, socket: Duplex, head: Buffer, peer: NodePeer) => void;
  readonly limits?: Partial<ListenerLimits>;
}

export interface ListenerLimits {
  readonly maxConnections: number;
  /** From the first byte to a whole hello, from there to a finished handshake, and from there to the end of the request. */
  readonly helloMs: number;
  readonly handshakeMs: number;
  readonly requestMs: number;
  readonly maxHeaderBytes: number;
  readonly connectionsPerPeer: { readonly burst: number; readonly perSecond: number };
}

export const LISTENER_LIMITS: ListenerLimits = {
  maxConnections: 20_000,
  helloMs: 5_000,
  handshakeMs: 10_000,
  requestMs: 10_000,
  maxHeaderBytes: 8 * 1024,
  // A site of a thousand nodes behind one address may come back at once.
  connectionsPerPeer: { burst: 2_000, perSecond: 200 },
};

export interface LinkListener {
  readonly server: Server;
  readonly connections: number;
  listen(port: number, host: string): Promise<number>;
  /** Closes every connection of the node. Called for revoked nodes by itself. */
  disconnect(node: string): number;
  /** New connections get the listener's new certificate. */
  refreshCertificate(): void;
  close(): Promise<void>;
}

const REMEMBERED_PEERS = 50_000;
const PLAIN_REQUEST_BYTES = 1024;

export function createLinkListener(options: LinkListenerOptions): LinkListener {
  const limits = { ...LISTENER_LIMITS, ...options.limits };
  const open = new Set<Socket>();
  const nodes = new Map<string, Set<Duplex>>();
  const enrolServer = createEnrolServer(options, limits);
  const linkServer = createNodeServer(options, limits, nodes);
  const rate = createRateLimiter(options.clock, { ...limits.connectionsPerPeer, maxKeys: REMEMBERED_PEERS });
  const server = createServer({ pauseOnConnect: false }, (socket) => {
    if (!admit(socket, open, rate, limits)) return;
    dispatch(options, limits, socket, { enrolServer, linkServer });
  });
  const disconnect = (node: string): number => {
    const sockets = [...(nodes.get(node) ?? [])];
    for (const socket of sockets) socket.destroy();
    return sockets.length;
  };
  const stopWatching = options.revocations.onRevoked(disconnect);
  return {
    server,
    get connections() {
      return open.size;
    },
    listen: (port, host) => listen(server, port, host),
    disconnect,
    refreshCertificate: () => {
      for (const inner of [enrolServer, linkServer]) inner.setSecureContext(serverCredential(options.pki));
    },
    close: () => {
      stopWatching();
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function admit(socket: Socket, open: Set<Socket>, rate: RateLimiter, limits: ListenerLimits): boolean {
  socket.on('error', () => socket.destroy());
  if (open.size >= limits.maxConnections || !rate.take(socket.remoteAddress ?? '')) {
    socket.destroy();
    return false;
  }
  open.add(socket);
  socket.setNoDelay(true);
  socket.on('close', () => open.delete(socket));
  return true;
}

interface Doors {
  readonly enrolServer: HttpsServer;
  readonly linkServer: HttpsServer;
}

/** Waits for the first bytes, bounded in size and time, puts them back, and hands the socket to its server. */
function dispatch(options: LinkListenerOptions, limits: ListenerLimits, socket: Socket, doors: Doors): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = options.clock.after(limits.helloMs, () => socket.destroy(), { unref: true });
  socket.on('close', () => timer.cancel());
  const onReadable = (): void => {
    for (let chunk = read(socket); chunk !== null; chunk = read(socket)) seen = Buffer.concat([seen, chunk]);
    const first = readFirstBytes(seen);
    if (first.kind === 'more' && seen.length <= MAX_HELLO_BYTES) return;
    if (first.kind === 'plain' && !isWholePlainRequest(seen)) return;
    socket.off('readable', onReadable);
    timer.cancel();
    if (first.kind === 'plain') answerPlain(options, socket, seen);
    else if (first.kind === 'tls') enter(first.protocols);
    else socket.destroy();
  };
  const enter = (protocols: readonly string[]): void => {
    socket.unshift(seen);
    const door = protocols.includes(ENROL_PROTOCOL) ? doors.enrolServer : doors.linkServer;
    door.emit('connection', socket);
  };
  socket.on('readable', onReadable);
}

function read(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null;
}

function isWholePlainRequest(seen: Buffer): boolean {
  return seen.length > PLAIN_REQUEST_BYTES || seen.includes('\r\n\r\n');
}

/** The one answer in the clear: a public certificate that the asker checks by its hash. */
function answerPlain({ pki }: LinkListenerOptions, socket: Socket, seen: Buffer): void {
  const isKnown =
    seen.length <= PLAIN_REQUEST_BYTES && seen.subarray(0, `GET ${ROUTE.ca} HTTP/1.`.length).equals(PLAIN_START);
  const [status, body] = isKnown ? ['200 OK', pki.caPem] : ['400 Bad Request', 'TLS is required here\n'];
  const type = isKnown ? 'application/x-pem-file' : 'text/plain';
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroySoon(),
  );
}

const PLAIN_START = Buffer.from(`GET ${ROUTE.ca} HTTP/1.`, 'latin1');

function createEnrolServer(options: LinkListenerOptions, limits: ListenerLimits): HttpsServer {
  const { enrolment, log, pki } = options;
  const server = builtinHttps().createServer({
    ...serverCredential(pki),
    ...httpLimits(limits),
    minVersion: 'TLSv1.3',
    ALPNProtocols: [ENROL_PROTOCOL],
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('secureConnection', (socket: TLSSocket) => limitTime(options, limits, socket));
  server.on('request', (request, response) => {
    response.on('error', () => response.destroy());
    answerEnrolment({ enrolment, caPem: () => pki.caPem, log }, request, response).catch(() => response.destroy());
  });
  return server;
}

function createNodeServer(
  options: LinkListenerOptions,
  limits: ListenerLimits,
  nodes: Map<string, Set<Duplex>>,
): HttpsServer {
  const { log, onLink, pki } = options;
  const peers = new WeakMap<Duplex, { readonly peer: NodePeer; readonly timer: Timer }>();
  const refused = new WeakMap<Duplex, Told>();
  const server = builtinHttps().createServer({
    ...serverCredential(pki),
    ...httpLimits(limits),
    ca: certificateToPem(pki.authority.certificate),
    minVersion: 'TLSv1.3',
    requestCert: true,
    // A node with an ended certificate shall hear why it is refused: it may renew. `judge` looks at every connection.
    rejectUnauthorized: false,
    // A resumed session would skip the handshake's own look at the certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ALPNProtocols: ['http/1.1'],
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    const verdict = judge(options, socket);
    if (verdict === undefined) {
      socket.destroy();
      return;
    }
    const timer = limitTime(options, limits, socket);
    if ('refusal' in verdict) {
      refused.set(socket, verdict);
      return;
    }
    peers.set(socket, { peer: verdict, timer });
    track(nodes, verdict.node, socket);
    endWithCertificate(options, socket, verdict.certificate);
  });
  server.on('request', (request, response) => {
    const status = statusFor(refused.get(request.socket)) ?? 426;
    response.writeHead(status, { connection: 'close', ...(status === 426 ? { upgrade: 'websocket' } : {}) }).end();
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const known = peers.get(request.socket);
    if (!known) {
      tell(socket, refused.get(request.socket));
      return;
    }
    known.timer.cancel();
    onLink(request, socket, head, known.peer);
  });
  server.on('clientError', (error, socket) => {
    log.debug({ error }, 'link request not readable');
    socket.destroy();
  });
  return server;
}

/** A node of ours that is not let in, and hears why. */
interface Told {
  /** `certificate`: not good at this time, which renewal mends. `revoked`: only joining anew does. */
  readonly refusal: 'certificate' | 'revoked';
}

/** What the platform says of a chain that is ours, but not of today. */
const NOT_OF_TODAY: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/**
 * Chain, dates, usage and revocation, by us: `authorized` of a resumed session says nothing about today.
 * Invariant: only the holder of a certificate of ours hears why it is refused; everybody else is cut off.
 */
function judge({ clock, log, pki, revocations }: LinkListenerOptions, socket: TLSSocket): NodePeer | Told | undefined {
  const raw = socket.getPeerX509Certificate()?.raw;
  if (!raw || !(socket.authorized || NOT_OF_TODAY.has(String(socket.authorizationError)))) return undefined;
  try {
    const certificate = parseCertificate(raw);
    const node = nodeOfCertificate(certificate);
    const refusal = refusalOf(certificate, {
      authority: pki.authority.certificate,
      now: clock.now(),
      usage: 'clientAuth',
      isRevoked: (candidate) => revocations.isRevoked(candidate),
    });
    if (node !== undefined && refusal === undefined) return { node, certificate };
    log.info({ node, refusal: refusal ?? 'not a node', peer: socket.remoteAddress }, 'link connection refused');
    if (node === undefined) return undefined;
    if (refusal === 'revoked') return { refusal };
    if (refusal === 'expired' || refusal === 'not-yet-valid') return { refusal: 'certificate' };
  } catch (error) {
    log.info({ error, peer: socket.remoteAddress }, 'link certificate not readable');
  }
  return undefined;
}

/** 401 says that the certificate does not hold, 403 that none of this node's would. */
function statusFor(told: Told | undefined): 401 | 403 | undefined {
  if (told === undefined) return undefined;
  return told.refusal === 'revoked' ? 403 : 401;
}

function tell(socket: Duplex, told: Told | undefined): void {
  const status = statusFor(told);
  if (status === undefined) socket.destroy();
  else socket.end(`HTTP/1.1 ${status} ${told?.refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** A certificate that was not renewed carries no connection past its end; a node that has a newer one is back at once. */
function endWithCertificate({ clock }: LinkListenerOptions, socket: TLSSocket, { notAfter }: Certificate): void {
  const timer = clock.after(notAfter - clock.now(), () => socket.destroy(), { unref: true });
  socket.on('close', () => timer.cancel());
}

function track(nodes: Map<string, Set<Duplex>>, node: string, socket: TLSSocket): void {
  const sockets = nodes.get(node) ?? new Set();
  nodes.set(node, sockets.add(socket));
  socket.on('close', () => {
    sockets.delete(socket);
    if (sockets.size === 0 && nodes.get(node) === sockets) nodes.delete(node);
  });
}

function serverCredential({ link }: Pick<Pki, 'link'>): { cert: string; key: string } {
  return credentialToPem(link);
}

function httpLimits(limits: ListenerLimits) {
  return { maxHeaderSize: limits.maxHeaderBytes, handshakeTimeout: limits.handshakeMs };
}

/**
 * A request must be over this long after its handshake. Node's own request timeouts count only on a server that listens itself,
 * which these do not.
 */
function limitTime({ clock }: LinkListenerOptions, limits: ListenerLimits, socket: Duplex): Timer {
  const timer = clock.after(limits.requestMs, () => socket.destroy(), { unref: true });
  socket.on('close', () => timer.cancel());
  return timer;
}

// A static import from ESM would evaluate every export of node:http, the browser's WebSocket among them.
function builtinHttps(): typeof import('node:https') {
  return process.getBuiltinModule('node:https');
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
