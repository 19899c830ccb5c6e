/** Images of other registries, kept for nodes: fetched once, given to whoever the registry itself would give them to. */
import { type Clock, hasCode, type Logger, messageOf } from '@skerry/base';
import { Flights } from '../images/flights.ts';
import type {
  BlobFetchOptions,
  Descriptor,
  Digest,
  FetchOptions,
  ImageReference,
  ImageSource,
} from '../images/index.ts';
import { digestOf, imageErrors, parseManifest, putBlob, repositoryName } from '../images/index.ts';
import type { Part } from './catalog.ts';
import { MAX_CACHE_BYTES } from './collect.ts';
import { diskFull, Fillings } from './filling.ts';
import { Grants } from './grants.ts';
import type { Registry } from './registry.ts';

export interface PullThroughOptions {
  readonly registry: Registry;
  /** The registries themselves. */
  readonly source: ImageSource;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** An ImageSource whose bytes stay in the cloud's store. */
export class PullThrough implements ImageSource {
  readonly #options: PullThroughOptions;
  readonly #grants: Grants;
  readonly #fillings: Fillings;
  readonly #questions = new Flights<Descriptor, never>();

  constructor(options: PullThroughOptions) {
    this.#options = options;
    this.#grants = new Grants(options.clock);
    const { blobs, holds, room } = options.registry;
    this.#fillings = new Fillings({ ...options, blobs, holds, room });
  }

  /** What the registry says now; where it is not reached, what it said last to the same credentials. */
  async resolve(image: ImageReference, options: FetchOptions = {}): Promise<Descriptor> {
    const repository = keptName(image);
    const key = JSON.stringify([image, options.credentials ?? null]);
    try {
      const found = await this.#questions.join(key, { signal: options.signal }, (signal) =>
        this.#options.source.resolve(image, { ...options, signal }),
      );
      this.#grants.add(repository, options.credentials);
      return found;
    } catch (error) {
      const known = isPassing(error) ? this.#lastKnown(image, options) : undefined;
      if (known === undefined) throw error;
      this.#options.log.warn({ image: repository, error: messageOf(error) }, 'image served as it was last seen');
      return known;
    }
  }

  async manifest(image: ImageReference, wanted: Descriptor, options: FetchOptions = {}): Promise<Uint8Array> {
    await this.#checkGrant(image, options);
    const { registry, source, clock } = this.#options;
    const repository = keptName(image);
    if (registry.catalog.manifest(repository, wanted.digest) !== undefined) {
      registry.catalog.touch(repository, wanted.digest, clock.now());
      return await wholeOf(registry.blobs.read(wanted.digest));
    }
    const bytes = await source.manifest(image, wanted, options);
    const actual = digestOf(bytes);
    if (actual !== wanted.digest) throw imageErrors.DIGEST_MISMATCH({ expected: wanted.digest, actual });
    const parts = partsOf(bytes, repository);
    using room = await registry.room.reserve(bytes.length);
    if (room === undefined) throw diskFull(wanted.digest);
    using _hold = await registry.holds.share(wanted.digest);
    await putBlob(registry.blobs, bytes);
    const { digest, mediaType } = wanted;
    registry.catalog.add({ repository, digest, mediaType, size: bytes.length, parts }, clock.now(), true);
    return bytes;
  }

  async *blob(image: ImageReference, wanted: Descriptor, options: BlobFetchOptions = {}): AsyncGenerator<Uint8Array> {
    await this.#checkGrant(image, options);
    const { registry, clock } = this.#options;
    const repository = keptName(image);
    const { digest } = wanted;
    const { offset = 0, credentials, signal } = options;
    const isThere = () => registry.catalog.touch(repository, digest, clock.now()) !== undefined;
    if (!isThere()) await this.#makeRoom(wanted);
    // Asked in the turn in which a fetch would begin: one may have ended meanwhile.
    if (isThere()) {
      yield* registry.blobs.read(digest, { offset });
      return;
    }
    const onWhole = () => registry.catalog.link(repository, { digest, size: wanted.size }, clock.now());
    const fetched = { repository, image, blob: wanted, onWhole, ...(credentials === undefined ? {} : { credentials }) };
    yield* this.#fillings.read(fetched, offset, signal);
  }

  /** From now on this is what the tag leads to, should the registry not be reached. */
  remember(image: ImageReference, digest: Digest): void {
    const { registry, clock } = this.#options;
    const repository = keptName(image);
    const isKept = registry.catalog.manifest(repository, digest) !== undefined;
    if (isKept && image.tag !== undefined) registry.catalog.setTag(repository, image.tag, digest, clock.now());
  }

  async #checkGrant(image: ImageReference, options: FetchOptions): Promise<void> {
    if (!this.#grants.isFresh(keptName(image), options.credentials)) await this.resolve(image, options);
  }

  #lastKnown(image: ImageReference, { credentials }: FetchOptions): Descriptor | undefined {
    const { catalog } = this.#options.registry;
    const repository = keptName(image);
    if (!this.#grants.wasGiven(repository, credentials)) return undefined;
    const digest = image.digest ?? catalog.tag(repository, image.tag ?? '')?.digest;
    const row = digest === undefined ? undefined : catalog.manifest(repository, digest);
    return row === undefined ? undefined : { mediaType: row.mediaType, digest: row.digest, size: row.size };
  }

  async #makeRoom({ digest, size }: Descriptor): Promise<void> {
    const { registry } = this.#options;
    const { maxBlobBytes } = registry;
    if (!(size <= maxBlobBytes)) throw imageErrors.TOO_LARGE({ what: `blob ${digest}`, limit: maxBlobBytes });
    if (registry.catalog.cachedBytes() + size > MAX_CACHE_BYTES) await registry.collect();
  }
}

/** Under what name the repository of another registry is in the catalog: none of our own can have it. */
export function keptName(image: ImageReference): string {
  return `@${repositoryName(image)}`;
}

function partsOf(bytes: Uint8Array, what: string): readonly Part[] {
  const manifest = parseManifest(bytes, what);
  if (manifest.kind === 'index') return manifest.manifests.map(({ digest }) => ({ digest, kind: 'manifest' }));
  return [manifest.config, ...manifest.layers].map(({ digest }) => ({ digest, kind: 'blob' }));
}

async function wholeOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

function isPassing(error: unknown): boolean {
  return hasCode(error) && error.retry !== 'never';
}
