import type { UserInfo } from '@skerry/api';
import type { ApiRequest, ApiResponse } from '../server/contract.ts';
import { clientOver } from './client-over.ts';
import type { Client } from './contract.ts';
import type { Transport } from './transport.ts';

export interface InProcessClientOptions {
  /** The API server's door. */
  readonly handle: (request: ApiRequest) => Promise<ApiResponse>;
  /** Who the requests come from; authorization applies as to anybody. */
  readonly user: UserInfo;
  /** Shown as the User-Agent, from which the server takes the default field manager. */
  readonly userAgent?: string;
}

/** A client of an API server in the same process: the same requests as over a socket, without one. */
export function createInProcessClient(options: InProcessClientOptions): Client {
  return clientOver(inProcessTransport(options));
}

function inProcessTransport({ handle, user, userAgent = 'skerry' }: InProcessClientOptions): Transport {
  const encoder = new TextEncoder();
  return async (request) => {
    const response = await handle({
      method: request.method,
      path: request.path,
      query: request.query,
      headers: {
        accept: request.accept ?? 'application/json',
        'user-agent': userAgent,
        ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
      },
      ...(request.body === undefined ? {} : { body: encoder.encode(request.body) }),
      user,
      signal: request.signal ?? NEVER_ABORTED,
    });
    return { status: response.status, headers: response.headers, body: response.body };
  };
}

const NEVER_ABORTED = new AbortController().signal;
