/** Layers are looked through before the runtime unpacks them, which it does without any bound of its own. */
import { createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf } from '@skerry/base';
import { type BlobStore, type Descriptor, imageErrors } from '../../../images/index.ts';
import { DEFAULT_BOUNDS, Meter } from '../../../images/unpack/bounds.ts';
import { decompressZstd, isZstd } from '../../../images/unpack/zstd-frames.ts';

const GZIP = Buffer.from([0x1f, 0x8b]);
const MAGIC_BYTES = 4;

export interface LayeredImage {
  readonly layers: readonly Descriptor[];
  /** Hashes of the layers without compression, in the same order. */
  readonly diffIds: readonly string[];
}

/** Throws INVALID_MANIFEST for a layer that unpacks to far more than it is, or to something else than the image says. */
export async function checkLayers(blobs: BlobStore, { layers, diffIds }: LayeredImage): Promise<void> {
  const meter = new Meter(DEFAULT_BOUNDS);
  for (const [index, layer] of layers.entries()) {
    const fail = (problem: string) => imageErrors.INVALID_MANIFEST({ what: `layer ${layer.digest}`, problem });
    meter.beginLayer(layer.size);
    const hash = createHash('sha256');
    try {
      for await (const chunk of await plainContent(blobs, layer)) {
        meter.addBytes(chunk.length);
        hash.update(chunk);
      }
    } catch (cause) {
      throw fail(messageOf(cause));
    }
    const actual = `sha256:${hash.digest('hex')}`;
    if (actual !== diffIds[index]) throw fail(`it unpacks to ${actual}, and the image says ${diffIds[index]}`);
  }
}

async function plainContent(blobs: BlobStore, { digest }: Descriptor): Promise<AsyncIterable<Buffer>> {
  const start: Buffer[] = [];
  for await (const chunk of blobs.read(digest, { length: MAGIC_BYTES })) start.push(Buffer.from(chunk));
  const magic = Buffer.concat(start);
  const content = Readable.from(blobs.read(digest));
  if (isZstd(magic)) return decompressZstd(content);
  if (!magic.subarray(0, GZIP.length).equals(GZIP)) return content;
  return pipeline(content, createGunzip(), () => {});
}
