/** Which images are here and what they are called, in one file that is replaced as a whole. */
import { readFileSync, renameSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Logger, messageOf } from '@skerry/base';
import { syncDirectory } from './blob-store.ts';
import type { Digest, StoredImage } from './contract.ts';

export class ImageTable {
  readonly #file: string;
  readonly #images: Map<Digest, StoredImage>;
  /** One write after the other: the last one has everything. */
  #saving: Promise<void> = Promise.resolve();

  constructor(file: string, log: Logger) {
    this.#file = file;
    this.#images = new Map(readTable(file, log).map((image) => [image.target.digest, image]));
  }

  values(): readonly StoredImage[] {
    return [...this.#images.values()];
  }

  byName(name: string): StoredImage | undefined {
    return this.values().find(({ names }) => names.includes(name));
  }

  /** By what a name leads to, or by the manifest of the platform. */
  byDigest(digest: Digest): StoredImage | undefined {
    return this.#images.get(digest) ?? this.values().find(({ manifest }) => manifest.digest === digest);
  }

  /** Gives the name to this image, and takes it from the one that had it. Resolves once that is on disk. */
  async put(name: string, image: Omit<StoredImage, 'names'>): Promise<StoredImage> {
    const { digest } = image.target;
    for (const other of this.values()) {
      if (other.target.digest !== digest && other.names.includes(name)) {
        this.#images.set(other.target.digest, { ...other, names: other.names.filter((one) => one !== name) });
      }
    }
    const names = [...new Set([...(this.#images.get(digest)?.names ?? []), name])];
    const stored = { ...image, names };
    this.#images.set(digest, stored);
    await this.#save();
    return stored;
  }

  async delete(target: Digest): Promise<void> {
    if (this.#images.delete(target)) await this.#save();
  }

  #save(): Promise<void> {
    const next = this.#saving.then(() => writeDurably(this.#file, JSON.stringify({ images: this.values() })));
    this.#saving = next.catch(() => {});
    return next;
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  await syncDirectory(dirname(file));
}

/** A damaged table is set aside: the blobs are still there, and a pull finds them. */
function readTable(file: string, log: Logger): readonly StoredImage[] {
  try {
    const { images } = JSON.parse(readFileSync(file, 'utf8')) as { images?: unknown };
    if (!Array.isArray(images)) throw new SyntaxError('not a table of images');
    return images as readonly StoredImage[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if (!(error instanceof SyntaxError)) throw error;
    renameSync(file, `${file}.damaged`);
    log.error({ file, error: messageOf(error) }, 'table of images is damaged; begun anew');
    return [];
  }
}
