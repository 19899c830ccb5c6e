/** A request in the name of another user. */
import type { UserInfo } from '@skerry/api';
import type { ApiRequest } from './contract.ts';

export class ImpersonatedRequest implements ApiRequest {
  readonly method: ApiRequest['method'];
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: ApiRequest['headers'];
  readonly body?: Uint8Array;
  readonly user: UserInfo;
  readonly sourceIp?: string;
  readonly #request: ApiRequest;

  constructor(request: ApiRequest, user: UserInfo) {
    this.#request = request;
    this.method = request.method;
    this.path = request.path;
    this.query = request.query;
    this.headers = request.headers;
    this.user = user;
    if (request.body !== undefined) this.body = request.body;
    if (request.sourceIp !== undefined) this.sourceIp = request.sourceIp;
  }

  // A signal costs something to make, so it is asked for only when it is needed.
  get signal(): AbortSignal {
    return this.#request.signal;
  }
}
