/** A registry in a temporary directory, asked as over HTTP but without a connection. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@skerry/base';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { type Digest, digestOf, MediaType } from '../../images/index.ts';
import { answer } from '../answers.ts';
import { Refusal } from '../refusal.ts';
import { openRegistry, type Registry } from '../registry.ts';
import { parseRoute } from '../route.ts';

export interface ScratchAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface ScratchAsk {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

export class ScratchRegistry implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'skerry-registry-'));
  readonly clock: FakeClock = fakeClock();
  readonly #maxBlobBytes: number | undefined;
  /** What the disk has left. */
  freeBytes = Number.MAX_SAFE_INTEGER;
  #registry: Registry | undefined;

  static async open(maxBlobBytes?: number): Promise<ScratchRegistry> {
    const scratch = new ScratchRegistry(maxBlobBytes);
    await scratch.restart();
    return scratch;
  }

  private constructor(maxBlobBytes: number | undefined) {
    this.#maxBlobBytes = maxBlobBytes;
  }

  get registry(): Registry {
    if (this.#registry === undefined) throw new Error('not open');
    return this.#registry;
  }

  /** Opens it anew: nothing that was in memory is left. */
  async restart(): Promise<void> {
    this.#registry?.[Symbol.dispose]();
    const limit = this.#maxBlobBytes === undefined ? {} : { maxBlobBytes: this.#maxBlobBytes };
    this.#registry = await openRegistry({
      directory: this.directory,
      clock: this.clock,
      log: silentLogger,
      freeBytes: async () => this.freeBytes,
      ...limit,
    });
  }

  async ask(method: string, url: string, { headers = {}, body = '' }: ScratchAsk = {}): Promise<ScratchAnswer> {
    try {
      const query = new URL(url, 'http://registry').searchParams;
      const answered = await answer(this.registry, parseRoute(method, url), { headers, query, body: streamOf(body) });
      const text = method === 'HEAD' ? '' : await textOf(answered.body);
      return { status: answered.status, headers: answered.headers, text };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { status: error.status, headers: error.headers, text: error.toJson() };
    }
  }

  /** Uploads whole. */
  async pushBlob(repository: string, content: string): Promise<Digest> {
    const digest = digestOf(content);
    await this.ask('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: content });
    return digest;
  }

  async pushImage(repository: string, tag: string, ...layers: readonly string[]): Promise<Digest> {
    const manifest = manifestOf('{}', layers);
    for (const content of ['{}', ...layers]) await this.pushBlob(repository, content);
    await this.ask('PUT', `/v2/${repository}/manifests/${tag}`, { body: manifest, headers: MANIFEST_HEADERS });
    return digestOf(manifest);
  }

  [Symbol.dispose](): void {
    this.#registry?.[Symbol.dispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export const MANIFEST_HEADERS = { 'content-type': MediaType.manifest } as const;

/** The text of a manifest. */
export function manifestOf(config: string, layers: readonly string[], more: object = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MediaType.manifest,
    config: descriptorOf(config, MediaType.config),
    layers: layers.map((content) => descriptorOf(content, 'application/vnd.oci.image.layer.v1.tar')),
    ...more,
  });
}

export function descriptorOf(content: string, mediaType: string): object {
  return { mediaType, digest: digestOf(content), size: Buffer.byteLength(content) };
}

async function* streamOf(body: string | Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (typeof body === 'string') {
    if (body !== '') yield Buffer.from(body);
  } else if (body instanceof Uint8Array) yield body;
  else yield* body;
}

async function textOf(body: string | AsyncIterable<Uint8Array> | undefined): Promise<string> {
  if (typeof body === 'string') return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
