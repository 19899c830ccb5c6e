/** An HTTP server of the test, which hears what probes and hooks ask, and answers as it is told. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import {
  createAuthority,
  credentialToPem,
  issueCredential,
  serverProfile,
  validFor,
  YEAR_MS,
} from '@skerry/security/pki';

export interface Answer {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export class Listener implements AsyncDisposable {
  /** `GET /path by AGENT` of each request. */
  readonly heard: string[] = [];
  answer: (path: string) => Answer = () => ({ code: 200 });
  readonly #server: Server;

  static async start(scheme: 'http' | 'https' = 'http'): Promise<Listener> {
    const listener = new Listener(scheme);
    await new Promise<void>((resolve) => listener.#server.listen(0, '127.0.0.1', resolve));
    return listener;
  }

  constructor(scheme: 'http' | 'https') {
    const respond: RequestListener = ({ method, url = '', headers }, response) => {
      this.heard.push(`${method} ${url} by ${headers['user-agent']}`);
      const { code, headers: more = {}, body = '' } = this.answer(url);
      response.writeHead(code, more).end(body);
    };
    this.#server = scheme === 'http' ? createServer(respond) : createTlsServer(strangersCertificate(), respond);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** As an action of a probe or hook. */
  at(path: string, scheme: 'HTTP' | 'HTTPS' = 'HTTP') {
    return { httpGet: { host: '127.0.0.1', port: this.port, path, scheme } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** One that nobody has a reason to trust. */
function strangersCertificate(): { readonly cert: string; readonly key: string } {
  const now = Date.now();
  const profile = serverProfile({ names: { dns: ['localhost'], ips: [], uris: [] }, validity: validFor(now, YEAR_MS) });
  return credentialToPem(issueCredential(createAuthority({ now }), profile, { now }));
}
