/** From an HTTP message to an ApiRequest, its body read whole and within the limits. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
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

/** Without a response the request is an upgrade, which has its connection for itself. */
export function toApiRequest(
  message: IncomingMessage,
  user: UserInfo,
  body: Uint8Array | undefined,
  response?: ServerResponse,
): HttpApiRequest {
  const { method = '' } = message;
  if (!METHODS.has(method)) throw methodNotAllowed();
  return new HttpApiRequest(message, user, body, response);
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
  readonly #response: ServerResponse | undefined;
  #abort: AbortController | undefined;

  constructor(message: IncomingMessage, user: UserInfo, body: Uint8Array | undefined, response?: ServerResponse) {
    const url = message.url ?? '/';
    const question = url.indexOf('?');
    this.#message = message;
    this.#response = response;
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
    this.#abort ??= abortWhenGone(this.#message.socket, this.#response);
    return this.#abort.signal;
  }
}

/** Aborts when the client goes before its answer is whole. A connection that goes on to the next request keeps nothing of this one. */
function abortWhenGone(socket: Socket, response: ServerResponse | undefined): AbortController {
  const abort = new AbortController();
  const onGone = () => abort.abort();
  if (socket.destroyed) {
    onGone();
    return abort;
  }
  socket.once('close', onGone);
  response?.once('close', () => {
    socket.off('close', onGone);
    if (!response.writableFinished) onGone();
  });
  return abort;
}
