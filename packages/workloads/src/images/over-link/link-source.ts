/** The node's end: images by way of the cloud. Whatever breaks on the way is asked for again from the byte that was reached. */
import { hasCode, messageOf } from '@skerry/base';
import type { LinkBlob } from '@skerry/link';
import type { ImageSource } from '../contract.ts';
import { imageErrors } from '../errors.ts';
import { MAX_MANIFEST_BYTES } from '../manifest.ts';
import { formatReference } from '../reference.ts';
import { decodeDescriptor, decodeRefusal, encodeRequest, type ImageRequest, THE_CLOUD } from './image-request.ts';

/** As the link has it. */
export type OpenBlob = (
  request: Uint8Array,
  options: { readonly offset?: number; readonly signal?: AbortSignal },
) => Promise<LinkBlob>;

interface Wish {
  readonly request: ImageRequest;
  readonly what: string;
  readonly offset?: number;
  readonly signal?: AbortSignal | undefined;
}

export function createLinkSource(openBlob: OpenBlob): ImageSource {
  const open = async ({ request, what, offset = 0, signal }: Wish): Promise<LinkBlob> => {
    try {
      return await openBlob(encodeRequest(request), { offset, ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      signal?.throwIfAborted();
      throw errorOf(error, what);
    }
  };
  return {
    resolve: async (image, { signal, credentials } = {}) => {
      const what = `image ${formatReference(image)}`;
      const request = { kind: 'resolve', image, ...(credentials === undefined ? {} : { credentials }) } as const;
      const { info, bytes } = await open({ request, what, signal });
      await wholeOf({ bytes, size: 0 }, what, signal);
      return decodeDescriptor(info);
    },
    manifest: async (image, wanted, { signal, credentials } = {}) => {
      const what = `image ${formatReference(image)}`;
      const request = {
        kind: 'manifest',
        image,
        wanted,
        ...(credentials === undefined ? {} : { credentials }),
      } as const;
      return await wholeOf(await open({ request, what, signal }), what, signal);
    },
    blob: async function* (image, wanted, { signal, credentials, offset = 0 } = {}) {
      const what = `blob ${wanted.digest}`;
      const request = { kind: 'blob', image, wanted, ...(credentials === undefined ? {} : { credentials }) } as const;
      const { size, bytes } = await open({ request, what, offset, signal });
      if (size !== wanted.size) {
        throw imageErrors.SIZE_MISMATCH({ digest: wanted.digest, actual: size, expected: wanted.size });
      }
      yield* told(bytes, what, signal);
    },
  };
}

async function wholeOf(
  { size, bytes }: Pick<LinkBlob, 'size' | 'bytes'>,
  what: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (size > MAX_MANIFEST_BYTES) throw imageErrors.TOO_LARGE({ what, limit: MAX_MANIFEST_BYTES });
  const chunks: Uint8Array[] = [];
  // A chunk may be a view of a buffer that is used again.
  for await (const chunk of told(bytes, what, signal)) chunks.push(chunk.slice());
  return Buffer.concat(chunks);
}

async function* told(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    signal?.throwIfAborted();
    throw errorOf(error, what);
  }
}

function errorOf(error: unknown, what: string): Error {
  if (hasCode(error, 'LINK_BLOB_REFUSED')) return decodeRefusal(String(error.facts['text']), error);
  const problem = messageOf(error);
  if (hasCode(error, 'LINK_TOO_MANY_STREAMS')) {
    return imageErrors.UNAVAILABLE({ where: THE_CLOUD, what, problem }, { cause: error });
  }
  return imageErrors.UNREACHABLE({ where: THE_CLOUD, problem }, { cause: error });
}
