/** Brings into a store of content whatever an image consists of and is not there yet. */
import type { Clock } from '@skerry/base';
import type {
  BlobStore,
  Descriptor,
  Digest,
  ImageManifest,
  ImageReference,
  ImageSource,
  Platform,
  PullOptions,
  PullProgress,
} from './contract.ts';
import { imageErrors } from './errors.ts';
import { type BlobNews, type FetchContext, fetchBlob, fetchManifest, putBlob, readBlob } from './fetch-blob.ts';
import { Flights } from './flights.ts';
import { MAX_CONFIG_BYTES, parseConfig, parseManifest } from './manifest.ts';
import { formatPlatform, platformOf, selectPlatform } from './platform.ts';
import { ProgressMeter } from './progress.ts';
import { formatReference } from './reference.ts';
import { Turnstile } from './turnstile.ts';

/** Blobs on their way at the same time, of all pulls together. */
const MAX_PARALLEL_BLOBS = 4;

/** A manifest for one platform, and what leads to it. */
export interface FoundImage {
  readonly target: Descriptor;
  readonly manifest: Descriptor;
  readonly parts: ImageManifest;
}

export interface ImagePullerOptions<Result> {
  readonly blobs: Pick<BlobStore, 'stat' | 'read' | 'write'>;
  readonly clock: Clock;
  /** Runs a pull, and keeps what it puts into `held` from being collected meanwhile. */
  readonly holding: (work: (held: Set<Digest>) => Promise<Result>) => Promise<Result>;
  /** When everything is there. */
  readonly finish: (image: ImageReference, found: FoundImage) => Promise<Result>;
}

export class ImagePuller<Result> {
  readonly #options: ImagePullerOptions<Result>;
  readonly #pulls = new Flights<Result, PullProgress>();
  readonly #fetches = new Flights<void, BlobNews>();
  readonly #turnstile = new Turnstile(MAX_PARALLEL_BLOBS);

  constructor(options: ImagePullerOptions<Result>) {
    this.#options = options;
  }

  /** As `ImageStore.pull`. */
  pull(source: ImageSource, image: ImageReference, options: PullOptions = {}): Promise<Result> {
    const { blobs, clock, holding } = this.#options;
    const { platform = platformOf(process.arch), credentials, signal, onProgress } = options;
    // Nobody gets with another's credentials what their own do not open.
    const key = JSON.stringify([formatReference(image), formatPlatform(platform), credentials]);
    return this.#pulls.join(key, { signal, onNews: onProgress }, async (shared, tell) => {
      const context: FetchContext = {
        source,
        image,
        blobs,
        clock,
        signal: shared,
        ...(credentials === undefined ? {} : { credentials }),
      };
      return await holding((held) => this.#pull(context, platform, { held, tell }));
    });
  }

  async #pull(
    context: FetchContext,
    platform: Platform,
    { held, tell }: { readonly held: Set<Digest>; readonly tell: (progress: PullProgress) => void },
  ): Promise<Result> {
    const { source, image, blobs, credentials, signal } = context;
    const meter = new ProgressMeter(this.#options.clock, tell);
    const target = await source.resolve(image, { signal, ...(credentials === undefined ? {} : { credentials }) });
    const read = async (wanted: Descriptor) => {
      held.add(wanted.digest);
      const bytes = await fetchManifest(context, wanted, (reason) => meter.setback(reason));
      await putBlob(blobs, bytes);
      return bytes;
    };
    const found = await findManifest(image, target, platform, read);
    const wanted = uniqueOf([found.parts.config, ...found.parts.layers]);
    for (const { digest } of wanted) held.add(digest);
    meter.expect(wanted);
    await allOrFirstFailure(wanted, signal, (blob, abort) => this.#ensure({ ...context, signal: abort }, blob, meter));
    await checkConfig(blobs, image, found.parts);
    return await this.#options.finish(image, found);
  }

  async #ensure(context: FetchContext, wanted: Descriptor, meter: ProgressMeter): Promise<void> {
    const present = await this.#options.blobs.stat(wanted.digest);
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
}

/** From a name's target to the manifest that this machine runs. */
export async function findManifest(
  image: ImageReference,
  target: Descriptor,
  platform: Platform,
  read: (wanted: Descriptor) => Promise<Uint8Array>,
): Promise<FoundImage> {
  const name = formatReference(image);
  const top = parseManifest(await read(target), name);
  if (top.kind === 'manifest') return { target, manifest: target, parts: top };
  const manifest = selectPlatform(top, platform, name);
  const parts = parseManifest(await read(manifest), name);
  if (parts.kind === 'manifest') return { target, manifest, parts };
  throw imageErrors.INVALID_MANIFEST({ what: name, problem: 'it is an index of indexes' });
}

/** What cannot be unpacked is better refused now, with the name of the image. */
async function checkConfig(
  blobs: FetchContext['blobs'],
  image: ImageReference,
  { config, layers }: ImageManifest,
): Promise<void> {
  const what = `configuration of ${formatReference(image)}`;
  const { diffIds } = parseConfig(await readBlob(blobs, config, MAX_CONFIG_BYTES), what);
  if (diffIds.length === layers.length) return;
  const problem = `it lists ${diffIds.length} layers and the manifest ${layers.length}`;
  throw imageErrors.INVALID_MANIFEST({ what, problem });
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

export function uniqueOf(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(descriptors.map((one) => [one.digest, one])).values()];
}
