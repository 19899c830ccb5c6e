/** A registry with one image, for pulls: every name and tag leads to it. Asks for a password where it was given one. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OCI_MANIFEST, writeImageLayout } from './test-images.ts';

export class TestRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT`, with which the names of its images begin. */
  readonly host: string;
  readonly #dir: string;
  readonly #server: Server;

  static async start(credentials?: { readonly username: string; readonly password: string }): Promise<TestRegistry> {
    const dir = mkdtempSync(join(tmpdir(), 'skerry-registry-'));
    const layout = writeImageLayout(dir);
    const wanted =
      credentials === undefined
        ? undefined
        : `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
    const server = createServer((request, response) => {
      if (wanted !== undefined && request.headers.authorization !== wanted) {
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' }).end();
      } else answer(layout, request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TestRegistry(dir, server);
  }

  private constructor(dir: string, server: Server) {
    const address = server.address();
    this.host = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    this.#dir = dir;
    this.#server = server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function answer(layout: string, { url = '', method }: IncomingMessage, response: ServerResponse): void {
  const [, kind, reference = ''] = /^\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? [];
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
  const digest =
    kind === 'manifests' && !reference.startsWith('sha256:') ? (index.manifests[0]?.digest ?? '') : reference;
  const file = join(layout, 'blobs', digest.replace(':', '/'));
  if (url === '/v2/') return void response.end();
  if (kind === undefined || !/^sha256:[0-9a-f]{64}$/.test(digest) || !existsSync(file)) {
    return void response.writeHead(404).end();
  }
  const body = readFileSync(file);
  response.writeHead(200, {
    'Content-Type': kind === 'manifests' ? OCI_MANIFEST : 'application/octet-stream',
    'Content-Length': body.length,
    'Docker-Content-Digest': digest,
  });
  response.end(method === 'HEAD' ? undefined : body);
}
