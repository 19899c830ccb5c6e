/** The registry proper: what the distribution specification asks of one, over a catalog and a store of content. No HTTP here. */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, hasCode, type Logger } from '@skerry/base';
import { type BlobStore, type BlobWriter, type Digest, openBlobStore, putBlob } from '../images/index.ts';
import { Catalog, type ManifestRow } from './catalog.ts';
import { type Collected, type CollectOptions, collect } from './collect.ts';
import { Holds } from './holds.ts';
import { manifestFacts } from './manifest-facts.ts';
import { refusals } from './refusal.ts';
import { freeBytesAt, type Reservation, ROOM_STEP_BYTES, Room } from './room.ts';
import type { Mount, Page, Reference } from './route.ts';

export interface RegistryOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly maxBlobBytes?: number;
  /** Whose a repository is, of the namespaces that there are. Without it they are nobody's. */
  readonly namespaceOf?: (repository: string) => string | undefined;
  /** What the disk has left; asked of the system when absent. */
  readonly freeBytes?: () => Promise<number>;
}

/** One layer; larger ones no client makes. */
const MAX_BLOB_BYTES = 32 * 1024 ** 3;
/** Uploads that were begun and not ended, of all clients together. */
const MAX_UPLOADS = 1024;

export interface FoundManifest extends ManifestRow {
  readonly content: () => AsyncIterable<Uint8Array>;
}

export interface PushedManifest {
  readonly digest: Digest;
  readonly subject?: Digest;
}

/** The bytes of a request, and where the client says they belong. */
export interface Chunk {
  readonly body: AsyncIterable<Uint8Array>;
  /** Of the first byte, where the client said so. */
  readonly start?: number;
}

export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const blobs = await openBlobStore(join(options.directory, 'blobs'));
  return new Registry(options, blobs, new Catalog(join(options.directory, 'catalog.db')));
}

export class Registry implements Disposable {
  readonly blobs: BlobStore;
  readonly catalog: Catalog;
  readonly holds = new Holds();
  readonly room: Room;
  readonly maxBlobBytes: number;
  readonly #options: RegistryOptions;

  constructor(options: RegistryOptions, blobs: BlobStore, catalog: Catalog) {
    this.#options = options;
    const { directory, freeBytes = () => freeBytesAt(directory) } = options;
    this.maxBlobBytes = options.maxBlobBytes ?? MAX_BLOB_BYTES;
    this.room = new Room(freeBytes);
    this.blobs = blobs;
    this.catalog = catalog;
  }

  [Symbol.dispose](): void {
    this.catalog[Symbol.dispose]();
  }

  repositories({ after, size }: Page): readonly string[] {
    return this.catalog.repositories(after, size);
  }

  tags(repository: string, { after, size }: Page): readonly string[] {
    if (!this.catalog.hasRepository(repository)) throw refusals.nameUnknown(repository);
    return this.catalog.tags(repository, after, size);
  }

  manifest(repository: string, reference: Reference): FoundManifest {
    const digest = this.#digestOf(repository, reference);
    const row = digest === undefined ? undefined : this.catalog.manifest(repository, digest);
    if (digest === undefined || row === undefined) throw refusals.manifestUnknown(formatted(reference));
    this.catalog.touch(repository, digest, this.#now());
    return { ...row, content: () => this.blobs.read(digest) };
  }

  /** Durable when it resolves; refuses what names parts that the repository does not have. */
  async putManifest(
    repository: string,
    reference: Reference,
    { bytes, contentType }: { readonly bytes: Uint8Array; readonly contentType?: string },
  ): Promise<PushedManifest> {
    const facts = manifestFacts(bytes, contentType);
    const { digest, subject } = facts;
    if ('digest' in reference && reference.digest !== digest) {
      throw refusals.digestInvalid(`the manifest hashes to ${digest}`);
    }
    using _hold = await this.holds.share(digest);
    await this.#keep(digest, bytes);
    const tag = 'tag' in reference ? { tag: reference.tag } : {};
    this.#claim(repository);
    const missing = this.catalog.add({ ...facts, repository, ...tag }, this.#now());
    if (missing !== undefined) throw refusals.partUnknown(missing.digest);
    return subject === undefined ? { digest } : { digest, subject };
  }

  deleteManifest(repository: string, reference: Reference): void {
    const isGone =
      'tag' in reference
        ? this.catalog.removeTag(repository, reference.tag)
        : this.catalog.removeManifest(repository, reference.digest);
    if (!isGone) throw refusals.manifestUnknown(formatted(reference));
  }

  referrers(repository: string, subject: Digest, artifactType?: string): readonly ManifestRow[] {
    const all = this.catalog.referrers(repository, subject);
    return artifactType === undefined ? all : all.filter((row) => row.artifactType === artifactType);
  }

  /** Once a client was told that a blob is there, it stays for a while, needed or not. */
  blob(repository: string, digest: Digest): { readonly size: number } {
    const found = this.catalog.touch(repository, digest, this.#now());
    if (found === undefined) throw refusals.blobUnknown(digest);
    return found;
  }

  read(digest: Digest, range: { readonly offset: number; readonly length: number }): AsyncIterable<Uint8Array> {
    return this.blobs.read(digest, range);
  }

  deleteBlob(repository: string, digest: Digest): void {
    if (this.catalog.unlink(repository, digest)) return;
    this.blob(repository, digest);
    throw refusals.denied('a manifest needs this blob');
  }

  mount(repository: string, { from, digest }: Mount): boolean {
    this.#claim(repository);
    return this.catalog.mount(repository, from, digest, this.#now());
  }

  async startUpload(repository: string): Promise<string> {
    using _room = await this.#reserve(0);
    if (this.catalog.countUploads() >= MAX_UPLOADS) {
      throw refusals.tooMany(`more than ${MAX_UPLOADS} uploads are under way`);
    }
    const id = randomUUID();
    this.catalog.addUpload({ id, repository }, this.#now());
    return id;
  }

  /** How many bytes are there, on disk. */
  async uploadOffset(repository: string, id: string): Promise<number> {
    const writer = await this.#openUpload(repository, id);
    await writer.suspend();
    return writer.offset;
  }

  /** Adds to an upload and gives back how many bytes are there, on disk; also what came before a connection broke stays. */
  async append(repository: string, id: string, chunk: Chunk): Promise<number> {
    const writer = await this.#openUpload(repository, id);
    try {
      await this.#write(writer, chunk);
    } finally {
      await writer.suspend();
    }
    return writer.offset;
  }

  /** Ends an upload with its last bytes, if any. What was sent is gone when it does not have the digest. */
  async finish(
    repository: string,
    id: string,
    { digest, ...chunk }: Chunk & { readonly digest: Digest },
  ): Promise<void> {
    const writer = await this.#openUpload(repository, id);
    try {
      await this.#write(writer, chunk);
    } catch (error) {
      await writer.suspend();
      throw error;
    }
    using _hold = await this.holds.share(digest);
    await this.#commit(writer, id, digest);
    this.#claim(repository);
    this.catalog.link(repository, { digest, size: writer.offset }, this.#now());
    this.catalog.removeUpload(id);
  }

  async cancel(repository: string, id: string): Promise<void> {
    const writer = await this.#openUpload(repository, id);
    await writer.discard();
    this.catalog.removeUpload(id);
  }

  collect(options?: CollectOptions): Promise<Collected> {
    const { clock, log } = this.#options;
    return collect({ catalog: this.catalog, blobs: this.blobs, holds: this.holds, clock, log }, options);
  }

  #now(): number {
    return this.#options.clock.now();
  }

  /** What a namespace has goes when it does; else it would be everybody's from then on. */
  #claim(repository: string): void {
    const namespace = this.#options.namespaceOf?.(repository);
    if (namespace !== undefined) this.catalog.own(repository, namespace);
  }

  #digestOf(repository: string, reference: Reference): Digest | undefined {
    return 'digest' in reference ? reference.digest : this.catalog.tag(repository, reference.tag)?.digest;
  }

  async #openUpload(repository: string, id: string): Promise<BlobWriter> {
    if (this.catalog.upload(id)?.repository !== repository) throw refusals.uploadUnknown();
    try {
      return await this.blobs.write(id);
    } catch (error) {
      throw hasCode(error, 'IMAGE_BUSY') ? refusals.uploadBusy() : error;
    }
  }

  async #write(writer: BlobWriter, { body, start }: Chunk): Promise<void> {
    if (start !== undefined && start !== writer.offset) throw refusals.outOfOrder(writer.offset);
    let room: Reservation | undefined;
    let left = 0;
    try {
      for await (const bytes of body) {
        if (writer.offset + bytes.length > this.maxBlobBytes) throw refusals.tooLarge(this.maxBlobBytes);
        if (bytes.length > left) {
          room?.[Symbol.dispose]();
          left = Math.max(ROOM_STEP_BYTES, bytes.length);
          room = await this.#reserve(left);
        }
        await writer.write(bytes);
        left -= bytes.length;
        room?.leave(left);
      }
    } finally {
      room?.[Symbol.dispose]();
    }
  }

  async #commit(writer: BlobWriter, id: string, digest: Digest): Promise<void> {
    try {
      await writer.commit({ digest });
    } catch (error) {
      if (!hasCode(error, 'IMAGE_DIGEST_MISMATCH')) throw error;
      this.catalog.removeUpload(id);
      throw refusals.digestInvalid('what was sent has another digest');
    }
  }

  /** Content that is in memory already. */
  async #keep(digest: Digest, bytes: Uint8Array): Promise<void> {
    if ((await this.blobs.stat(digest)) !== undefined) return;
    using _room = await this.#reserve(bytes.length);
    await putBlob(this.blobs, bytes);
  }

  async #reserve(bytes: number): Promise<Reservation> {
    const room = await this.room.reserve(bytes);
    if (room === undefined) throw refusals.diskFull();
    return room;
  }
}

function formatted(reference: Reference): string {
  return 'tag' in reference ? reference.tag : reference.digest;
}
