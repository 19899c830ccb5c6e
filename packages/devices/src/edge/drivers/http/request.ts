/** Requests to one device, each within its time and size, over connections that are its own. */
import { once } from 'node:events';
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Clock } from '@skerry/base';
import type { DeviceSettings, DriverContext } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { connectTcp, type TcpEndpoint } from '../../transport/tcp-stream.ts';
import { connectTls } from '../../transport/tls-stream.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: string | undefined;
}

export interface Requests {
  /** Resolves to the text of the answer; rejects with a DriverError. */
  ask(asked: Asked, signal: AbortSignal): Promise<string>;
  close(): void;
}

/** To one device. */
const MAX_CONNECTIONS = 4;

/** Once the device can be reached and is who it should be. Rejects with a DriverError. */
export async function openRequests(settings: DeviceSettings, context: DriverContext): Promise<Requests> {
  const { endpoint, timeoutMs, options } = settings;
  const at = placeOf(endpoint);
  const connect = () => connectTo(at, settings, context);
  const first = await connect();
  const agent = agentOver(at.isSecure, first, connect);
  const send = at.isSecure ? httpsRequest : httpRequest;
  const headers = headersOf(settings);
  return {
    ask: ({ method, path, body }, signal) =>
      within(context.clock, { endpoint, path, timeoutMs }, signal, async (until) => {
        const content = body === undefined ? {} : { 'content-type': 'application/json' };
        // The path stays one, also where it begins like an address: nobody else hears our secret.
        const place = { host: at.host, port: at.port, path, agent };
        const all = { ...content, host: at.authority, ...headers };
        const answer = await exchange(() => send({ ...place, method, headers: all, signal: until }), body);
        return textOf(answer, Number(options['maxAnswerBytes'] ?? 1_048_576));
      }),
    close: () => agent.destroy(),
  };
}

/** A device may have closed a kept connection before it saw the request: then nothing was heard, and a question is put again. */
async function exchange(send: () => ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  for (;;) {
    const outgoing = send();
    outgoing.on('error', () => {});
    outgoing.end(body);
    try {
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
      return answer;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      const isStale = outgoing.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(code);
      if (!isStale || outgoing.method !== 'GET') throw error;
    }
  }
}

interface Place extends TcpEndpoint {
  readonly isSecure: boolean;
  /** As the header `Host` has it. */
  readonly authority: string;
}

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

function placeOf(endpoint: string): Place {
  const url = URL.parse(endpoint);
  const port = url === null ? undefined : PORTS[url.protocol];
  if (url === null || port === undefined)
    throw new DriverError('Misconfigured', `the endpoint "${endpoint}" is neither http://HOST nor https://HOST`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(url.port) || port, authority: url.host, isSecure: url.protocol === 'https:' };
}

function connectTo(at: Place, { trust, timeoutMs }: DeviceSettings, context: DriverContext): Promise<Duplex> {
  const options = { ...context, timeoutMs, signal: NEVER };
  return at.isSecure ? connectTls(at, { ...options, trust }) : connectTcp(at, options);
}

/** A connection that nobody waits for any more is of use to the next request. */
const NEVER = new AbortController().signal;

type Connected = (error: Error | null, stream: Duplex) => void;

/** Connections are made our way, and kept for the next request; the first is there already. */
function agentOver(isSecure: boolean, first: Duplex, connect: () => Promise<Duplex>): HttpAgent {
  const agent = new (isSecure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  let ready: Duplex | undefined = first;
  first.once('close', () => {
    ready = undefined;
  });
  first.on('error', () => {});
  agent.createConnection = (_options, connected?: Connected) => {
    const kept = ready;
    ready = undefined;
    if (kept !== undefined) return kept;
    connect().then(
      (stream) => connected?.(null, stream),
      (error: Error) => connected?.(error, undefined as never),
    );
    return undefined;
  };
  const destroy = agent.destroy.bind(agent);
  agent.destroy = () => {
    ready?.destroy();
    return destroy();
  };
  return agent;
}

interface Limits {
  readonly endpoint: string;
  readonly path: string;
  readonly timeoutMs: number;
}

async function within<T>(
  clock: Clock,
  { endpoint, path, timeoutMs }: Limits,
  signal: AbortSignal,
  work: (until: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = clock.after(timeoutMs, () => late.abort());
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } catch (cause) {
    if (cause instanceof DriverError) throw cause;
    if (signal.aborted) throw new DriverError('Closed', 'the request was given up', { cause });
    if (late.signal.aborted)
      throw new DriverError('TimedOut', `no answer to ${path} within ${timeoutMs} ms`, { cause });
    const { code = 'failed' } = cause as NodeJS.ErrnoException;
    throw new DriverError('Unreachable', `${endpoint}: ${code}`, { cause });
  } finally {
    timer.cancel();
  }
}

function headersOf({ options, secret }: DeviceSettings): Record<string, string> {
  const text = (key: string) => (secret[key] === undefined ? undefined : Buffer.from(secret[key]).toString('utf8'));
  const [token, username] = [text('token'), text('username')];
  const given = Object.entries((options['headers'] ?? {}) as Readonly<Record<string, string>>);
  const headers: Record<string, string> = Object.fromEntries(given.map(([name, value]) => [name.toLowerCase(), value]));
  if (token !== undefined) headers['authorization'] = `Bearer ${token.trim()}`;
  else if (username !== undefined)
    headers['authorization'] = `Basic ${Buffer.from(`${username}:${text('password') ?? ''}`).toString('base64')}`;
  return headers;
}

async function textOf(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new DriverError('Malformed', `the answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const { statusCode = 0 } = answer;
  if (statusCode >= 200 && statusCode < 300) return Buffer.concat(chunks).toString('utf8');
  const kind = { 401: 'AccessDenied', 403: 'AccessDenied', 404: 'NotFound' } as const;
  throw new DriverError(kind[statusCode as keyof typeof kind] ?? 'Rejected', `the device answered ${statusCode}`);
}
