/** A server in memory, and one function to ask it, for tests. */
import type { UserInfo } from '@skerry/api';
import { silentLogger, systemClock } from '@skerry/base';
import { type ApiServer, type ApiServerOptions, createApiServer } from '../api-server.ts';
import type { ApiRequest } from '../contract.ts';
import { memoryStore } from './memory-store.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body as JSON; undefined when it is not. */
  readonly json: ReturnType<typeof JSON.parse>;
}

export interface Asking {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly user?: UserInfo;
}

export interface ScratchServer {
  readonly server: ApiServer;
  readonly options: ApiServerOptions;
  readonly ask: (method: ApiRequest['method'], url: string, asking?: Asking) => Promise<Answer>;
  /** The events of a watch as they come; returns after `count` of them. */
  readonly watch: (url: string, count: number, headers?: Record<string, string>) => Promise<unknown[]>;
}

const ADMIN: UserInfo = { username: 'admin', groups: ['system:masters', 'system:authenticated'] };

export function scratchServer(given: Partial<ApiServerOptions> = {}): ScratchServer {
  const options: ApiServerOptions = {
    store: memoryStore(),
    clock: systemClock,
    log: silentLogger,
    authorizer: { authorize: () => ({ allowed: true }) },
    ...given,
  };
  const server = createApiServer(options);
  return {
    server,
    options,
    ask: async (method, url, asking = {}) => {
      const response = await server.handle(requestOf(method, url, asking));
      const text = await textOf(response.body);
      return { status: response.status, headers: response.headers, text, json: jsonOf(text) };
    },
    watch: async (url, count, headers = {}) => {
      const abort = new AbortController();
      const response = await server.handle({ ...requestOf('GET', url, { headers }), signal: abort.signal });
      const events = await takeEvents(response.body, count);
      abort.abort();
      return events;
    },
  };
}

export function requestOf(
  method: ApiRequest['method'],
  url: string,
  { body, headers = {}, user = ADMIN }: Asking,
): ApiRequest {
  const { pathname, searchParams } = new URL(url, 'https://scratch');
  const bytes = bytesOf(body);
  return {
    method,
    path: pathname,
    query: searchParams,
    headers: { ...(bytes === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(bytes === undefined ? {} : { body: bytes }),
    user,
    signal: new AbortController().signal,
  };
}

function bytesOf(body: unknown): Uint8Array | undefined {
  if (body === undefined || body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

async function textOf(body: Awaited<ReturnType<ApiServer['handle']>>['body']): Promise<string> {
  if (body === undefined) return '';
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array) return Buffer.from(body).toString();
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString();
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function takeEvents(body: Awaited<ReturnType<ApiServer['handle']>>['body'], count: number): Promise<unknown[]> {
  const events: unknown[] = [];
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return [jsonOf(String(body))];
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + Buffer.from(chunk as Uint8Array).toString()).split('\n');
    rest = lines.pop() ?? '';
    events.push(...lines.map(jsonOf));
    if (events.length >= count) break;
  }
  return events;
}
