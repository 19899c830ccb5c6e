/** Images by name, over blobs: pulled with only what is missing, found without any network, removed with what only they used. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Logger } from '@skerry/base';
import { openBlobStore } from './blob-store.ts';
import type {
  BlobStore,
  Descriptor,
  Digest,
  ImageManifest,
  ImageReference,
  ImageSource,
  ImageStore,
  Platform,
  PullOptions,
  PullProgress,
  StoredImage,
} from './contract.ts';
import { imageErrors } from './errors.ts';
import { type BlobNews, type FetchContext, fetchBlob, fetchManifest, putBlob, readBlob } from './fetch-blob.ts';
import { Flights } from './flights.ts';
import { ImageTable } from './image-table.ts';
import { MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, parseConfig, parseManifest } from './manifest.ts';
import { formatPlatform, platformOf, selectPlatform } from './platform.ts';
import { ProgressMeter } from './progress.ts';
import { formatReference } from './reference.ts';
import { Turnstile } from './turnstile.ts';

/** Blobs on their way at the same time, of all pulls together. */
const MAX_PARALLEL_BLOBS = 4;
const TABLE_FILE = 'images.json';

export interface ImageStoreOptions {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Makes the directories that are not there. Only one process at a time may use them. */
export async function openImageStore(directory: string, { clock, log }: ImageStoreOptions): Promise<ImageStore> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const blobs = await openBlobStore(join(directory, 'blobs'));
  return imageStoreOver(blobs, new ImageTable(join(directory, TABLE_FILE), log), clock);
}

export type ImageNames = Pick<ImageTable, 'values' | 'byName' | 'byDigest' | 'put' | 'delete'>;

/** Over blobs that lie elsewhere, with another memory for what is called how. */
export function imageStoreOver(blobs: BlobStore, names: ImageNames, clock: Clock): ImageStore {
  return new StoredImages(blobs, names, clock);
}

/** A manifest for this platform, and what leads to it. */
interface Found {
  readonly target: Descriptor;
  readonly manifest: Descriptor;
  readonly parts: ImageManifest;
}

class StoredImages implements ImageStore {
  readonly blobs: BlobStore;
  readonly #table: ImageNames;
  readonly #clock: Clock;
  readonly #pulls = new Flights<StoredImage, PullProgress>();
  readonly #fetches = new Flights<void, BlobNews>();
  readonly #turnstile = new Turnstile(MAX_PARALLEL_BLOBS);
  /** What pulls that are under way need: no collection takes it. */
  readonly #held = new Set<Set<Digest>>();

  constructor(blobs: BlobStore, table: ImageNames, clock: Clock) {
    this.blobs = blobs;
    this.#table = table;
    this.#clock = clock;
  }

  find(image: ImageReference): StoredImage | undefined {
    return image.digest === undefined ? this.#table.byName(formatReference(image)) : this.#table.byDigest(image.digest);
  }

  list(): readonly StoredImage[] {
    return this.#table.values();
  }

  pull(source: ImageSource, image: ImageReference, options: PullOptions = {}): Promise<StoredImage> {
    const { platform = platformOf(process.arch), credentials, signal, onProgress } = options;
    // Nobody gets with another's credentials what their own do not open.
    const key = JSON.stringify([formatReference(image), formatPlatform(platform), credentials]);
    return this.#pulls.join(key, { signal, onNews: onProgress }, async (shared, tell) => {
      const context: FetchContext = {
        source,
        image,
        blobs: this.blobs,
        clock: this.#clock,
        signal: shared,
        ...(credentials === undefined ? {} : { credentials }),
      };
      return await this.#holding((held) => this.#pull(context, platform, { held, tell }));
    });
  }

  async add(image: ImageReference, target: Descriptor, platform = platformOf(process.arch)): Promise<StoredImage> {
    return await this.#holding(async (held) => {
      const read = (wanted: Descriptor) => {
        held.add(wanted.digest);
        return readBlob(this.blobs, wanted, MAX_MANIFEST_BYTES);
      };
      const found = await this.#find(image, target, platform, read);
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

  async #pull(
    context: FetchContext,
    platform: Platform,
    { held, tell }: { readonly held: Set<Digest>; readonly tell: (progress: PullProgress) => void },
  ): Promise<StoredImage> {
    const { source, image, credentials, signal } = context;
    const meter = new ProgressMeter(this.#clock, tell);
    const target = await source.resolve(image, { signal, ...(credentials === undefined ? {} : { credentials }) });
    const read = async (wanted: Descriptor) => {
      held.add(wanted.digest);
      const bytes = await fetchManifest(context, wanted, (reason) => meter.setback(reason));
      await putBlob(this.blobs, bytes);
      return bytes;
    };
    const found = await this.#find(image, target, platform, read);
    const wanted = uniqueOf([found.parts.config, ...found.parts.layers]);
    for (const { digest } of wanted) held.add(digest);
    meter.expect(wanted);
    await allOrFirstFailure(wanted, signal, (blob, abort) => this.#ensure({ ...context, signal: abort }, blob, meter));
    await this.#checkConfig(image, found.parts);
    return await this.#record(image, found);
  }

  async #ensure(context: FetchContext, wanted: Descriptor, meter: ProgressMeter): Promise<void> {
    const present = await this.blobs.stat(wanted.digest);
    if (present !== undefined && present.size !== wanted.size) {
      throw imageErrors.SIZE_MISMATCH({ digest: wanted.digest, actual: present.size, expected: wanted.size });
    }
    if (present === undefined) {
      const caller = { signal: context.signal, onNews: (news: BlobNews) => meter.blob(wanted.digest, news) };
      await this.#fetches.join(wanted.digest, caller, (signal, tell) =>
        this.#turnstile.pass(signal, () => fetchBlob({ ...context, signal }, wanted, tell)),
      );
    }
    meter.done(wanted);
  }

  /** From a name's target to the manifest that this machine runs. */
  async #find(
    image: ImageReference,
    target: Descriptor,
    platform: Platform,
    read: (wanted: Descriptor) => Promise<Uint8Array>,
  ): Promise<Found> {
    const name = formatReference(image);
    const top = parseManifest(await read(target), name);
    if (top.kind === 'manifest') return { target, manifest: target, parts: top };
    const manifest = selectPlatform(top, platform, name);
    const parts = parseManifest(await read(manifest), name);
    if (parts.kind === 'manifest') return { target, manifest, parts };
    throw imageErrors.INVALID_MANIFEST({ what: name, problem: 'it is an index of indexes' });
  }

  /** What cannot be unpacked is better refused now, with the name of the image. */
  async #checkConfig(image: ImageReference, { config, layers }: ImageManifest): Promise<void> {
    const what = `configuration of ${formatReference(image)}`;
    const { diffIds } = parseConfig(await readBlob(this.blobs, config, MAX_CONFIG_BYTES), what);
    if (diffIds.length === layers.length) return;
    const problem = `it lists ${diffIds.length} layers and the manifest ${layers.length}`;
    throw imageErrors.INVALID_MANIFEST({ what, problem });
  }

  async #record(image: ImageReference, { target, manifest, parts }: Found): Promise<StoredImage> {
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

/** The rest is called off when one fails, and none is left running behind the caller's back. */
async function allOrFirstFailure<Item>(
  items: readonly Item[],
  signal: AbortSignal,
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const shared = AbortSignal.any([signal, failed.signal]);
  const results = await Promise.allSettled(
    items.map(async (item) => {
      try {
        await work(item, shared);
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  if (failed.signal.aborted && results.some(({ status }) => status === 'rejected')) throw failed.signal.reason;
}

function contentOf({ target, manifest, config, layers }: StoredImage): readonly Digest[] {
  return [target, manifest, config, ...layers].map(({ digest }) => digest);
}

function uniqueOf(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(descriptors.map((one) => [one.digest, one])).values()];
}

/** Without what an index adds. */
function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
