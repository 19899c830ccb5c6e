/** The API server without sockets: a request in, a response out. HTTP, the in-process client and the edge use the same door. */
import type { UserInfo } from '@skerry/api';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Already read whole and within the limit. */
  readonly body?: Uint8Array;
  readonly user: UserInfo;
  readonly sourceIp?: string;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A stream for watches and logs; its consumer pulls, so back-pressure reaches the source. */
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

/** A request to take the connection over: exec, attach, port-forward, watch over WebSocket. Authorized before it gets here. */
export interface UpgradeRequest extends ApiRequest {
  readonly protocols: readonly string[];
}
