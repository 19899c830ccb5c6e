/** Who comes in: identity before any route, and a bound on how often one address may ask, or fail to say who it is. */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Authenticator, Credentials, UserInfo } from '@skerry/api';
import type { Clock } from '@skerry/base';
import type { HttpLimits } from './limits.ts';
import { RateLimiter } from './rate-limiter.ts';
import { tooManyRequests, unauthorized } from './statuses.ts';

const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };

/** What anybody may ask, so that load balancers and clients before their login are served. */
const PUBLIC_PATHS = /^\/(healthz|livez|readyz|version)([/?]|$)/;

export class Gate {
  readonly #authenticator: Authenticator;
  readonly #requests: RateLimiter;
  readonly #refusals: RateLimiter;

  constructor(clock: Clock, authenticator: Authenticator, { requests, refusals }: HttpLimits) {
    this.#authenticator = authenticator;
    this.#requests = new RateLimiter(clock, requests);
    this.#refusals = new RateLimiter(clock, refusals);
  }

  /** Decides who sends `message`; throws 401 when nobody known does and the path is not public, 429 when it is too often. */
  async admit(message: IncomingMessage): Promise<UserInfo> {
    const peer = message.socket.remoteAddress ?? '';
    if (!this.#requests.take(peer)) throw tooOften();
    const authentication = await this.#authenticator.authenticate(credentialsOf(message));
    if (authentication.kind === 'user') return authentication.user;
    if (authentication.kind === 'anonymous' && PUBLIC_PATHS.test(message.url ?? '')) return ANONYMOUS;
    // Many may share an address, so only those who fail wait for those who failed.
    throw this.#refusals.take(peer) ? unauthorized() : tooOften();
  }
}

function tooOften(): Error {
  return tooManyRequests('Too many requests, please try again later.', 1);
}

const BEARER = /^bearer +(\S+)$/i;

/** Browsers cannot set headers on a WebSocket, so they bring the token as a subprotocol. */
const BEARER_PROTOCOL = /(?:^|,)\s*base64url\.bearer\.authorization\.k8s\.io\.([\w-]+)\s*(?:,|$)/;

function credentialsOf({ socket, headers }: IncomingMessage): Credentials {
  const peerCertificate = peerOf(socket as TLSSocket);
  const bearerToken = BEARER.exec(headers.authorization ?? '')?.[1] ?? protocolToken(headers['sec-websocket-protocol']);
  return {
    ...(peerCertificate === undefined ? {} : { peerCertificate }),
    ...(bearerToken === undefined ? {} : { bearerToken }),
  };
}

function protocolToken(protocols: string | undefined): string | undefined {
  const encoded = protocols === undefined ? undefined : BEARER_PROTOCOL.exec(protocols)?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64url').toString();
}

type PeerCertificate = NonNullable<Credentials['peerCertificate']>;

// A connection keeps its certificate; whether it still holds is asked anew for each request.
const peers = new WeakMap<TLSSocket, PeerCertificate | null>();

function peerOf(socket: TLSSocket): PeerCertificate | undefined {
  const known = peers.get(socket);
  if (known !== undefined) return known ?? undefined;
  const certificate = typeof socket.getPeerX509Certificate === 'function' ? socket.getPeerX509Certificate() : undefined;
  const peer = certificate === undefined ? null : { raw: certificate.raw, authorized: socket.authorized };
  peers.set(socket, peer);
  return peer ?? undefined;
}
