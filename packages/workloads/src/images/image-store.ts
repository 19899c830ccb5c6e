/** Images by name, over blobs: pulled with only what is missing, found without any network, removed with what only they used. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Logger } from '@skerry/base';
import { openBlobStore } from './blob-store.ts';
import type {
  BlobStore,
  Descriptor,
  Digest,
  ImageReference,
  ImageSource,
  ImageStore,
  PullOptions,
  StoredImage,
} from './contract.ts';
import { imageErrors } from './errors.ts';
import { readBlob } from './fetch-blob.ts';
import { type FoundImage, findManifest, ImagePuller, uniqueOf } from './image-puller.ts';
import { ImageTable } from './image-table.ts';
import { MAX_MANIFEST_BYTES } from './manifest.ts';
import { platformOf } from './platform.ts';
import { formatReference } from './reference.ts';

const TABLE_FILE = 'images.json';

export interface ImageStoreOptions {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Makes the directories that are not there. Only one process at a time may use them. */
export async function openImageStore(directory: string, { clock, log }: ImageStoreOptions): Promise<ImageStore> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const blobs = await openBlobStore(join(directory, 'blobs'));
  return new DiskImages(blobs, new ImageTable(join(directory, TABLE_FILE), log), clock);
}

class DiskImages implements ImageStore {
  readonly blobs: BlobStore;
  readonly #table: ImageTable;
  readonly #clock: Clock;
  readonly #puller: ImagePuller<StoredImage>;
  /** What pulls that are under way need: no collection takes it. */
  readonly #held = new Set<Set<Digest>>();

  constructor(blobs: BlobStore, table: ImageTable, clock: Clock) {
    this.blobs = blobs;
    this.#table = table;
    this.#clock = clock;
    this.#puller = new ImagePuller({
      blobs,
      clock,
      holding: (work) => this.#holding(work),
      finish: (pulled, found) => this.#record(pulled, found),
    });
  }

  find(image: ImageReference): StoredImage | undefined {
    return image.digest === undefined ? this.#table.byName(formatReference(image)) : this.#table.byDigest(image.digest);
  }

  list(): readonly StoredImage[] {
    return this.#table.values();
  }

  pull(source: ImageSource, image: ImageReference, options: PullOptions = {}): Promise<StoredImage> {
    return this.#puller.pull(source, image, options);
  }

  async add(image: ImageReference, target: Descriptor, platform = platformOf(process.arch)): Promise<StoredImage> {
    return await this.#holding(async (held) => {
      const read = (wanted: Descriptor) => {
        held.add(wanted.digest);
        return readBlob(this.blobs, wanted, MAX_MANIFEST_BYTES);
      };
      const found = await findManifest(image, target, platform, read);
      for (const { digest } of [found.parts.config, ...found.parts.layers]) {
        held.add(digest);
        if ((await this.blobs.stat(digest)) !== undefined) continue;
        throw imageErrors.NOT_FOUND({ what: `blob ${digest}`, where: 'the store' });
      }
      return await this.#record(image, found);
    });
  }

  async remove(target: Digest): Promise<void> {
    const image = this.#table.byDigest(target);
    if (image === undefined) return;
    await this.#table.delete(image.target.digest);
    for (const digest of contentOf(image)) if (!this.#isInUse(digest)) await this.blobs.remove(digest);
  }

  async collect(before: number): Promise<number> {
    let freed = 0;
    for (const { digest, size, modifiedAt } of await this.blobs.list()) {
      if (modifiedAt >= before || this.#isInUse(digest)) continue;
      await this.blobs.remove(digest);
      freed += size;
    }
    await this.blobs.removePartials(before);
    return freed;
  }

  async #record(image: ImageReference, { target, manifest, parts }: FoundImage): Promise<StoredImage> {
    const { config, layers } = parts;
    const size = uniqueOf([target, manifest, config, ...layers]).reduce((sum, one) => sum + one.size, 0);
    const stored = { target: plain(target), manifest: plain(manifest), config, layers, size };
    return await this.#table.put(formatReference(image), { ...stored, pulledAt: this.#clock.now() });
  }

  #isInUse(digest: Digest): boolean {
    if ([...this.#held].some((held) => held.has(digest))) return true;
    return this.#table.values().some((image) => contentOf(image).includes(digest));
  }

  async #holding<Result>(work: (held: Set<Digest>) => Promise<Result>): Promise<Result> {
    const held = new Set<Digest>();
    this.#held.add(held);
    try {
      return await work(held);
    } finally {
      this.#held.delete(held);
    }
  }
}

function contentOf({ target, manifest, config, layers }: StoredImage): readonly Digest[] {
  return [target, manifest, config, ...layers].map(({ digest }) => digest);
}

/** Without what an index adds. */
function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
