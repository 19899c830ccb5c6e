/** From an HTTP message to an ApiRequest, its body read whole and within the limits. */
import type { IncomingMessage } from 'node:http';
import type { UserInfo } from '@skerry/api';
import type { ApiRequest } from './contract.ts';
import { badRequest, methodNotAllowed, tooLarge } from './statuses.ts';

const METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);

/** Reads the body whole; throws 413 as soon as it is known to be over the limit. */
export function readBody(message: IncomingMessage, maxBytes: number): Promise<Uint8Array | undefined> {
  const length = message.headers['content-length'];
  if (length === undefined && message.headers['transfer-encoding'] === undefined) return Promise.resolve(undefined);
  if (message.headers['content-encoding'] !== undefined) {
    return Promise.reject(badRequest('the server does not take encoded bodies'));
  }
  if (length !== undefined && Number(length) > maxBytes) return Promise.reject(tooLarge(`limit is ${maxBytes}`));
  return collect(message, maxBytes);
}

function collect(message: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    message.on('data', (chunk: Uint8Array) => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      message.pause();
      reject(tooLarge(`limit is ${maxBytes}`));
    });
    message.once('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    message.once('error', reject);
    message.once('close', () => reject(badRequest('the client went away before its request was whole')));
  });
}

export function toApiRequest(message: IncomingMessage, user: UserInfo, body: Uint8Array | undefined): HttpApiRequest {
  const { method = '' } = message;
  if (!METHODS.has(method)) throw methodNotAllowed();
  return new HttpApiRequest(message, user, body);
}

/** A request whose signal exists only once somebody asks for it: most answers are over before a client can go away. */
export class HttpApiRequest implements ApiRequest {
  readonly method: ApiRequest['method'];
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: ApiRequest['headers'];
  readonly body?: Uint8Array;
  readonly user: UserInfo;
  readonly sourceIp?: string;
  readonly #message: IncomingMessage;
  #abort: AbortController | undefined;

  constructor(message: IncomingMessage, user: UserInfo, body: Uint8Array | undefined) {
    const url = message.url ?? '/';
    const question = url.indexOf('?');
    this.#message = message;
    this.method = message.method as ApiRequest['method'];
    this.path = question < 0 ? url : url.slice(0, question);
    this.query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
    this.headers = message.headers as ApiRequest['headers'];
    this.user = user;
    if (body !== undefined) this.body = body;
    const { remoteAddress } = message.socket;
    if (remoteAddress !== undefined) this.sourceIp = remoteAddress;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      const { socket } = this.#message;
      if (socket.destroyed) abort.abort();
      else socket.once('close', () => abort.abort());
    }
    return this.#abort.signal;
  }
}
