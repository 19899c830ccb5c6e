/** The seam between what a client says and how it gets there: in process, over TLS, over a unix socket. */

export interface WireRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType?: string;
  readonly accept?: string;
  readonly body?: string;
  /** A watch or a followed log: no limit on the whole body, and the answer may take its time. */
  readonly streaming: boolean;
  readonly signal?: AbortSignal;
}

export interface WireResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: AsyncIterable<string | Uint8Array> | string | Uint8Array | undefined;
}

export type Transport = (request: WireRequest) => Promise<WireResponse>;
