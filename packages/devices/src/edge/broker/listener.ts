/** Where clients of a broker come in: TLS or plain, with a bound on how many. */
import { X509Certificate } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { BrokerListener, BrokerTls, RejectedPeer } from './config.ts';

export interface Arrival {
  readonly socket: Socket;
  /** Of its certificate, where one was demanded. */
  readonly name: string | undefined;
}

export interface OpenListener {
  /** `mqtts://127.0.0.1:8883`. */
  readonly endpoint: string;
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly onArrival: (arrival: Arrival) => void;
  readonly onRejected: (peer: Omit<RejectedPeer, 'seenAt'>) => void;
}

/** What is written to a client waits here until it reads; beyond it the client is too slow. */
const BUFFER_BYTES = 1_048_576;
const HANDSHAKE_MS = 10_000;
/** How often the kernel looks whether a silent client is still there. */
const PROBE_MS = 60_000;

/** Rejects when the address cannot be had, or when the certificate is none. */
export async function listen(listener: BrokerListener, options: ListenOptions): Promise<OpenListener> {
  const { address, port, tls } = listener;
  const sockets = new Set<Socket>();
  const server = tls === undefined ? plain(options) : encrypted(tls, options);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, PROBE_MS);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  const at = bound === null || typeof bound === 'string' ? port : bound.port;
  const host = address.includes(':') ? `[${address}]` : address;
  return {
    endpoint: `${tls === undefined ? 'mqtt' : 'mqtts'}://${host}:${at}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function plain({ onArrival }: ListenOptions): Server {
  return createServer({ highWaterMark: BUFFER_BYTES }, (socket) => onArrival({ socket, name: undefined }));
}

function encrypted(tls: BrokerTls, { onArrival, onRejected }: ListenOptions): Server {
  const { certificate, key, trust } = tls;
  const authorities = [...(trust?.trusted ?? []), ...(trust?.issuers ?? [])];
  const trusted = new Set((trust?.trusted ?? []).map((pem) => new X509Certificate(pem).fingerprint256));
  const server = createTlsServer({
    cert: certificate,
    key,
    minVersion: 'TLSv1.2',
    handshakeTimeout: HANDSHAKE_MS,
    ...(trust === undefined
      ? {}
      : {
          requestCert: true,
          // Decided below, so that whoever is refused can be shown to a person.
          rejectUnauthorized: false,
          allowPartialTrustChain: true,
          ca: authorities,
          ...(trust.revocationLists.length === 0 ? {} : { crl: [...trust.revocationLists] }),
        }),
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {});
    if (trust === undefined) return onArrival({ socket, name: undefined });
    const refusal = refusalOf(socket, trusted);
    if (refusal === undefined) return onArrival({ socket, name: commonNameOf(socket) });
    const peer = socket.getPeerX509Certificate();
    if (peer !== undefined) onRejected({ ...shown(peer), reason: refusal });
    socket.destroy();
  });
  return server;
}

/** Why the certificate is not accepted: not in order, or its chain leads to none that is trusted. */
function refusalOf(socket: TLSSocket, trusted: ReadonlySet<string>): string | undefined {
  if (!socket.authorized) return String(socket.authorizationError);
  let each = socket.getPeerCertificate(true);
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    if (trusted.has(each.fingerprint256)) return undefined;
    if (each.issuerCertificate === undefined || each.issuerCertificate === each) break;
    each = each.issuerCertificate;
  }
  return 'its issuer is known, but not trusted';
}

const MAX_CHAIN = 10;

function commonNameOf(socket: TLSSocket): string | undefined {
  const { CN } = socket.getPeerCertificate().subject ?? {};
  return Array.isArray(CN) ? CN[0] : CN;
}

function shown(certificate: X509Certificate): Omit<RejectedPeer, 'seenAt' | 'reason'> {
  return {
    pem: certificate.toString(),
    thumbprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    subject: certificate.subject,
  };
}
