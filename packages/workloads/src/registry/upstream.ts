/** Another registry behind our door: its storage, our users and policy. It trusts whoever reaches it, so only the cloud should. */
import type { IncomingMessage, OutgoingHttpHeaders, RequestOptions } from 'node:http';
import { type Logger, messageOf } from '@skerry/base';
import type { Answer } from './answers.ts';
import type { Backend } from './listener.ts';
import { refusals } from './refusal.ts';

export interface UpstreamOptions {
  readonly url: URL;
  readonly log: Logger;
}

/** How long it may say nothing. */
const SILENT_MS = 60_000;
const MAX_CONNECTIONS = 64;
const PASSED = [
  'accept',
  'content-type',
  'content-length',
  'content-range',
  'range',
  'if-none-match',
  'transfer-encoding',
  'host',
];
const RETURNED =
  /^(content-(type|length|range)|accept-ranges|etag|location|range|link|docker-.*|oci-.*|www-authenticate|retry-after)$/;

export function upstreamBackend({ url, log }: UpstreamOptions): Backend & Disposable {
  const transport = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http');
  const agent = new transport.Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  const base = { protocol: url.protocol, hostname: url.hostname, port: url.port, agent };
  const ask = (options: RequestOptions, body: IncomingMessage) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const asked = transport.request({ ...base, ...options, timeout: SILENT_MS }, resolve);
      asked.on('timeout', () => asked.destroy(new Error('it did not answer in time')));
      asked.on('error', reject);
      body.on('error', () => asked.destroy());
      body.on('close', () => body.complete || asked.destroy());
      body.pipe(asked);
    });
  return {
    handle: async (action, message) => {
      if (action.kind === 'collect') throw refusals.unsupported();
      const { method = 'GET', url: path = '/' } = message;
      try {
        const answer = await ask({ method, path: prefixed(url, path), headers: passed(message) }, message);
        return returned(url, answer, method === 'HEAD');
      } catch (error) {
        log.warn({ upstream: url.origin, error: messageOf(error) }, 'registry upstream failed');
        throw refusals.upstreamGone();
      }
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function prefixed({ pathname }: URL, path: string): string {
  return pathname === '/' ? path : `${pathname.replace(/\/$/, '')}${path}`;
}

/** Never the credentials, which are for us. */
function passed({ headers }: IncomingMessage): OutgoingHttpHeaders {
  const kept = PASSED.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]] as const]));
  return { ...Object.fromEntries(kept), 'x-forwarded-proto': 'https' };
}

function returned(url: URL, message: IncomingMessage, isHead: boolean): Answer {
  const kept = Object.entries(message.headers).filter(([name]) => RETURNED.test(name));
  const headers = Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
  const { location } = headers;
  if (location !== undefined) headers['location'] = relative(url, location);
  if (isHead) message.resume();
  return { status: message.statusCode ?? 502, headers, body: message };
}

/** Wherever it says to go on is behind the same door. */
function relative(upstream: URL, location: string): string {
  const { pathname, search } = new URL(location, upstream);
  const prefix = upstream.pathname.replace(/\/$/, '');
  return `${prefix !== '' && pathname.startsWith(prefix) ? pathname.slice(prefix.length) : pathname}${search}`;
}
