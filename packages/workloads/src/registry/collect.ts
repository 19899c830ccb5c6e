/**
 * Makes room, by mark and sweep. What marks is the catalog: content that some repository links is needed. The sweep asks it again
 * for each piece of content, in the turn in which the removal begins, so that no push comes in between.
 */
import type { Clock, Logger } from '@skerry/base';
import type { BlobStore } from '../images/index.ts';
import type { Catalog } from './catalog.ts';
import type { Holds } from './holds.ts';

export interface CollectParts {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly holds: Holds;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface CollectOptions {
  /** Also manifests that have no tag and belong to nothing. */
  readonly untagged?: boolean;
  /** Does not spare what was touched a moment ago. Only for a registry that nobody pushes to. */
  readonly atOnce?: boolean;
  readonly signal?: AbortSignal;
}

export interface Collected {
  readonly blobs: number;
  readonly bytes: number;
  readonly manifests: number;
}

/**
 * Content that was pushed, asked for or mounted is kept so long without a manifest that names it: a client which was told that a
 * layer is there leaves it out of its push.
 */
export const GRACE_MS = 3_600_000;
/** An upload that nobody goes on with. */
export const UPLOAD_LIFE_MS = 24 * 3_600_000;
/** Manifests of other registries, and their layers, which no node asked for. */
export const CACHE_LIFE_MS = 30 * 86_400_000;
/** What other registries' images may take; the longest unused go first. */
export const MAX_CACHE_BYTES = 64 * 1024 ** 3;

export async function collect(parts: CollectParts, options: CollectOptions = {}): Promise<Collected> {
  const { catalog, blobs, clock, log } = parts;
  const now = clock.now();
  const before = options.atOnce === true ? now + 1 : now - GRACE_MS;
  const manifests =
    (options.untagged === true ? catalog.removeUntagged(before) : 0) +
    catalog.removeUnused(now - CACHE_LIFE_MS) +
    trimCache(catalog, before);
  catalog.forgetLinks(before);
  catalog.removeUploads(now - UPLOAD_LIFE_MS);
  await blobs.removePartials(now - UPLOAD_LIFE_MS);
  const swept = await sweep(parts, options.signal);
  const collected = { manifests, ...swept };
  log.info(collected, 'registry collected');
  return collected;
}

async function sweep(
  { catalog, blobs, holds }: CollectParts,
  signal?: AbortSignal,
): Promise<Pick<Collected, 'blobs' | 'bytes'>> {
  let [count, bytes] = [0, 0];
  for (const { digest, size } of await blobs.list()) {
    signal?.throwIfAborted();
    // Invariant: no turn lies between this question and the removal's beginning, and no link is made to what is being removed.
    if (catalog.isLinked(digest) || !(await holds.exclude(digest, () => blobs.remove(digest)))) continue;
    count += 1;
    bytes += size;
  }
  return { blobs: count, bytes };
}

function trimCache(catalog: Catalog, before: number): number {
  let removed = 0;
  while (catalog.cachedBytes() > MAX_CACHE_BYTES) {
    const oldest = catalog.leastUsed();
    if (oldest === undefined) break;
    catalog.removeManifest(oldest.repository, oldest.digest);
    catalog.forgetLinks(before);
    removed += 1;
  }
  return removed;
}
