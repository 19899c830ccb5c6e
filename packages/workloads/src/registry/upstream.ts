/** Another registry behind our door: its storage, our users and policy. It trusts whoever reaches it, so only the cloud should. */
import type { IncomingMessage, OutgoingHttpHeaders, RequestOptions } from 'node:http';
import { type Logger, messageOf } from '@skerry/base';
import type { Answer } from './answers.ts';
import type { Backend } from './listener.ts';
import { refusals } from './refusal.ts';
import { type Action, API_ROOT, type Page } from './route.ts';

export interface UpstreamOptions {
  readonly url: URL;
  readonly log: Logger;
}

/** How long it may say nothing. */
const SILENT_MS = 60_000;
const MAX_CONNECTIONS = 64;
const PASSED = ['accept', 'range', 'if-none-match', 'host'];
const PASSED_WITH_BODY = ['content-length', 'content-range', 'transfer-encoding'];
const WITH_BODY: readonly Action['kind'][] = ['append-upload', 'finish-upload', 'put-manifest'];
const MANIFEST_TYPE = /^application\/[a-z0-9.+-]*(json|jws)$/;
const RETURNED =
  /^(content-(type|length|range)|accept-ranges|etag|location|range|link|docker-.*|oci-.*|www-authenticate|retry-after)$/;

export function upstreamBackend({ url, log }: UpstreamOptions): Backend & Disposable {
  const transport = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http');
  const agent = new transport.Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  const base = { protocol: url.protocol, hostname: url.hostname, port: url.port, agent };
  const ask = (options: RequestOptions, body: IncomingMessage | undefined) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const asked = transport.request({ ...base, ...options, timeout: SILENT_MS }, resolve);
      asked.on('timeout', () => asked.destroy(new Error('it did not answer in time')));
      asked.on('error', reject);
      if (body === undefined) return asked.end();
      body.on('error', () => asked.destroy());
      body.on('close', () => body.complete || asked.destroy());
      body.pipe(asked);
    });
  return {
    handle: async (action, message) => {
      if (action.kind === 'collect') throw refusals.unsupported();
      const { method = 'GET' } = message;
      const hasBody = WITH_BODY.includes(action.kind);
      const path = prefixed(url, targetOf(action, message.url ?? ''));
      try {
        const answer = await ask({ method, path, headers: passed(action, message) }, hasBody ? message : undefined);
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

/**
 * Path and query, written anew: the registry could read what the client sent in another way than we, who judged it.
 * An upload begins empty, with or without the digest of a body, as the specification lets a registry choose.
 */
function targetOf(action: Exclude<Action, { readonly kind: 'collect' }>, url: string): string {
  switch (action.kind) {
    case 'ping':
      return API_ROOT;
    case 'catalog':
      return withQuery('/v2/_catalog', pageQuery(action.page));
    case 'tags':
      return withQuery(`/v2/${action.repository}/tags/list`, pageQuery(action.page));
    case 'referrers': {
      const { repository, digest, artifactType } = action;
      return withQuery(`/v2/${repository}/referrers/${digest}`, artifactType === undefined ? {} : { artifactType });
    }
    case 'get-manifest':
    case 'put-manifest':
    case 'delete-manifest': {
      const { repository, reference } = action;
      return `/v2/${repository}/manifests/${'tag' in reference ? reference.tag : reference.digest}`;
    }
    case 'get-blob':
    case 'delete-blob':
      return `/v2/${action.repository}/blobs/${action.digest}`;
    case 'start-upload': {
      const { repository, mount } = action;
      const query = mount === undefined ? {} : { mount: mount.digest, from: mount.from };
      return withQuery(`/v2/${repository}/blobs/uploads/`, query);
    }
    default: {
      const digest = action.kind === 'finish-upload' ? { digest: action.digest } : {};
      return withQuery(`/v2/${action.repository}/blobs/uploads/${action.id}`, { ...stateIn(url), ...digest });
    }
  }
}

function pageQuery({ size, after }: Page): Readonly<Record<string, string>> {
  return { n: String(size), ...(after === '' ? {} : { last: after }) };
}

/** What the registry itself wrote into the address of an upload. */
function stateIn(url: string): Readonly<Record<string, string>> {
  const at = url.indexOf('?');
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  for (const name of ['digest', 'mount', 'from']) query.delete(name);
  return Object.fromEntries(query);
}

function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Never the credentials, which are for us. */
function passed({ kind }: Action, { headers }: IncomingMessage): OutgoingHttpHeaders {
  const hasBody = WITH_BODY.includes(kind);
  const names = hasBody ? [...PASSED, ...PASSED_WITH_BODY] : PASSED;
  const kept = names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]] as const]));
  const body = hasBody
    ? { 'content-type': typeFor(kind, headers['content-type']) }
    : kind === 'start-upload'
      ? { 'content-length': '0' }
      : {};
  return { ...Object.fromEntries(kept), ...body, 'x-forwarded-proto': 'https' };
}

/** A body that is called a form would be taken for more of the query. */
function typeFor(kind: Action['kind'], sent = ''): string {
  const type = (sent.split(';')[0] ?? '').trim().toLowerCase();
  return kind === 'put-manifest' && MANIFEST_TYPE.test(type) ? type : 'application/octet-stream';
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
