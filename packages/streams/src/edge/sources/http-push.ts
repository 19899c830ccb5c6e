/** Rows that others POST. */
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '@skerry/base';
import type { StreamSpec } from '../../kinds/stream.ts';
import { bodyOf } from '../http.ts';
import { type Secret, textIn } from '../secrets.ts';
import type { Source, SourceContext, SourceTarget } from './source.ts';
import { messageTaker } from './take-message.ts';

const MAX_BODY_BYTES = 1024 * 1024;
const MAX_CONNECTIONS = 256;
const REQUEST_MS = 10_000;
/** Whoever has the port may go. */
const RETRY_MS = 2000;

export function openHttpPush(spec: StreamSpec, target: SourceTarget, { secret, clock }: SourceContext): Source {
  const { path = '/', address = '127.0.0.1', port = 0, anonymous = false } = spec.source.httpPush ?? {};
  const take = messageTaker(spec, target);
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const status = statusOf(request, path, anonymous ? undefined : secret);
    if (status !== OK) {
      response.writeHead(status, { connection: 'close' }).end();
      return;
    }
    take(await bodyOf(request, MAX_BODY_BYTES));
    response.writeHead(OK).end();
  };
  const http = process.getBuiltinModule('node:http');
  const server = http.createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('error', (error) =>
    target.problem(`cannot listen on ${address}, port ${port}, which is tried again: ${messageOf(error)}`),
  );
  const closing = new AbortController();
  const { signal } = closing;
  const listening = (async () => {
    while (!signal.aborted && !server.listening) {
      server.listen(port, address);
      const isOpen = once(server, 'listening').then(() => target.problem(undefined));
      await isOpen.catch(() => clock.sleep(RETRY_MS, signal)).catch(() => {});
    }
  })();
  return {
    close: async () => {
      closing.abort();
      await listening;
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const OK = 204;

function statusOf({ method, url = '', headers }: IncomingMessage, path: string, secret: Secret | undefined): number {
  if (url.split('?')[0] !== path) return 404;
  if (method !== 'POST') return 405;
  return secret === undefined || isAllowed(headers.authorization ?? '', secret) ? OK : 401;
}

/** Without a token in the Secret, nobody is. */
function isAllowed(authorization: string, secret: Secret): boolean {
  const token = textIn(secret, 'token');
  if (token === undefined || token === '') return false;
  const [expected, given] = [Buffer.from(`Bearer ${token}`), Buffer.from(authorization)];
  return expected.length === given.length && timingSafeEqual(expected, given);
}
