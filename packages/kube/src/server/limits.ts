/** What a listener grants its clients, each with a name. */
import type { Rate } from './rate-limiter.ts';

export interface HttpLimits {
  readonly maxBodyBytes: number;
  readonly maxHeaderBytes: number;
  /** From the first byte of a connection to its TLS session. */
  readonly handshakeMs: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestMs: number;
  /** How long an idle connection is kept. */
  readonly keepAliveMs: number;
  /** How long a client may take nothing of an answer that waits for it. */
  readonly stalledMs: number;
  /** What one address may ask. */
  readonly requests: Rate;
  /** How often one address may fail to say who it is. */
  readonly refusals: Rate;
  readonly maxConnections: number;
  readonly maxConnectionsPerPeer: number;
}

export const DEFAULT_LIMITS: HttpLimits = {
  maxBodyBytes: 3 * 1024 * 1024,
  maxHeaderBytes: 32 * 1024,
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 60_000,
  keepAliveMs: 90_000,
  stalledMs: 60_000,
  requests: { perSecond: 20_000, burst: 40_000 },
  refusals: { perSecond: 10, burst: 200 },
  maxConnections: 20_000,
  maxConnectionsPerPeer: 10_000,
};
