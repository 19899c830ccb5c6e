/**
 * What the rooms that move images agree on: where images come from (`ImageSource`), where they lie (`BlobStore`, `ImageStore`),
 * and what a pull tells while it runs. Whatever stands here is the same in the cloud and at the edge.
 */

/** The hash of some content; sha256 is the only algorithm. Made by `parseDigest` and `digestOf` only. */
export type Digest = `sha256:${string}`;

/** What a person or a manifest calls an image, normalised: `web` is `docker.io/library/web:latest`. Made by `parseReference`. */
export interface ImageReference {
  /** `docker.io`, `registry.example:5000`. */
  readonly registry: string;
  /** `library/web`. */
  readonly repository: string;
  /** Absent only where a digest is given alone. */
  readonly tag?: string;
  /** Says which content, whatever the tag means by now. */
  readonly digest?: Digest;
}

/** Some content: what it is, its hash and its length. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** As in an image index; `variant` tells apart the generations of arm. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** One platform of an index. */
export interface PlatformDescriptor extends Descriptor {
  readonly platform?: Platform;
}

export interface ImageIndex {
  readonly kind: 'index';
  readonly manifests: readonly PlatformDescriptor[];
}

/** The base of the file system first. */
export interface ImageManifest {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** For a registry: a name and a password, a token that is exchanged, or one that is sent as it is. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

export interface FetchOptions {
  /** Only ever shown to the registry that the reference names, or to the token service it points to. */
  readonly credentials?: RegistryCredentials;
  readonly signal?: AbortSignal;
}

export interface BlobFetchOptions extends FetchOptions {
  /** The first byte that is wanted; default 0. */
  readonly offset?: number;
}

/**
 * Where images come from: a registry, the cloud behind the link, an archive. A source need not verify hashes, whoever stores does.
 * Failures are `imageErrors`; `retry: 'never'` of one ends a pull, after others the pull goes on from the byte it has reached.
 */
export interface ImageSource {
  /** What the reference names now. With a digest in the reference, the descriptor has that digest. */
  resolve(image: ImageReference, options?: FetchOptions): Promise<Descriptor>;
  /** The bytes of a manifest or index, at most MAX_MANIFEST_BYTES: a source stops to read there and throws TOO_LARGE. */
  manifest(image: ImageReference, wanted: Descriptor, options?: FetchOptions): Promise<Uint8Array>;
  /**
   * The bytes of a blob from `offset` to its end. Leaving the loop early gives the connection back. A stream that ends too early
   * may throw or just end: what came counts, and the reader asks again for the rest.
   */
  blob(image: ImageReference, wanted: Descriptor, options?: BlobFetchOptions): AsyncIterable<Uint8Array>;
}

/** Content on disk by its hash. A blob that is there is whole, durable and has been verified. */
export interface BlobStore {
  stat(digest: Digest): Promise<{ readonly size: number } | undefined>;
  /** The file of a blob that is there: for programs that read it themselves. Never to be written to. */
  path(digest: Digest): string;
  /** The file in which the blob of this key grows until it is whole: for whoever reads along. */
  partialPath(key: string): string;
  /** Bytes from `offset` (default 0), at most `length` of them; throws NOT_FOUND. */
  read(digest: Digest, range?: { readonly offset?: number; readonly length?: number }): AsyncIterable<Uint8Array>;
  /**
   * Begins a blob, or goes on where an earlier writer of the same key stopped, also after a restart. `key` is the blob's digest
   * where it is known, else a name for the upload ([A-Za-z0-9-]). Throws BUSY while another writer of the key is open.
   */
  write(key: string): Promise<BlobWriter>;
  /** All that are there. */
  list(): Promise<readonly { readonly digest: Digest; readonly size: number; readonly modifiedAt: number }[]>;
  remove(digest: Digest): Promise<void>;
  /** Removes what was begun before `before` (ms since 1970), was not finished, and is not being written. */
  removePartials(before: number): Promise<void>;
}

/** One of `commit`, `suspend` and `discard` ends it. */
export interface BlobWriter {
  /** How many bytes are there; the next `write` goes behind them. */
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the blob appear, durably. Throws DIGEST_MISMATCH or SIZE_MISMATCH, and what was written is gone then. */
  commit(expected: { readonly digest: Digest; readonly size?: number }): Promise<void>;
  /** Keeps what has come for a later writer of the same key. */
  suspend(): Promise<void>;
  discard(): Promise<void>;
}

export interface PullProgress {
  /** Of everything the image consists of, as its manifest says. */
  readonly totalBytes: number;
  /** Of these, what is on disk: what was there before, and what has come. */
  readonly presentBytes: number;
  /** Came over the network in this pull. */
  readonly receivedBytes: number;
  readonly layers: number;
  readonly layersPresent: number;
  /** Set after a failure that the pull goes on after: for an event. */
  readonly setback?: string;
}

export interface PullOptions extends FetchOptions {
  /** Default: that of this machine. */
  readonly platform?: Platform;
  /** Called at most a few times a second; a pull that is shared tells each of its callers. */
  readonly onProgress?: (progress: PullProgress) => void;
}

/** An image that is wholly on disk, for one platform. */
export interface StoredImage {
  /** Full names with tag or digest, `docker.io/library/web:latest`; empty once all were given to other content. */
  readonly names: readonly string[];
  /** What the names lead to: an index, or the manifest itself. Its digest is the image's identity in `status.imageID`. */
  readonly target: Descriptor;
  /** The manifest for the platform. */
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** Bytes of all of these together. */
  readonly size: number;
  /** Last pulled or imported, ms since 1970. */
  readonly pulledAt: number;
}

/** Images by name, over a BlobStore. */
export interface ImageStore {
  readonly blobs: BlobStore;
  /** By full name or, where the reference has one, by digest. No network. */
  find(image: ImageReference): StoredImage | undefined;
  list(): readonly StoredImage[];
  /**
   * Makes the image present and its name point to what `source` says it is now. Only missing blobs are fetched; pulls of the same
   * image at the same time are one. Aborting one caller's signal ends the pull once no caller is left; what came is kept.
   */
  pull(source: ImageSource, image: ImageReference, options?: PullOptions): Promise<StoredImage>;
  /** Names content whose blobs are all there already (import of an archive, push). Throws NOT_FOUND for what is missing. */
  add(image: ImageReference, target: Descriptor, platform?: Platform): Promise<StoredImage>;
  /** Forgets this image and removes what no other image, and no pull under way, needs of it. */
  remove(target: Digest): Promise<void>;
  /**
   * Removes what no image holds and no pull is about to use, where it was last written to before `before` (ms since 1970): blobs
   * and what was begun. Resolves to the bytes that became free.
   */
  collect(before: number): Promise<number>;
}
