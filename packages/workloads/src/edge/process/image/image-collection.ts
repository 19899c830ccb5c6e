/** Removes images that no container uses, the longest unused first, once the disk they are on is nearly full. */
import { statfs } from 'node:fs/promises';
import type { Digest, ImageStore } from '../../../images/index.ts';
import { planCollection } from '../../pod/image-collection.ts';

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
    const digests = new Set([...used].map((name) => name.split('@')[1]));
    const unused = store.list().filter(({ target }) => !digests.has(target.digest));
    const free = new Set(unused.map(({ target }) => target.digest));
    for (const digest of this.#unusedSince.keys()) if (!free.has(digest)) this.#unusedSince.delete(digest);
    const { blocks, bavail, bsize } = await statfs(directory);
    const disk = { totalBytes: blocks * bsize, usedBytes: (blocks - bavail) * bsize };
    const doomed = planCollection(
      now(),
      disk,
      unused.map(({ target, size }) => ({ id: target.digest, size, since: this.#since(target.digest) })),
    );
    for (const { target } of unused)
      if (doomed.some(({ id }) => id === target.digest)) await store.remove(target.digest);
    await store.collect(now() - ORPHAN_MS);
  }

  #since(digest: Digest): number {
    const since = this.#unusedSince.get(digest) ?? this.#options.now();
    this.#unusedSince.set(digest, since);
    return since;
  }
}
