/** Removes images that no container uses, the longest unused first, once the disk they are on is nearly full. */
import { statfs } from 'node:fs/promises';
import { type Digest, type ImageStore, parseDigest } from '../../../images/index.ts';
import { MIN_UNUSED_MS, planCollection, type UnusedImage } from '../../pod/image-collection.ts';

/** What no image holds is kept this long for a pull that may go on with it … */
const ORPHAN_MS = 24 * 3_600_000;

export interface ImageCollectionOptions {
  readonly store: ImageStore;
  /** On the disk that counts. */
  readonly directory: string;
  readonly now: () => number;
}

export class ImageCollection {
  readonly #options: ImageCollectionOptions;
  readonly #unusedSince = new Map<Digest, number>();

  constructor(options: ImageCollectionOptions) {
    this.#options = options;
  }

  /** `used` holds the names of content, `repository@sha256:…`. */
  async collect(used: ReadonlySet<string>): Promise<void> {
    const { store, directory, now } = this.#options;
    const unused = this.#findUnused(used);
    const { blocks, bavail, bsize } = await statfs(directory);
    const disk = { totalBytes: blocks * bsize, usedBytes: (blocks - bavail) * bsize };
    await this.#remove(planCollection(now(), disk, unused));
    await store.collect(now() - ORPHAN_MS);
  }

  /** But for those that may have come for a pod just now. */
  async reclaim(used: ReadonlySet<string>): Promise<void> {
    const { store, now } = this.#options;
    await this.#remove(this.#findUnused(used).filter(({ since }) => now() - since >= MIN_UNUSED_MS));
    await store.collect(now() - MIN_UNUSED_MS);
  }

  #findUnused(used: ReadonlySet<string>): readonly UnusedImage[] {
    const digests = new Set([...used].map((name) => name.split('@')[1]));
    const unused = this.#options.store.list().filter(({ target }) => !digests.has(target.digest));
    const free = new Set<string>(unused.map(({ target }) => target.digest));
    for (const digest of this.#unusedSince.keys()) if (!free.has(digest)) this.#unusedSince.delete(digest);
    return unused.map(({ target, size }) => ({ id: target.digest, size, since: this.#since(target.digest) }));
  }

  async #remove(images: readonly UnusedImage[]): Promise<void> {
    for (const { id } of images) {
      const digest = parseDigest(id);
      if (digest !== undefined) await this.#options.store.remove(digest);
    }
  }

  #since(digest: Digest): number {
    const since = this.#unusedSince.get(digest) ?? this.#options.now();
    this.#unusedSince.set(digest, since);
    return since;
  }
}
