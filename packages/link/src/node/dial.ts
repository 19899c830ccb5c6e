/** Dials a hub: TLS 1.3 with a client certificate, then a WebSocket. */
import type { ClientOptions } from 'ws';
import { Reason } from '../core/frame.ts';
import { HELLO_TIMEOUT_MS } from '../limits.ts';
import type { LinkTls } from './contract.ts';
import { LinkSocket, socketOptions } from './link-socket.ts';

export interface Target {
  readonly endpoint: string;
  readonly urlPath: string;
  readonly tls: LinkTls;
  readonly serverName?: string;
}

/** The answer of a server that does not upgrade. */
export interface Refusal {
  readonly reason: Reason | undefined;
  readonly text: string;
}

export function dial(target: Target, onRefused: (refusal: Refusal) => void): LinkSocket {
  const { endpoint, urlPath, tls, serverName } = target;
  const socket = new LinkSocket(`wss://${endpoint}${urlPath}`, {
    ...socketOptions,
    ...secureOptions(tls),
    ...(serverName === undefined ? {} : { servername: serverName }),
    minVersion: 'TLSv1.3',
    handshakeTimeout: HELLO_TIMEOUT_MS,
    followRedirects: false,
    generateMask: noMask,
  });
  socket.on('unexpected-response', (request, response) => {
    response.resume();
    request.destroy();
    onRefused(toRefusal(response.statusCode));
    socket.terminate();
  });
  return socket;
}

// The types of ws take the check of the server's name for a predicate; it is handed to node:tls as it is.
function secureOptions({ checkServerIdentity, ...secure }: LinkTls): ClientOptions {
  return checkServerIdentity === undefined ? secure : { ...secure, checkServerIdentity: checkServerIdentity as never };
}

// Masking keeps proxies that read along from taking payload for requests (RFC 6455 §10.3). Inside TLS with a client
// certificate nobody reads along, and a mask of zeros saves a pass over every byte on both sides.
function noMask(mask: Buffer): void {
  mask.fill(0);
}

function toRefusal(status: number | undefined): Refusal {
  const text = `the hub answered ${status ?? 'nothing'}`;
  if (status === 401) return { reason: Reason.certificate, text };
  if (status === 403) return { reason: Reason.revoked, text };
  return { reason: status === 503 ? Reason.busy : undefined, text };
}

/** The endpoint for a dial: the next one that no path uses, or the next one. */
export function pickEndpoint(
  endpoints: readonly string[],
  turn: number,
  inUse: ReadonlySet<string>,
): string | undefined {
  const free = endpoints.filter((endpoint) => !inUse.has(endpoint));
  const candidates = free.length > 0 ? free : endpoints;
  return candidates[turn % Math.max(1, candidates.length)];
}
