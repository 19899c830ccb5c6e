/**
 * A set of images and the manifests that use them in one file: an OCI image layout in a tar archive, as skopeo, podman and
 * containerd read and write it. The manifests lie beside it under `skerry/manifests/`, where those tools do not look.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { Header } from 'tar';
import type { BlobStore, Descriptor, Digest, ImageReference, ImageSource } from '../contract.ts';
import { digestOf, hexOf, parseDigest } from '../digest.ts';
import { imageErrors } from '../errors.ts';
import { MANIFEST_TYPES, MAX_MANIFEST_BYTES, MediaType } from '../manifest.ts';
import { formatReference, parseReference } from '../reference.ts';

/** An image of the set under its full name. */
export interface ArchivedImage {
  readonly name: string;
  readonly target: Descriptor;
}

export interface ArchivedManifest {
  /** Of the file it came from; for people. */
  readonly name: string;
  readonly text: string;
}

export interface ImageSet {
  readonly images: readonly ArchivedImage[];
  readonly manifests: readonly ArchivedManifest[];
  /** Everything that the images consist of. */
  readonly blobs: readonly Pick<Descriptor, 'digest' | 'size'>[];
}

export interface ImageArchive extends AsyncDisposable {
  readonly images: readonly ArchivedImage[];
  readonly manifests: readonly ArchivedManifest[];
  /** Gives the images of the archive under their names. Whoever stores verifies. */
  readonly source: ImageSource;
  has(digest: Digest): boolean;
}

const BLOCK = 512;
/** A set of a thousand images has some ten thousand. */
const MAX_ENTRIES = 200_000;
const MAX_TEXT_BYTES = 8 * 1024 * 1024;
const LAYOUT = 'oci-layout';
const INDEX = 'index.json';
const MANIFESTS = 'skerry/manifests/';
/** What containerd, and what all others call an image in a layout. */
const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'] as const;

/** Writes beside the file and puts it in its place when it is whole and durable. */
export async function writeImageArchive(file: string, set: ImageSet, blobs: BlobStore): Promise<void> {
  const partial = `${file}.partial`;
  const handle = await open(partial, 'w', 0o600);
  try {
    await writeText(handle, LAYOUT, JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await writeText(handle, INDEX, JSON.stringify(indexOf(set.images)));
    for (const [at, { name, text }] of set.manifests.entries()) {
      await writeText(handle, `${MANIFESTS}${String(at).padStart(4, '0')}-${plainName(name)}`, text);
    }
    for (const { digest, size } of set.blobs) {
      await writeEntry(handle, { path: blobPath(digest), size }, blobs.read(digest));
    }
    await handle.write(new Uint8Array(2 * BLOCK));
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(partial, { force: true });
    throw error;
  }
  await handle.close();
  await rename(partial, file);
}

/** Throws INVALID_ARCHIVE for whatever is none. Nothing of it is unpacked, and no name in it is ever a path here. */
export async function openImageArchive(file: string): Promise<ImageArchive> {
  const handle = await open(file, 'r');
  try {
    const entries = await scan(handle, file);
    const textOf = (entry: Entry, name: string) => readText(handle, entry, `${file}: ${name}`);
    const index = entries.get(INDEX);
    if (index === undefined || !entries.has(LAYOUT)) throw invalid(file, 'it is not an OCI image layout');
    const images = imagesIn(await textOf(index, INDEX), file);
    const manifests: ArchivedManifest[] = [];
    for (const [name, entry] of entries) {
      if (!name.startsWith(MANIFESTS)) continue;
      manifests.push({ name: name.slice(MANIFESTS.length), text: await textOf(entry, name) });
    }
    return {
      images,
      manifests,
      source: sourceOf(file, entries, images),
      has: (digest) => entries.has(blobPath(digest)),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface Entry {
  readonly offset: number;
  readonly size: number;
}

/** Where each file begins, from the headers alone. */
async function scan(handle: FileHandle, file: string): Promise<ReadonlyMap<string, Entry>> {
  const entries = new Map<string, Entry>();
  const { size: end } = await handle.stat();
  const block = Buffer.alloc(BLOCK);
  for (let at = 0; at + BLOCK <= end; ) {
    await handle.read(block, 0, BLOCK, at);
    // What ends an archive, so that one which was cut between two files is told from a whole one.
    if (block.every((byte) => byte === 0)) return entries;
    const { path = '', size = 0, type, cksumValid } = new Header(block);
    if (!cksumValid) throw invalid(file, 'it is not a tar archive, or it is damaged');
    if (entries.size >= MAX_ENTRIES) throw invalid(file, `it has more than ${MAX_ENTRIES} files`);
    if (type === 'File' || type === 'OldFile') entries.set(path.replace(/^\.\//, ''), { offset: at + BLOCK, size });
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw invalid(file, 'it is cut short, or not a tar archive');
}

function imagesIn(text: string, file: string): readonly ArchivedImage[] {
  const { manifests } = parsed(text, file) as { readonly manifests?: unknown };
  if (!Array.isArray(manifests)) throw invalid(file, `its ${INDEX} lists no manifests`);
  return manifests.flatMap((each: unknown) => {
    const { digest, size, mediaType, annotations = {} } = (each ?? {}) as Record<string, unknown>;
    const target = parseDigest(digest);
    const isKnown = typeof mediaType === 'string' && MANIFEST_TYPES.includes(mediaType) && Number.isSafeInteger(size);
    if (target === undefined || !isKnown) throw invalid(file, `its ${INDEX} lists something that is no image`);
    const named = annotations as Record<string, unknown>;
    const name = NAME_ANNOTATIONS.map((key) => named[key]).find((value) => typeof value === 'string');
    // Without a name nobody could ask for it.
    if (name === undefined) return [];
    const full = formatReference(parseReference(String(name)));
    return [{ name: full, target: { mediaType, digest: target, size: Number(size) } }];
  });
}

function parsed(text: string, file: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw invalid(file, `its ${INDEX} is not JSON`);
}

function sourceOf(file: string, entries: ReadonlyMap<string, Entry>, images: readonly ArchivedImage[]): ImageSource {
  const targets = new Map(images.map(({ name, target }) => [name, target]));
  const find = (digest: Digest): Entry => {
    const entry = entries.get(blobPath(digest));
    if (entry === undefined) throw imageErrors.NOT_FOUND({ what: digest, where: file });
    return entry;
  };
  return {
    resolve: async (image: ImageReference) => {
      const target = targets.get(formatReference(image));
      if (target === undefined) throw imageErrors.NOT_FOUND({ what: formatReference(image), where: file });
      return target;
    },
    manifest: async (_image, { digest }) => {
      const entry = find(digest);
      if (entry.size > MAX_MANIFEST_BYTES) throw imageErrors.TOO_LARGE({ what: digest, limit: MAX_MANIFEST_BYTES });
      return wholeOf(bytesOf(file, entry));
    },
    blob: (_image, { digest }, { offset = 0 } = {}) => bytesOf(file, find(digest), offset),
  };
}

async function* bytesOf(file: string, { offset, size }: Entry, from = 0): AsyncGenerator<Uint8Array> {
  if (from < size) yield* createReadStream(file, { start: offset + from, end: offset + size - 1 });
}

async function readText(handle: FileHandle, { offset, size }: Entry, what: string): Promise<string> {
  if (size > MAX_TEXT_BYTES) throw imageErrors.TOO_LARGE({ what, limit: MAX_TEXT_BYTES });
  const bytes = Buffer.alloc(size);
  await handle.read(bytes, 0, size, offset);
  return bytes.toString();
}

function indexOf(images: readonly ArchivedImage[]): object {
  const manifests = images.map(({ name, target: { mediaType, digest, size } }) => ({
    mediaType,
    digest,
    size,
    annotations: Object.fromEntries(NAME_ANNOTATIONS.map((key) => [key, name])),
  }));
  return { schemaVersion: 2, mediaType: MediaType.index, manifests };
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** Short enough for any tar, and nothing that a shell or a file system could mistake. */
function plainName(name: string): string {
  return name.replace(/[^A-Za-z0-9.-]+/g, '-').slice(-48);
}

function writeText(handle: FileHandle, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  return writeEntry(handle, { path, size: bytes.length }, [bytes]);
}

async function writeEntry(
  handle: FileHandle,
  { path, size }: { readonly path: string; readonly size: number },
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const block = Buffer.alloc(BLOCK);
  new Header({ path, size, mode: 0o644, type: 'File', uid: 0, gid: 0, mtime: new Date(0) }).encode(block);
  await handle.write(block);
  let written = 0;
  for await (const chunk of content) {
    await handle.write(chunk);
    written += chunk.length;
  }
  if (written !== size) {
    throw imageErrors.SIZE_MISMATCH({ digest: path, actual: written, expected: size });
  }
  const rest = (BLOCK - (size % BLOCK)) % BLOCK;
  if (rest > 0) await handle.write(new Uint8Array(rest));
}

function invalid(file: string, problem: string): Error {
  return imageErrors.INVALID_ARCHIVE({ file, problem });
}

/** The digest of a manifest that was made here. */
export function descriptorOf(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

async function wholeOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
