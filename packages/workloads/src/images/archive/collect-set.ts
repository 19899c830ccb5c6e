/** Brings all that a set of images consists of into a store, from where the set is written. Goes on where an earlier run stopped. */
import type { Clock } from '@skerry/base';
import type {
  BlobStore,
  Descriptor,
  Digest,
  ImageIndex,
  ImageReference,
  ImageSource,
  Platform,
  RegistryCredentials,
} from '../contract.ts';
import { fetchBlob, fetchManifest, putBlob } from '../fetch-blob.ts';
import { MediaType, parseManifest } from '../manifest.ts';
import { selectPlatform } from '../platform.ts';
import { formatReference } from '../reference.ts';
import { type ArchivedImage, descriptorOf, type ImageSet } from './image-archive.ts';

export interface CollectOptions {
  readonly source: ImageSource;
  readonly blobs: BlobStore;
  readonly credentialsFor: (image: ImageReference) => RegistryCredentials | undefined;
  /** Empty: all that an image is made for. */
  readonly platforms: readonly Platform[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onImage: (name: string, bytes: number) => void;
  readonly onSetback: (reason: string) => void;
}

export async function collectImages(
  images: readonly ImageReference[],
  options: CollectOptions,
): Promise<Omit<ImageSet, 'manifests'>> {
  const blobs = new Map<Digest, Descriptor>();
  const archived: ArchivedImage[] = [];
  for (const image of images) {
    const parts = await collectOne(image, options);
    for (const part of parts.blobs) blobs.set(part.digest, part);
    archived.push({ name: formatReference(image), target: parts.target });
    options.onImage(
      formatReference(image),
      parts.blobs.reduce((sum, { size }) => sum + size, 0),
    );
  }
  return { images: archived, blobs: [...blobs.values()] };
}

interface Collected {
  readonly target: Descriptor;
  readonly blobs: readonly Descriptor[];
}

async function collectOne(image: ImageReference, options: CollectOptions): Promise<Collected> {
  const { source, blobs, clock, signal, onSetback } = options;
  const credentials = options.credentialsFor(image);
  const context = { source, image, blobs, clock, signal, ...(credentials === undefined ? {} : { credentials }) };
  const wanted = await source.resolve(image, { signal, ...(credentials === undefined ? {} : { credentials }) });
  const read = async (manifest: Descriptor) => {
    const bytes = await fetchManifest(context, manifest, onSetback);
    await putBlob(blobs, bytes);
    return bytes;
  };
  const name = formatReference(image);
  const top = parseManifest(await read(wanted), name);
  const { target, children } = top.kind === 'index' ? await narrowed(image, { wanted, top }, options) : single(wanted);
  const parts = new Map<Digest, Descriptor>([[target.digest, target]]);
  for (const child of children) {
    parts.set(child.digest, child);
    const manifest = parseManifest(await read(child), name);
    if (manifest.kind !== 'manifest') continue;
    for (const blob of [manifest.config, ...manifest.layers]) parts.set(blob.digest, blob);
  }
  for (const blob of parts.values()) {
    if ((await blobs.stat(blob.digest)) !== undefined) continue;
    await fetchBlob(context, blob, ({ setback }) => (setback === undefined ? undefined : onSetback(setback)));
  }
  return { target, blobs: [...parts.values()] };
}

function single(target: Descriptor): { readonly target: Descriptor; readonly children: readonly Descriptor[] } {
  return { target, children: [target] };
}

/** An index of only what is wanted; one that is named by its digest stays as it is, with all that is in it. */
async function narrowed(
  image: ImageReference,
  { wanted, top }: { readonly wanted: Descriptor; readonly top: ImageIndex },
  { platforms, blobs }: CollectOptions,
): Promise<{ readonly target: Descriptor; readonly children: readonly Descriptor[] }> {
  if (platforms.length === 0 || image.digest !== undefined) return { target: wanted, children: top.manifests };
  const name = formatReference(image);
  const chosen = [...new Set(platforms.map((platform) => selectPlatform(top, platform, name)))];
  const [only] = chosen;
  if (only !== undefined && chosen.length === 1) return single(only);
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.index, manifests: chosen }));
  await putBlob(blobs, bytes);
  return { target: descriptorOf(bytes, MediaType.index), children: chosen };
}
