/** Blobs of other registries on their way into the store, each once; nodes read along, each at its own pace and from its own byte. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type Clock, hasCode, type Logger, messageOf } from '@skerry/base';
import { fetchBlob } from '../images/fetch-blob.ts';
import type { BlobStore, Descriptor, Digest, FetchOptions, ImageReference, ImageSource } from '../images/index.ts';
import { imageErrors } from '../images/index.ts';
import { Turnstile } from '../images/turnstile.ts';
import type { Holds } from './holds.ts';
import { ROOM_STEP_BYTES, type Room } from './room.ts';

export interface FillingsOptions {
  readonly blobs: BlobStore;
  readonly holds: Holds;
  readonly room: Room;
  readonly source: ImageSource;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends all that are under way; what has come is kept. */
  readonly signal: AbortSignal;
}

export interface Wanted {
  /** Whoever names the same one shares a fetch; others have not shown that it is theirs. */
  readonly repository: string;
  readonly image: ImageReference;
  readonly blob: Descriptor;
  readonly credentials?: FetchOptions['credentials'];
  /** Called once the blob is whole and durable. */
  readonly onWhole: () => void;
}

/** Blobs that come from other registries at the same time. */
const MAX_FILLINGS = 8;
/** Those that wait for a place. */
const MAX_WAITING = 256;
const READ_BYTES = 64 * 1024;

export class Fillings {
  readonly #options: FillingsOptions;
  readonly #fillings = new Map<string, Filling>();
  readonly #writing = new Map<Digest, Promise<void>>();
  readonly #turnstile = new Turnstile(MAX_FILLINGS);

  constructor(options: FillingsOptions) {
    this.#options = options;
  }

  /** Begins to fetch the blob unless that is under way, and gives its bytes as they come. Nobody leaving ends the fetch. */
  async *read(wanted: Wanted, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const { blob } = wanted;
    const filling = this.#fillings.get(keyOf(wanted)) ?? this.#begin(wanted);
    let handle: FileHandle | undefined;
    try {
      for (let at = offset; at < blob.size; ) {
        const there = await filling.beyond(at, signal);
        // Opened once there is something; whole or not, it is the same file to whoever has it open.
        handle ??= await this.#open(blob.digest);
        const room = Buffer.allocUnsafe(Math.min(READ_BYTES, there - at));
        const { bytesRead } = await handle.read(room, 0, room.length, at);
        if (bytesRead === 0) throw imageErrors.UNREACHABLE({ where: 'the store', problem: 'a blob was begun anew' });
        yield room.subarray(0, bytesRead);
        at += bytesRead;
      }
    } finally {
      await handle?.close();
    }
  }

  #begin(wanted: Wanted): Filling {
    if (this.#fillings.size >= MAX_FILLINGS + MAX_WAITING) {
      const problem = `more than ${MAX_FILLINGS + MAX_WAITING} blobs are on their way`;
      throw imageErrors.UNAVAILABLE({ where: 'the cloud', what: `blob ${wanted.blob.digest}`, problem });
    }
    const filling = new Filling();
    this.#fillings.set(keyOf(wanted), filling);
    void this.#fill(wanted, filling).finally(() => this.#fillings.delete(keyOf(wanted)));
    return filling;
  }

  async #fill(wanted: Wanted, filling: Filling): Promise<void> {
    const { holds, log, signal } = this.#options;
    const { image, blob, onWhole } = wanted;
    // Kept until it is linked, lest a collection takes it for garbage.
    using _hold = await holds.share(blob.digest);
    try {
      const fetch = () => this.#fetch(wanted, filling);
      await this.#alone(blob.digest, () => this.#turnstile.pass(signal, fetch));
      onWhole();
      filling.advance(blob.size);
    } catch (error) {
      log.warn({ digest: blob.digest, registry: image.registry, error: messageOf(error) }, 'blob not fetched');
      filling.fail(error);
    }
  }

  async #fetch({ image, blob, credentials }: Wanted, filling: Filling): Promise<void> {
    const { blobs, source, room, clock, log } = this.#options;
    const { digest, size } = blob;
    const there = await sizeOf(blobs.partialPath(digest));
    using reserved = await room.reserve(Math.max(0, size - there));
    if (reserved === undefined) throw diskFull(digest);
    const full = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, full.signal]);
    const onLow = () => full.abort(diskFull(digest));
    const context = { source: watched(source, room, onLow), image, blobs, clock, signal };
    await fetchBlob(
      { ...context, ...(credentials === undefined ? {} : { credentials }) },
      blob,
      ({ presentBytes, setback }) => {
        reserved.leave(size - presentBytes);
        filling.advance(presentBytes);
        if (setback !== undefined) log.warn({ digest, setback }, 'blob goes on after a setback');
      },
    );
  }

  /** A blob has one writer: repositories that share one wait for each other. */
  async #alone(digest: Digest, work: () => Promise<void>): Promise<void> {
    const mine = (this.#writing.get(digest) ?? Promise.resolve()).then(work);
    const ended = mine.catch(() => {});
    this.#writing.set(digest, ended);
    try {
      await mine;
    } finally {
      if (this.#writing.get(digest) === ended) this.#writing.delete(digest);
    }
  }

  async #open(digest: Digest): Promise<FileHandle> {
    const { blobs } = this.#options;
    try {
      return await open(blobs.partialPath(digest), 'r');
    } catch {
      return await open(blobs.path(digest), 'r');
    }
  }
}

export function diskFull(digest: Digest): Error {
  return imageErrors.UNAVAILABLE({ where: 'the cloud', what: `blob ${digest}`, problem: 'its disk is full' });
}

/** The blobs of the source, with an eye on the disk, which others fill as well. */
function watched(source: ImageSource, room: Room, onLow: () => void): ImageSource {
  return {
    resolve: (image, options) => source.resolve(image, options),
    manifest: (image, wanted, options) => source.manifest(image, wanted, options),
    blob: async function* (image, wanted, options) {
      let unseen = 0;
      for await (const chunk of source.blob(image, wanted, options)) {
        unseen += chunk.length;
        if (unseen >= ROOM_STEP_BYTES) {
          unseen = 0;
          if (await room.isLow()) onLow();
        }
        yield chunk;
      }
    },
  };
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    return 0;
  }
}

function keyOf({ repository, blob }: Wanted): string {
  return `${repository} ${blob.digest}`;
}

/** How far one blob has come, and who waits for more of it. */
class Filling {
  #present = 0;
  #failure: unknown;
  #news = Promise.withResolvers<void>();

  /** Resolves to how many bytes there are, once these are more than `offset`. */
  async beyond(offset: number, signal?: AbortSignal): Promise<number> {
    while (this.#present <= offset) {
      if (this.#failure !== undefined) throw this.#failure;
      await unlessAborted(this.#news.promise, signal);
    }
    return this.#present;
  }

  advance(present: number): void {
    this.#present = present;
    this.#tell();
  }

  fail(error: unknown): void {
    this.#failure = hasCode(error)
      ? error
      : imageErrors.UNREACHABLE({ where: 'the registry', problem: messageOf(error) });
    this.#tell();
  }

  #tell(): void {
    const { resolve } = this.#news;
    this.#news = Promise.withResolvers<void>();
    resolve();
  }
}

function unlessAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
