/** How the edge reaches the enrolment routes. The functions that join and renew get a `CloudDoor`; `nodeDoor` is the real one. */
import type { RequestOptions } from 'node:https';
import { connect } from 'node:net';
import type { PeerCertificate, ConnectionOptions as SecureOptions } from 'node:tls';
import { type Clock, messageOf } from '@skerry/base';
import { errors } from '../errors.ts';
import { parseCertificate } from '../pki/index.ts';
import { MAX_ENROLMENT_BODY, ROUTE } from './enrolment-messages.ts';

export interface DoorRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
}

export interface DoorReply {
  readonly status: number;
  readonly body: string;
}

export interface CloudDoor {
  /** The CA certificate that the address claims, as PEM, from an unverified connection: nobody's word until its hash is checked. */
  fetchAuthority(address: string): Promise<string>;
  /** Over TLS 1.3, verified with this CA. */
  request(address: string, caPem: string, request: DoorRequest): Promise<DoorReply>;
}

export interface NodeDoorOptions {
  readonly clock: Clock;
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_AUTHORITY_BYTES = 16 * 1024;
/** The organization in the certificate of a link listener: not every server that our CA knows is one. */
const LINK_ORGANIZATION = 'system:link';
const ENROL_PROTOCOL = 'skerry-enroll/1';

export function nodeDoor({ clock, timeoutMs = DEFAULT_TIMEOUT_MS }: NodeDoorOptions): CloudDoor {
  return {
    fetchAuthority: (address) => fetchPlain(clock, timeoutMs, address),
    request: (address, caPem, request) => requestOverTls(clock, timeoutMs, { address, caPem, request }),
  };
}

/**
 * TLS options for every connection from an edge to its cloud. The server must hold a link certificate of the pinned CA; its
 * address may be any, since NAT and port forwarding give hubs addresses that no certificate knows (docs/adr/0002).
 */
export function linkTlsOptions(caPem: string): {
  readonly ca: string;
  readonly minVersion: 'TLSv1.3';
  readonly checkServerIdentity: (host: string, certificate: Pick<PeerCertificate, 'raw'>) => Error | undefined;
} {
  return { ca: caPem, minVersion: 'TLSv1.3', checkServerIdentity: (_host, { raw }) => linkIdentityError(raw) };
}

function linkIdentityError(raw: Uint8Array): Error | undefined {
  try {
    const { subject } = parseCertificate(raw);
    if (subject.organizations.includes(LINK_ORGANIZATION)) return undefined;
    return errors.CERTIFICATE_REFUSED({ subject: subject.commonName, reason: 'not a link listener' });
  } catch (cause) {
    return errors.CERTIFICATE_REFUSED({ subject: 'the peer', reason: 'not readable' }, { cause });
  }
}

/** Splits `HOST:PORT`, with brackets around an IPv6 address. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const port = Number(address.slice(colon + 1));
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port };
}

function fetchPlain(clock: Clock, timeoutMs: number, address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(splitAddress(address));
    const timer = clock.after(timeoutMs, () => socket.destroy(new Error('no answer in time')), { unref: true });
    let text = '';
    socket.setEncoding('latin1');
    socket.on('connect', () =>
      socket.write(`GET ${ROUTE.ca} HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`),
    );
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_AUTHORITY_BYTES) socket.destroy(new Error('answer too large'));
    });
    socket.on('error', reject);
    socket.on('close', () => {
      timer.cancel();
      const bodyAt = text.indexOf('\r\n\r\n');
      if (/^HTTP\/1\.[01] 200 /.test(text) && bodyAt > 0) resolve(text.slice(bodyAt + 4));
      else reject(errors.REPLY_INVALID({ request: ROUTE.ca, reason: 'not an answer of a link listener' }));
    });
  });
}

interface TlsRequest {
  readonly address: string;
  readonly caPem: string;
  readonly request: DoorRequest;
}

function requestOverTls(clock: Clock, timeoutMs: number, { address, caPem, request }: TlsRequest): Promise<DoorReply> {
  // A static import from ESM would evaluate every export of node:http, the browser's WebSocket among them.
  const https = process.getBuiltinModule('node:https');
  const options: RequestOptions & SecureOptions = {
    ...splitAddress(address),
    ...linkTlsOptions(caPem),
    ALPNProtocols: [ENROL_PROTOCOL],
    agent: false,
    method: request.method,
    path: request.path,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(request.body ?? '') },
  };
  return new Promise((resolve, reject) => {
    const outgoing = https.request(options);
    const timer = clock.after(timeoutMs, () => outgoing.destroy(new Error('no answer in time')), { unref: true });
    outgoing.on('close', () => timer.cancel());
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > MAX_ENROLMENT_BODY) outgoing.destroy(new Error('answer too large'));
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    outgoing.end(request.body);
  });
}

/** Tries each address in turn until one answers; an error that `isFinal` says is final ends the round. */
export async function firstAnswer<T>(
  addresses: readonly string[],
  ask: (address: string) => Promise<T>,
  isFinal: (error: unknown) => boolean,
): Promise<T> {
  const causes: unknown[] = [];
  for (const address of addresses) {
    try {
      return await ask(address);
    } catch (error) {
      if (isFinal(error)) throw error;
      causes.push(error);
    }
  }
  const cause = new AggregateError(causes, causes.map(messageOf).join('; '));
  throw errors.CLOUD_UNREACHABLE({ addresses: addresses.join(', ') }, { cause });
}
