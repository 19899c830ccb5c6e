/** Where clients of a broker come in: TLS or plain, with a bound on how many. */
import type { X509Certificate } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls';
import { chainRefusal, contextOf, fingerprintsOf, inWords } from '../transport/tls-trust.ts';
import type { BrokerListener, BrokerTls, RejectedPeer } from './config.ts';

export interface Arrival {
  readonly socket: Socket;
  /** Of its certificate, where one was demanded. */
  readonly name: string | undefined;
}

export interface OpenListener {
  /** `mqtts://127.0.0.1:8883`. */
  readonly endpoint: string;
  /** Whoever comes from now on sees this certificate; whoever is there stays. Throws when it is none. */
  renew(tls: BrokerTls): void;
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
  const secured = tls === undefined ? undefined : encrypted(tls, options);
  const server = secured ?? plain(options);
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
    renew: (renewed) => secured?.setSecureContext(secureContext(renewed)),
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

function encrypted(tls: BrokerTls, { onArrival, onRejected }: ListenOptions): TlsServer {
  const { trust } = tls;
  const trusted = trust === undefined ? new Set<string>() : fingerprintsOf(trust);
  const server = createTlsServer({
    ...secureContext(tls),
    handshakeTimeout: HANDSHAKE_MS,
    // Decided below, so that whoever is refused can be shown to a person.
    ...(trust === undefined ? {} : { requestCert: true, rejectUnauthorized: false }),
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {});
    if (trust === undefined) return onArrival({ socket, name: undefined });
    const refusal = refusalOf(socket, trusted);
    if (refusal === undefined) return onArrival({ socket, name: commonNameOf(socket) });
    const peer = socket.getPeerX509Certificate();
    if (peer !== undefined) onRejected({ ...shown(peer), reason: `the certificate ${refusal}` });
    socket.destroy();
  });
  return server;
}

function secureContext({ certificate, key, trust }: BrokerTls): TlsOptions {
  return { cert: certificate, key, minVersion: 'TLSv1.2', ...(trust === undefined ? {} : contextOf(trust)) };
}

/** Completes the sentence "the certificate …". */
function refusalOf(socket: TLSSocket, trusted: ReadonlySet<string>): string | undefined {
  return socket.authorized ? chainRefusal(socket, trusted) : inWords(String(socket.authorizationError));
}

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
