/** Plain HTTPS against a listener under test, with whatever credentials and body a case needs. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import type { KubeObject } from '@skerry/api';

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The body, when it is JSON. */
  readonly json?: KubeObject;
}

export interface Ask {
  readonly method: string;
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class TestClient implements Disposable {
  readonly server: string;
  readonly tls: Pick<RequestOptions, 'ca' | 'cert' | 'key'>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  /** With the kubeconfig's certificate, or, when `anonymous`, with none. */
  constructor(kubeconfig: string, anonymous = false) {
    const text = readFileSync(kubeconfig, 'utf8');
    const data = (name: string) => Buffer.from(new RegExp(`"${name}": "([^"]+)"`).exec(text)?.[1] ?? '', 'base64');
    this.server = /"server": "([^"]+)"/.exec(text)?.[1] ?? '';
    const ca = data('certificate-authority-data');
    this.tls = anonymous ? { ca } : { ca, cert: data('client-certificate-data'), key: data('client-key-data') };
  }

  ask({ method, path, body, contentType = 'application/json', headers = {} }: Ask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const all = { ...(body === undefined ? {} : { 'content-type': contentType }), ...headers };
      const options = { method, agent: this.#agent, headers: all, ...this.tls };
      const asked = request(new URL(path, this.server), options, (response) => resolve(read(response)));
      asked.on('error', reject);
      asked.end(body);
    });
  }

  async json<T>(path: string): Promise<T> {
    return (await this.ask({ method: 'GET', path })).json as T;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

export async function read(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const status = response.statusCode ?? 0;
  try {
    return { status, text, json: JSON.parse(text) as KubeObject };
  } catch {
    return { status, text };
  }
}

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}
