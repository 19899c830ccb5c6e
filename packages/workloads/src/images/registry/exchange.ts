/** One HTTP exchange with a registry: bounded in time and size, redirected safely, its failures told as `imageErrors`. */
import type { Agent, AgentOptions, ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type Clock, hasCode, messageOf } from '@skerry/base';
import { imageErrors } from '../errors.ts';
import { type Endpoint, isLoopback, isOfMachine } from './access.ts';
import { type Closed, guardedLookup } from './shield.ts';

/** Whoever sends less than this in this time is not there. */
const PATIENCE_MS = 30_000;
const LEAST_BYTES = 4096;
const MAX_REDIRECTS = 5;
const MAX_HEADER_BYTES = 32 * 1024;
const MAX_SOCKETS = 8;
const MAX_DRAINED_BYTES = 16 * 1024;

export interface ExchangeContext {
  readonly clock: Clock;
  readonly agents: Agents;
  readonly signal: AbortSignal | undefined;
  /** `registry example.com`, for errors. */
  readonly where: string;
  readonly endpoint: Endpoint;
  /** Given where others than the machine's owner name registries: what is closed to them, beside the machine itself. */
  readonly closed?: Closed;
}

export interface Ask {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Stays with the origin of `url`. */
  readonly authorization?: string;
  readonly form?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Leaving the loop early closes the connection. */
  body(): AsyncGenerator<Uint8Array>;
  /** The whole body; throws TOO_LARGE past `limit`. */
  whole(limit: number, what: string): Promise<Buffer>;
  /** Not wanted any further. */
  drop(): void;
}

export async function exchange(context: ExchangeContext, ask: Ask): Promise<Answer> {
  const origin = ask.url.origin;
  let url = ask.url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    refusePlain(context, url);
    refuseInside(context, url);
    const { authorization, ...rest } = ask;
    const isHome = url.origin === origin;
    const answer = await send(context, { ...rest, url, ...(isHome && authorization ? { authorization } : {}) });
    // A form holds a token, which is for nobody else.
    const target = ask.form === undefined ? redirectOf(answer, url) : undefined;
    if (target === undefined) return answer;
    answer.drop();
    url = target;
  }
  throw imageErrors.BAD_ANSWER({
    where: context.where,
    what: ask.url.pathname,
    problem: `it redirects more than ${MAX_REDIRECTS} times`,
  });
}

function redirectOf({ status, headers: { location } }: Answer, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return undefined;
  return URL.parse(location, from.href) ?? undefined;
}

/** Neither a name nor a password, nor which images a site runs, goes over a wire in the clear unless it was permitted. */
function refusePlain({ where, endpoint }: ExchangeContext, url: URL): void {
  if (url.protocol === 'https:') return;
  if (url.protocol === 'http:' && (endpoint.plainHttp || (isLoopback(url.hostname) && isInside(endpoint)))) return;
  const problem = `it leads to ${url.protocol}//${url.host}, which is not encrypted and not permitted`;
  throw imageErrors.BAD_ANSWER({ where, what: url.pathname, problem });
}

/** Only a registry on this machine leads to this machine, by a redirect as by the token service that it names. */
function refuseInside({ where, endpoint, closed }: ExchangeContext, url: URL): void {
  const isInner = isOfMachine(url.hostname) && !isInside(endpoint);
  const isUnnamed = isOfMachine(url.hostname) && closed !== undefined && !endpoint.isNamed;
  if (!isInner && !isUnnamed && closed?.(url) !== true) return;
  const problem = `it leads to ${url.host}, which is closed to it`;
  throw imageErrors.BAD_ANSWER({ where, what: url.pathname, problem });
}

function isInside({ base }: Endpoint): boolean {
  return isOfMachine(new URL(base).hostname);
}

/** A name that was given to this machine in DNS opens it as little, unless it is the registry's own by configuration. */
function isWatched({ endpoint, closed }: ExchangeContext, url: URL): boolean {
  return closed !== undefined && !(endpoint.isNamed && url.host === new URL(endpoint.base).host);
}

async function send(context: ExchangeContext, ask: Ask): Promise<Answer> {
  context.signal?.throwIfAborted();
  const outgoing = open(context, ask);
  try {
    const response = await responseOf(context, outgoing, ask);
    return answerOf(context, response, ask.method);
  } catch (error) {
    outgoing.destroy();
    context.signal?.throwIfAborted();
    // A connection from the pool may have died in it, which is nobody's failure.
    if (outgoing.reusedSocket && isReset(error)) return await send(context, ask);
    throw unreachable(context, error);
  }
}

function open(context: ExchangeContext, { method, url, headers, authorization, form }: Ask) {
  const { agents, endpoint, signal } = context;
  const isTls = url.protocol === 'https:';
  // Through getBuiltinModule, since importing node:http as a module would load undici into the agent.
  const { request } = isTls ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  const outgoing = request(url, {
    method,
    agent: agents.of({ isTls, ca: endpoint.ca, isWatched: isWatched(context, url) }),
    maxHeaderSize: MAX_HEADER_BYTES,
    ...(signal === undefined ? {} : { signal }),
    headers: {
      'User-Agent': 'skerry',
      'Accept-Encoding': 'identity',
      ...headers,
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...(form === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' }),
    },
  });
  outgoing.on('error', () => {});
  outgoing.end(form);
  return outgoing;
}

async function responseOf(context: ExchangeContext, outgoing: ClientRequest, { url }: Ask): Promise<IncomingMessage> {
  const arrived = Promise.withResolvers<IncomingMessage>();
  outgoing.once('response', arrived.resolve);
  outgoing.once('error', arrived.reject);
  using _patience = context.clock.after(PATIENCE_MS, () =>
    arrived.reject(new Error(`${url.host} did not answer within ${PATIENCE_MS / 1000} s`)),
  );
  const response = await arrived.promise;
  response.on('error', () => {});
  return response;
}

function answerOf(context: ExchangeContext, response: IncomingMessage, method: Ask['method']): Answer {
  const body = () => bodyOf(context, response);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    whole: (limit, what) => wholeOf(body(), limit, what),
    drop: () => drop(response, method),
  };
}

/** What is short is read to its end, so that the connection can be used again. */
function drop(response: IncomingMessage, method: Ask['method']): void {
  const length = method === 'HEAD' ? 0 : Number(response.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  if (length <= MAX_DRAINED_BYTES) response.resume();
  else response.destroy();
}

/** Only the time that is spent waiting for the other side counts. */
async function* bodyOf(context: ExchangeContext, response: IncomingMessage): AsyncGenerator<Uint8Array> {
  const { clock } = context;
  const chunks: AsyncIterator<Buffer> = response[Symbol.asyncIterator]();
  let [waitedMs, bytes] = [0, 0];
  try {
    for (;;) {
      const begun = clock.monotonic();
      const next = await within(context, PATIENCE_MS - waitedMs, chunks.next());
      if (next.done === true) return;
      waitedMs += clock.monotonic() - begun;
      bytes += next.value.length;
      if (bytes >= LEAST_BYTES) [waitedMs, bytes] = [0, 0];
      yield next.value;
    }
  } catch (error) {
    context.signal?.throwIfAborted();
    throw unreachable(context, error);
  } finally {
    response.destroy();
  }
}

async function within<Result>({ clock }: ExchangeContext, ms: number, work: Promise<Result>): Promise<Result> {
  const late = Promise.withResolvers<never>();
  using _timer = clock.after(ms, () =>
    late.reject(new Error(`less than ${LEAST_BYTES} bytes came within ${PATIENCE_MS / 1000} s`)),
  );
  work.catch(() => {});
  return await Promise.race([work, late.promise]);
}

async function wholeOf(body: AsyncGenerator<Uint8Array>, limit: number, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw imageErrors.TOO_LARGE({ what, limit });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function unreachable({ where }: ExchangeContext, cause: unknown): Error {
  if (hasCode(cause)) return cause;
  const isPlain = ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'].includes(codeOf(cause));
  const problem = isPlain ? 'it does not speak TLS, and plain HTTP is not permitted for it' : messageOf(cause);
  return imageErrors.UNREACHABLE({ where, problem }, { cause });
}

function isReset(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? '';
}

interface Trust {
  readonly isTls: boolean;
  readonly ca: string | undefined;
  /** Whether names that lead to this machine are refused. */
  readonly isWatched: boolean;
}

/** Connections that are kept for the next question, apart for each set of trusted certificates. */
export class Agents {
  readonly #agents = new Map<string, Agent>();

  of({ isTls, ca, isWatched }: Trust): Agent {
    const key = `${isWatched} ${isTls ? `tls ${ca ?? ''}` : 'plain'}`;
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const pool = isWatched ? { ...POOL, lookup: guardedLookup } : POOL;
    const agent = isTls ? tlsAgent(pool, ca) : new (process.getBuiltinModule('node:http').Agent)(pool);
    // Those of settings that were changed are left to the garbage collector.
    if (this.#agents.size >= MAX_AGENTS) this.#agents.clear();
    this.#agents.set(key, agent);
    return agent;
  }
}

const MAX_AGENTS = 32;
const POOL = { keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: 2, scheduling: 'lifo' } as const;

/** Trusts what the machine trusts, what Node brings, and `ca`. */
function tlsAgent(pool: AgentOptions, ca: string | undefined): Agent {
  const { getCACertificates } = process.getBuiltinModule('node:tls');
  const trusted = new Set([...getCACertificates('default'), ...getCACertificates('system'), ...(ca ? [ca] : [])]);
  return new (process.getBuiltinModule('node:https').Agent)({ ...pool, ca: [...trusted], minVersion: 'TLSv1.2' });
}
