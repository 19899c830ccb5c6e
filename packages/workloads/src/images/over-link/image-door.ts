/** The cloud's end: gives nodes what they may have of images, as blobs over the link. */
import type { Logger } from '@skerry/base';
import { hasCode } from '@skerry/base';
import type { BlobAsk, BlobDoor, BlobSource } from '@skerry/link';
import type { ImageSource } from '../contract.ts';
import { imageErrors } from '../errors.ts';
import { formatReference } from '../reference.ts';
import { begun } from './begun.ts';
import { decodeRequest, encodeDescriptor, encodeRefusal, type ImageRequest } from './image-request.ts';

export interface ImageDoorOptions {
  /** Images for a node; checks what the node may have. */
  readonly sourceFor: (node: string) => ImageSource;
  readonly log: Logger;
}

export function createImageDoor({ sourceFor, log }: ImageDoorOptions): BlobDoor {
  return async (ask, node, signal) => {
    const request = decodeRequest(ask.request);
    const what = `${request.kind} of ${formatReference(request.image)}`;
    try {
      return await find(sourceFor(node), request, ask, signal);
    } catch (error) {
      if (!hasCode(error)) log.error({ node, what, error }, 'image request failed');
      throw new Error(encodeRefusal(error, what), { cause: error });
    }
  };
}

async function find(
  source: ImageSource,
  { image, credentials, ...request }: ImageRequest,
  { offset }: BlobAsk,
  signal: AbortSignal,
): Promise<BlobSource> {
  const options = { signal, ...(credentials === undefined ? {} : { credentials }) };
  switch (request.kind) {
    case 'resolve':
      return { size: 0, info: encodeDescriptor(await source.resolve(image, options)), bytes: only(new Uint8Array(0)) };
    case 'manifest': {
      const bytes = await source.manifest(image, request.wanted, options);
      return { size: bytes.length, bytes: only(bytes.subarray(offset)) };
    }
    case 'blob': {
      const { wanted } = request;
      if (offset > wanted.size) {
        throw imageErrors.SIZE_MISMATCH({ digest: wanted.digest, actual: wanted.size, expected: offset });
      }
      // What the source refuses, it refuses before its first byte.
      return { size: wanted.size, bytes: await begun(source.blob(image, wanted, { ...options, offset })) };
    }
  }
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
