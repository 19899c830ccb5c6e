/** Content on disk by its hash: written beside, verified, made durable, and only then renamed into place. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BlobStore, BlobWriter, Digest } from './contract.ts';
import { hexOf, parseDigest } from './digest.ts';
import { imageErrors } from './errors.ts';

/** What a loss of power may cost of a blob that is on its way. */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024;
const UPLOAD_KEY = /^[A-Za-z0-9-]{1,128}$/;

/** Makes the directories that are not there. */
export async function openBlobStore(directory: string): Promise<BlobStore> {
  const store = new DiskBlobs(directory);
  await store.prepare();
  return store;
}

class DiskBlobs implements BlobStore {
  readonly #whole: string;
  readonly #partial: string;
  readonly #writing = new Set<string>();

  constructor(directory: string) {
    this.#whole = join(directory, 'sha256');
    this.#partial = join(directory, 'partial');
  }

  async prepare(): Promise<void> {
    for (const directory of [this.#whole, this.#partial]) await mkdir(directory, { recursive: true, mode: 0o700 });
  }

  path(digest: Digest): string {
    return join(this.#whole, hexOf(digest));
  }

  partialPath(key: string): string {
    const name = parseDigest(key) === undefined ? key : key.replace(':', '-');
    if (!UPLOAD_KEY.test(name)) throw new TypeError('key of a blob writer');
    return join(this.#partial, name);
  }

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    const found = await statIfThere(this.path(digest));
    return found === undefined ? undefined : { size: found.size };
  }

  async *read(
    digest: Digest,
    { offset = 0, length }: { readonly offset?: number; readonly length?: number } = {},
  ): AsyncGenerator<Uint8Array> {
    const found = await this.stat(digest);
    if (found === undefined) throw imageErrors.NOT_FOUND({ what: `blob ${digest}`, where: 'the store' });
    const end = length === undefined ? found.size : Math.min(found.size, offset + length);
    if (offset < end) yield* createReadStream(this.path(digest), { start: offset, end: end - 1 });
  }

  async write(key: string): Promise<BlobWriter> {
    const file = this.partialPath(key);
    const name = basename(file);
    if (this.#writing.has(name)) throw imageErrors.BUSY({ key });
    this.#writing.add(name);
    const release = () => this.#writing.delete(name);
    try {
      return await PartialBlob.open({ file, wholeOf: (digest) => this.path(digest), directory: this.#whole, release });
    } catch (error) {
      release();
      throw error;
    }
  }

  async list(): Promise<readonly { readonly digest: Digest; readonly size: number; readonly modifiedAt: number }[]> {
    const found = await Promise.all(
      (await readdir(this.#whole)).map(async (hex) => {
        const digest = parseDigest(`sha256:${hex}`);
        const stats = digest === undefined ? undefined : await statIfThere(this.path(digest));
        return digest === undefined || stats === undefined
          ? []
          : [{ digest, size: stats.size, modifiedAt: stats.mtimeMs }];
      }),
    );
    return found.flat();
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  async removePartials(before: number): Promise<void> {
    for (const name of await readdir(this.#partial)) {
      const stats = this.#writing.has(name) ? undefined : await statIfThere(join(this.#partial, name));
      if (stats !== undefined && stats.mtimeMs < before) await rm(join(this.#partial, name), { force: true });
    }
  }
}

interface PartialPlace {
  readonly file: string;
  readonly directory: string;
  readonly wholeOf: (digest: Digest) => string;
  readonly release: () => void;
}

class PartialBlob implements BlobWriter {
  readonly #place: PartialPlace;
  readonly #handle: FileHandle;
  readonly #hash: Hash;
  #offset: number;
  #unsynced = 0;

  /** Reads what an earlier writer left, for its hash. */
  static async open(place: PartialPlace): Promise<PartialBlob> {
    const handle = await open(place.file, 'a', 0o600);
    try {
      const hash = createHash('sha256');
      let offset = 0;
      for await (const chunk of createReadStream(place.file) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        offset += chunk.length;
      }
      return new PartialBlob(place, handle, hash, offset);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  private constructor(place: PartialPlace, handle: FileHandle, hash: Hash, offset: number) {
    this.#place = place;
    this.#handle = handle;
    this.#hash = hash;
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await this.#handle.write(chunk, done);
      this.#hash.update(chunk.subarray(done, done + bytesWritten));
      this.#offset += bytesWritten;
      done += bytesWritten;
    }
    this.#unsynced += chunk.length;
    if (this.#unsynced < SYNC_EVERY_BYTES) return;
    await this.#handle.datasync();
    this.#unsynced = 0;
  }

  async commit({ digest, size = this.#offset }: { readonly digest: Digest; readonly size?: number }): Promise<void> {
    const actual = `sha256:${this.#hash.digest('hex')}`;
    if (this.#offset !== size) {
      await this.discard();
      throw imageErrors.SIZE_MISMATCH({ digest, actual: this.#offset, expected: size });
    }
    if (actual !== digest) {
      await this.discard();
      throw imageErrors.DIGEST_MISMATCH({ expected: digest, actual });
    }
    await this.#end(async () => {
      await this.#handle.sync();
      await rename(this.#place.file, this.#place.wholeOf(digest));
      await syncDirectory(this.#place.directory);
    });
  }

  async suspend(): Promise<void> {
    await this.#end(() => this.#handle.datasync());
  }

  async discard(): Promise<void> {
    await this.#end(() => unlink(this.#place.file));
  }

  async #end(last: () => Promise<void>): Promise<void> {
    try {
      await last();
    } finally {
      this.#place.release();
      await this.#handle.close();
    }
  }
}

/** Without it, a loss of power may take back a rename. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function statIfThere(path: string): Promise<{ readonly size: number; readonly mtimeMs: number } | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
