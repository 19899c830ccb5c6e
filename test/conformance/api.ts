/** A server as any client sees it: HTTPS requests with the credentials of a kubeconfig, and nothing else. */
import { Agent, type RequestOptions, request } from 'node:https';
import type { KubeObject } from '@skerry/api';
import { type Connection, loadKubeconfig } from '@skerry/kube/client';
import { parse } from 'yaml';
import { Watch } from './watch.ts';

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a string as it is. */
  readonly body?: object | string;
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** What a Status says about a request that was refused. */
export interface Refusal {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly metadata?: { readonly continue?: string };
  readonly details?: {
    readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
    readonly retryAfterSeconds?: number;
  };
}

export class Refused extends Error {
  readonly status: Refusal;

  constructor(what: string, answer: Answer) {
    super(`${what}: ${answer.status} ${answer.text}`);
    this.status = refusalIn(answer);
  }
}

function refusalIn({ status, text }: Answer): Refusal {
  try {
    return JSON.parse(text) as Refusal;
  } catch {
    return { code: status, message: text };
  }
}

/** How long an answer may take; a watch has its own patience. */
const ANSWER_MS = 60_000;
const MAX_SOCKETS = 128;

export class Api implements Disposable {
  readonly kubeconfig: string;
  readonly #connection: Connection;
  readonly #agent: Agent;

  static async open(kubeconfig: string): Promise<Api> {
    return new Api(kubeconfig, (await loadKubeconfig(kubeconfig, { parseYaml: parse })).connection);
  }

  private constructor(kubeconfig: string, connection: Connection) {
    const { ca, cert, key, serverName } = connection;
    this.kubeconfig = kubeconfig;
    this.#connection = connection;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    });
  }

  /** Whatever the server answers. */
  ask(ask: Ask): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const sent = this.#request(ask, AbortSignal.timeout(ANSWER_MS));
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, text: Buffer.concat(chunks).toString() });
      });
    });
    return promise;
  }

  /** The answer's object; what is no success rejects with `Refused`. */
  async object<T = KubeObject>(ask: Ask): Promise<T> {
    const answer = await this.ask(ask);
    if (answer.status < 200 || answer.status > 299) throw new Refused(`${ask.method ?? 'GET'} ${ask.path}`, answer);
    return JSON.parse(answer.text) as T;
  }

  get<T = KubeObject>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
    return this.object<T>({ path, query });
  }

  watch<T extends KubeObject>(path: string, query: Readonly<Record<string, string>>): Promise<Watch<T>> {
    return Watch.open<T>(path, (signal) => this.#request({ path, query: { ...query, watch: 'true' } }, signal));
  }

  #request({ method = 'GET', path, query = {}, body, type, accept, headers = {} }: Ask, signal: AbortSignal) {
    const { server, token } = this.#connection;
    const base = new URL(server);
    const search = new URLSearchParams(query).toString();
    const payload = typeof body === 'object' ? JSON.stringify(body) : body;
    const options: RequestOptions = {
      agent: this.#agent,
      host: base.hostname,
      port: base.port === '' ? 443 : base.port,
      method,
      signal,
      path: `${base.pathname.replace(/\/$/, '')}${path}${search === '' ? '' : `?${search}`}`,
      headers: {
        accept: accept ?? 'application/json',
        ...(payload === undefined
          ? {}
          : { 'content-type': type ?? 'application/json', 'content-length': String(Buffer.byteLength(payload)) }),
        ...(typeof token === 'string' ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
    };
    const sent = request(options);
    sent.end(payload);
    return sent;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
