/** A registry on loopback that gives images out of memory. */
import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseDigest } from '../digest.ts';
import type { MemoryImage } from './memory-images.ts';

export class MemoryRegistry implements AsyncDisposable {
  /** By repository; each tag leads to it. */
  readonly images = new Map<string, MemoryImage>();
  /** What was asked for. */
  readonly asked: string[] = [];
  /** Repositories that only who sends this header may read. */
  readonly secrets = new Map<string, string>();
  readonly #server: Server;

  static async start(): Promise<MemoryRegistry> {
    const registry = new MemoryRegistry();
    await once(registry.#server.listen(0, '127.0.0.1'), 'listening');
    return registry;
  }

  private constructor() {
    this.#server = process.getBuiltinModule('node:http').createServer(({ url = '', headers }, response) => {
      this.asked.push(url);
      this.#answer(url, headers.authorization, response);
    });
  }

  /** With which the names of its images begin. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Gives the image out under this name, and says its full name. */
  add(repository: string, image: MemoryImage): string {
    this.images.set(repository, image);
    return `${this.host}/${repository}:1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(url: string, shown: string | undefined, response: ServerResponse): void {
    const [, repository = '', kind, name] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? [];
    if (this.secrets.has(repository) && this.secrets.get(repository) !== shown) {
      return void response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="images"' }).end();
    }
    const image = this.images.get(repository);
    const digest = parseDigest(name) ?? (kind === 'manifests' ? image?.target.digest : undefined);
    const content = digest === undefined ? undefined : image?.content.get(digest);
    if (content === undefined || digest === undefined || image === undefined) {
      return void response.writeHead(404).end();
    }
    const type = kind === 'manifests' ? image.target.mediaType : 'application/octet-stream';
    const headers = { 'Content-Type': type, 'Content-Length': content.length, 'Docker-Content-Digest': digest };
    response.writeHead(200, headers).end(content);
  }
}
