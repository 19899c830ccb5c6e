/** The enrolment routes over HTTP: bounded bodies in, JSON out. Nothing here asks for a client certificate. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '@skerry/base';
import type { Enrolment } from './enrolment.ts';
import { MAX_ENROLMENT_BODY, ROUTE, readEnrolRequest, readRenewRequest } from './enrolment-messages.ts';
import { BAD_REQUEST, type EnrolmentReply, INTERNAL, NOT_FOUND, statusReply, TOO_LARGE } from './enrolment-replies.ts';

export interface EnrolmentRoutes {
  readonly enrolment: Enrolment;
  readonly caPem: () => string;
  readonly log: Logger;
}

export async function answerEnrolment(
  routes: EnrolmentRoutes,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://cloud.invalid');
  if (request.method === 'GET' && url.pathname === ROUTE.ca) {
    write(response, 200, 'application/x-pem-file', routes.caPem());
    return;
  }
  const reply = await replyTo(routes, request, url);
  write(response, reply.status, 'application/json', JSON.stringify(reply.body));
  // The rest of a body that was not read is not waited for.
  if (!request.complete) response.on('finish', () => request.socket.destroySoon());
}

async function replyTo(
  { enrolment, log }: EnrolmentRoutes,
  request: IncomingMessage,
  url: URL,
): Promise<EnrolmentReply> {
  const peer = request.socket.remoteAddress ?? 'unknown';
  try {
    if (url.pathname === ROUTE.time)
      return ifMethod(request, 'GET', async () => enrolment.time(url.searchParams.get('nonce') ?? '', peer));
    if (url.pathname === ROUTE.enrol)
      return await ifMethod(request, 'POST', () =>
        post(request, readEnrolRequest, (body) => enrolment.enrol(body, peer)),
      );
    if (url.pathname === ROUTE.renew)
      return await ifMethod(request, 'POST', () =>
        post(request, readRenewRequest, (body) => enrolment.renew(body, peer)),
      );
    return NOT_FOUND;
  } catch (error) {
    log.error({ error, path: url.pathname }, 'enrolment request failed');
    return INTERNAL;
  }
}

async function ifMethod(
  request: IncomingMessage,
  method: string,
  answer: () => Promise<EnrolmentReply>,
): Promise<EnrolmentReply> {
  return request.method === method ? answer() : statusReply(405, 'MethodNotAllowed', 'the method is not allowed here');
}

async function post<T>(
  request: IncomingMessage,
  read: (body: Uint8Array) => T | undefined,
  act: (message: T) => Promise<EnrolmentReply>,
): Promise<EnrolmentReply> {
  const body = await readBody(request);
  if (!body) return TOO_LARGE;
  const message = read(body);
  return message === undefined ? BAD_REQUEST : act(message);
}

/** Nothing when the body is, or says it will be, over the cap. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_ENROLMENT_BODY) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early would destroy the request before the answer is written.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ENROLMENT_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function write(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(body);
}
