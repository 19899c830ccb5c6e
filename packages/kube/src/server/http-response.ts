/** From an ApiResponse to an HTTP message: back-pressure, gzip of what is large, an end for clients that take nothing. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '@skerry/base';
import type { ApiResponse } from './contract.ts';

/** Smaller answers are not worth compressing. */
const MIN_GZIP_BYTES = 128 * 1024;

// Level 1: lists shrink tenfold with it, and the higher levels cost several times as much for little more.
const GZIP_LEVEL = 1;

const compress = promisify(gzip);

export interface WriteContext {
  readonly clock: Clock;
  readonly stalledMs: number;
}

export async function writeResponse(
  context: WriteContext,
  message: IncomingMessage,
  response: ServerResponse,
  answer: ApiResponse,
): Promise<void> {
  const { body } = answer;
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    await writeWhole(message, response, answer, body === undefined ? undefined : toBytes(body));
    return;
  }
  response.writeHead(answer.status, answer.headers);
  response.flushHeaders();
  await writeStream(context, response, body);
}

async function writeWhole(
  message: IncomingMessage,
  response: ServerResponse,
  { status, headers }: ApiResponse,
  plain: Uint8Array | undefined,
): Promise<void> {
  const isCompressed = plain !== undefined && plain.length >= MIN_GZIP_BYTES && acceptsGzip(message);
  const body = isCompressed ? await compress(plain, { level: GZIP_LEVEL }) : plain;
  response.writeHead(status, {
    ...headers,
    ...(isCompressed ? { 'content-encoding': 'gzip', vary: varyBy(headers['vary'], 'Accept-Encoding') } : {}),
    'content-length': body?.length ?? 0,
  });
  response.end(message.method === 'HEAD' ? undefined : body);
}

function varyBy(already: string | undefined, header: string): string {
  return already === undefined ? header : `${already}, ${header}`;
}

function acceptsGzip({ headers }: IncomingMessage): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(headers['accept-encoding']?.toString() ?? '');
}

async function writeStream(
  context: WriteContext,
  response: ServerResponse,
  body: AsyncIterable<string | Uint8Array>,
): Promise<void> {
  const iterator = body[Symbol.asyncIterator]();
  const onClose = () => void iterator.return?.();
  response.once('close', onClose);
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      if (response.destroyed) return;
      if (!response.write(next.value)) await drained(context, response);
    }
    response.end();
  } catch {
    // The headers are out, so a broken source can only be shown as a broken connection.
    response.destroy();
  }
}

/** Resolves when the client took what was written; gives it up when it takes nothing for too long. */
function drained({ clock, stalledMs }: WriteContext, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    const timer = clock.after(stalledMs, () => response.destroy(), { unref: true });
    response.once('drain', done);
    response.once('close', done);
  });
}

function toBytes(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body;
}
