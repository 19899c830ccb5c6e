/** One address that devices post to: within bounds, and only for who shows that they may. */
import { X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '@skerry/base';
import { DriverError } from '../../../driver-error.ts';
import { type Authentication, CHALLENGE } from './authentication.ts';
import type { Verdict } from './posted.ts';
import { createRate, type Rate } from './rate.ts';

export interface WebhookTls {
  readonly certificate: string;
  readonly key: string;
}

/** What one device has at the listener. */
export interface Route {
  readonly device: string;
  readonly path: string;
  readonly authentication: Authentication;
  readonly maxBodyBytes: number;
  readonly maxPerSecond: number;
  readonly bodyTimeoutMs: number;
  /** Of who may. */
  readonly take: (text: string) => Verdict;
}

export interface WebhookListener {
  readonly port: number;
  /** No route leads anywhere. */
  readonly isIdle: boolean;
  /** A renewed certificate is seen by whoever comes from now on. Throws when the listener is of another kind, or it is none. */
  secure(tls: WebhookTls | undefined): void;
  /** Throws when another device has the path. */
  add(route: Route): void;
  remove(route: Route): void;
  readonly ended: Promise<DriverError | undefined>;
  close(): Promise<void>;
}

export interface ListenerOptions {
  readonly address: string;
  readonly port: number;
  readonly tls: WebhookTls | undefined;
  readonly clock: Clock;
}

const MAX_CONNECTIONS = 256;
const MAX_HEADER_BYTES = 16_384;
const HEADERS_MS = 10_000;
/** Of a connection that says nothing between two posts. */
const IDLE_MS = 60_000;
/** So many that show a wrong secret are answered; who comes beyond that is cut off. */
const MAX_REFUSALS_PER_SECOND = 20;

/** Rejects with a DriverError. */
export async function openWebhookListener(options: ListenerOptions): Promise<WebhookListener> {
  const listener = serverOf(options);
  await listener.open();
  return listener;
}

function serverOf(options: ListenerOptions): SharedListener {
  try {
    return new SharedListener(options);
  } catch (cause) {
    throw new DriverError('Misconfigured', 'certificate and key are none that belong together', { cause });
  }
}

interface Place {
  readonly route: Route;
  readonly rate: Rate;
}

class SharedListener implements WebhookListener {
  readonly #options: ListenerOptions;
  readonly #server: Server | TlsServer;
  readonly #places = new Map<string, Place>();
  readonly #refusals: Rate;
  readonly #ended = Promise.withResolvers<DriverError | undefined>();
  #tls: WebhookTls | undefined;

  constructor(options: ListenerOptions) {
    const { tls, clock } = options;
    this.#options = options;
    this.#tls = tls;
    this.#refusals = createRate(MAX_REFUSALS_PER_SECOND, clock);
    const limits = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_MS, keepAliveTimeout: IDLE_MS };
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    this.#server =
      tls === undefined
        ? createServer(limits, serve)
        : createTlsServer({ ...limits, ...contextOf(tls), minVersion: 'TLSv1.2', handshakeTimeout: HEADERS_MS }, serve);
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      // Whoever asks before sending is answered before sending.
      void this.#serve(request, response);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? this.#options.port;
  }

  get isIdle(): boolean {
    return this.#places.size === 0;
  }

  get ended(): Promise<DriverError | undefined> {
    return this.#ended.promise;
  }

  async open(): Promise<void> {
    const { address, port } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(port, address, resolve);
    try {
      await promise;
    } catch (cause) {
      const { code = 'failed' } = cause as NodeJS.ErrnoException;
      throw new DriverError('Misconfigured', `cannot listen at ${address} port ${port}: ${code}`, { cause });
    }
    this.#server.off('error', reject);
    this.#server.on('error', (error) => this.#ended.resolve(new DriverError('Unreachable', error.message)));
  }

  secure(tls: WebhookTls | undefined): void {
    const before = this.#tls;
    if (tls?.certificate === before?.certificate) return;
    // One that is renewed has the same names; with other names it would not be what the other devices asked for.
    if (tls === undefined || before === undefined || namesIn(tls) !== namesIn(before))
      throw new DriverError('Misconfigured', this.#disagreement());
    (this.#server as TlsServer).setSecureContext(contextOf(tls));
    this.#tls = tls;
  }

  add(route: Route): void {
    const other = this.#places.get(route.path)?.route.device;
    if (other !== undefined) throw new DriverError('Misconfigured', `device ${other} has the path ${route.path}`);
    this.#places.set(route.path, { route, rate: createRate(route.maxPerSecond, this.#options.clock) });
  }

  remove(route: Route): void {
    if (this.#places.get(route.path)?.route === route) this.#places.delete(route.path);
  }

  async close(): Promise<void> {
    this.#ended.resolve(undefined);
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #disagreement(): string {
    const [other] = [...this.#places.values()].map(({ route }) => route.device);
    return `device ${other} secures the same address in another way`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Who goes away in the midst of it is no failure of ours.
    request.on('error', () => {});
    response.on('error', () => {});
    try {
      await this.#answer(request, response);
    } catch {
      request.destroy();
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const place = this.#places.get(pathOf(request));
    if (place === undefined) return this.#refuse(request, response, 404);
    const { route, rate } = place;
    const { authentication, maxBodyBytes } = route;
    if (request.method !== 'POST' && request.method !== 'PUT') {
      response.setHeader('allow', 'POST, PUT');
      return end(request, response, 405);
    }
    if (authentication.by === 'headers' && !(await authentication.isRight(request.headers)))
      return this.#refuse(request, response, 401);
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return end(request, response, 413);
    if (request.headers.expect !== undefined) response.writeContinue();
    const body = await this.#bodyOf(request, route);
    if (typeof body === 'number') return end(request, response, body);
    if (authentication.by === 'body' && !authentication.isRight(request.headers, body))
      return this.#refuse(request, response, 401);
    if (!rate.take()) {
      response.setHeader('retry-after', '1');
      return end(request, response, 429);
    }
    const verdict = deliver(route, body);
    return end(request, response, verdict.status, 'why' in verdict ? verdict.why : undefined);
  }

  /** Of who has shown nothing: answered so long as there are few of them. */
  #refuse(request: IncomingMessage, response: ServerResponse, status: 401 | 404): void {
    if (!this.#refusals.take()) {
      request.destroy();
      return;
    }
    if (status === 401) response.setHeader('www-authenticate', CHALLENGE);
    end(request, response, status);
  }

  /** Or the status that says why not. */
  async #bodyOf(request: IncomingMessage, { maxBodyBytes, bodyTimeoutMs }: Route): Promise<Buffer | 408 | 413> {
    let isLate = false;
    const late = Promise.withResolvers<'late'>();
    const timer = this.#options.clock.after(bodyTimeoutMs, () => {
      isLate = true;
      late.resolve('late');
    });
    const chunks: Buffer[] = [];
    let size = 0;
    const chunked = (request as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await Promise.race([chunked.next(), late.promise]);
        if (next === 'late' || isLate) return 408;
        if (next.done === true) return Buffer.concat(chunks);
        size += next.value.length;
        if (size > maxBodyBytes) return 413;
        chunks.push(next.value);
      }
    } finally {
      timer.cancel();
    }
  }
}

function namesIn({ certificate }: WebhookTls): string {
  return new X509Certificate(certificate).subjectAltName ?? '';
}

function contextOf({ certificate, key }: WebhookTls): { readonly cert: string; readonly key: string } {
  return { cert: certificate, key };
}

/** Without the query, which is nobody's business here. */
function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function deliver({ take }: Route, body: Buffer): Verdict {
  let text: string;
  try {
    text = UTF8.decode(body);
  } catch {
    return { status: 400, why: 'the body is no text in UTF-8' };
  }
  return take(text);
}

/** Whoever has not been heard to the end is not heard on: the connection ends with the answer. */
function end(request: IncomingMessage, response: ServerResponse, status: number, why?: string): void {
  if (!request.complete) response.shouldKeepAlive = false;
  response.writeHead(status, why === undefined ? {} : { 'content-type': 'text/plain; charset=utf-8' });
  response.end(why === undefined ? undefined : `${why}\n`);
}
