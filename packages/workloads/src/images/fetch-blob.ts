/** Brings one blob into the store, from the byte that an earlier try has reached. */
import { hasCode, newUid } from '@skerry/base';
import type { BlobStore, BlobWriter, Descriptor, FetchOptions, ImageReference, ImageSource } from './contract.ts';
import { digestOf } from './digest.ts';
import { imageErrors } from './errors.ts';
import { MAX_MANIFEST_BYTES } from './manifest.ts';
import { type PersistContext, persist } from './persist.ts';

/** A try that brings less has brought nothing: or a registry that gives a byte per answer would keep a pull busy for ever. */
const LEAST_ADVANCE_BYTES = 1024;

export interface BlobNews {
  /** How far the blob has come. */
  readonly presentBytes: number;
  /** Of these, what came in this fetch. */
  readonly receivedBytes: number;
  readonly setback?: string;
}

export interface FetchContext extends Omit<PersistContext, 'onSetback'> {
  readonly source: ImageSource;
  readonly image: ImageReference;
  readonly blobs: Pick<BlobStore, 'stat' | 'read' | 'write'>;
  readonly credentials?: FetchOptions['credentials'];
}

export async function fetchBlob(
  context: FetchContext,
  wanted: Descriptor,
  tell: (news: BlobNews) => void,
): Promise<void> {
  let [presentBytes, receivedBytes] = [0, 0];
  let isDamaged = false;
  const onSetback = (setback: string) => tell({ presentBytes, receivedBytes, setback });
  await persist({ ...context, onSetback }, async (advanced) => {
    const writer = await context.blobs.write(wanted.digest);
    const begun = writer.offset;
    const onChunk = (bytes: number): void => {
      [presentBytes, receivedBytes] = [writer.offset, receivedBytes + bytes];
      if (writer.offset - begun >= LEAST_ADVANCE_BYTES) advanced();
      tell({ presentBytes, receivedBytes });
    };
    onChunk(0);
    await receive(context, wanted, writer, onChunk);
    try {
      await writer.commit(wanted);
    } catch (cause) {
      // What was begun before this fetch may have suffered in a loss of power: then it is fetched once more, from its start.
      if (isDamaged || receivedBytes === wanted.size || !isWrongContent(cause)) throw cause;
      isDamaged = true;
      throw imageErrors.UNREACHABLE({ where: 'the store', problem: `${wanted.digest} was damaged` }, { cause });
    }
  });
}

function isWrongContent(error: unknown): boolean {
  return hasCode(error, 'IMAGE_DIGEST_MISMATCH') || hasCode(error, 'IMAGE_SIZE_MISMATCH');
}

/** Leaves the writer open when everything has come, else suspended. */
async function receive(
  { source, image, credentials, signal }: FetchContext,
  wanted: Descriptor,
  writer: BlobWriter,
  onChunk: (bytes: number) => void,
): Promise<void> {
  const options = { offset: writer.offset, signal, ...(credentials === undefined ? {} : { credentials }) };
  const what = `blob ${wanted.digest}`;
  try {
    if (writer.offset >= wanted.size) return;
    for await (const chunk of source.blob(image, wanted, options)) {
      signal.throwIfAborted();
      const room = wanted.size - writer.offset;
      if (chunk.length > room) throw imageErrors.BAD_ANSWER({ where: image.registry, what, problem: TOO_LONG });
      await writer.write(chunk);
      onChunk(chunk.length);
    }
    if (writer.offset < wanted.size) throw imageErrors.UNREACHABLE({ where: image.registry, problem: TOO_SHORT });
  } catch (error) {
    await writer.suspend();
    throw error;
  }
}

const TOO_LONG = 'it is longer than announced';
const TOO_SHORT = 'the answer ended too early';

/** The bytes of a manifest or index: those that are here already, or else from the source, verified and kept. */
export async function fetchManifest(
  context: FetchContext,
  wanted: Descriptor,
  onSetback: (reason: string) => void,
): Promise<Uint8Array> {
  const { source, image, blobs, credentials, signal } = context;
  if ((await blobs.stat(wanted.digest)) !== undefined) return await readBlob(blobs, wanted, MAX_MANIFEST_BYTES);
  const options = { signal, ...(credentials === undefined ? {} : { credentials }) };
  const bytes = await persist({ ...context, onSetback }, () => source.manifest(image, wanted, options));
  const actual = digestOf(bytes);
  if (actual !== wanted.digest) throw imageErrors.DIGEST_MISMATCH({ expected: wanted.digest, actual });
  if (bytes.length === wanted.size) return bytes;
  throw imageErrors.SIZE_MISMATCH({ digest: wanted.digest, actual: bytes.length, expected: wanted.size });
}

/** A blob that is small enough to be held in memory. */
export async function readBlob(
  blobs: Pick<BlobStore, 'stat' | 'read'>,
  { digest }: Descriptor,
  limit: number,
): Promise<Uint8Array> {
  const size = (await blobs.stat(digest))?.size ?? 0;
  if (size > limit) throw imageErrors.TOO_LARGE({ what: `blob ${digest}`, limit });
  const chunks: Uint8Array[] = [];
  for await (const chunk of blobs.read(digest)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Keeps content that is in memory as a blob. */
export async function putBlob(blobs: Pick<BlobStore, 'stat' | 'write'>, bytes: Uint8Array): Promise<void> {
  const digest = digestOf(bytes);
  if ((await blobs.stat(digest)) !== undefined) return;
  // Under a key of its own: nobody else is in the way, and nothing old is before it.
  const writer = await blobs.write(newUid());
  try {
    await writer.write(bytes);
  } catch (error) {
    await writer.discard();
    throw error;
  }
  await writer.commit({ digest, size: bytes.length });
}
