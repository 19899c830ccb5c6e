/** Images in memory, and a source that gives them as badly as a test wants. */
import type { Descriptor, Digest, ImageReference, ImageSource } from '../contract.ts';
import { digestOf } from '../digest.ts';
import { imageErrors } from '../errors.ts';
import { MediaType } from '../manifest.ts';

export interface MemoryImage {
  readonly target: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly content: ReadonlyMap<Digest, Buffer>;
}

/** An image for one platform, whose layers are these bytes. */
export function memoryImage(layers: readonly Buffer[], config: object = {}): MemoryImage {
  const content = new Map<Digest, Buffer>();
  const add = (bytes: Buffer, mediaType: string): Descriptor => {
    const digest = digestOf(bytes);
    content.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const described = layers.map((bytes) => add(bytes, 'application/vnd.oci.image.layer.v1.tar'));
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  const rootfs = { type: 'layers', diff_ids: described.map(({ digest }) => digest) };
  const configuration = add(json({ os: 'linux', architecture: 'amd64', rootfs, ...config }), MediaType.config);
  const manifest = { schemaVersion: 2, mediaType: MediaType.manifest, config: configuration, layers: described };
  return { target: add(json(manifest), MediaType.manifest), config: configuration, layers: described, content };
}

export interface MemorySource extends ImageSource {
  /** Bytes of blobs that were sent, in all. */
  readonly sentBytes: number;
  /** What was asked for: `resolve`, `manifest`, `blob@OFFSET`. */
  readonly asked: readonly string[];
}

export interface SourceFaults {
  /** How many bytes a connection carries before it breaks. */
  readonly breakAfterBytes?: number;
  readonly change?: (digest: Digest, bytes: Buffer) => Buffer;
  /** Waits here before each blob. */
  readonly gate?: () => Promise<void>;
}

const CHUNK_BYTES = 16 * 1024;

export function memorySource(image: MemoryImage, { breakAfterBytes, change, gate }: SourceFaults = {}): MemorySource {
  const asked: string[] = [];
  let sentBytes = 0;
  const bytesOf = (digest: Digest): Buffer => {
    const bytes = image.content.get(digest);
    if (bytes === undefined) throw imageErrors.NOT_FOUND({ what: digest, where: 'memory' });
    return change?.(digest, bytes) ?? bytes;
  };
  return {
    asked,
    get sentBytes() {
      return sentBytes;
    },
    resolve: async () => {
      asked.push('resolve');
      return image.target;
    },
    manifest: async (_image: ImageReference, { digest }) => {
      asked.push('manifest');
      return bytesOf(digest);
    },
    async *blob(_image, { digest }, { offset = 0, signal } = {}) {
      asked.push(`blob@${offset}`);
      await gate?.();
      const bytes = bytesOf(digest);
      const end = breakAfterBytes === undefined ? bytes.length : Math.min(bytes.length, offset + breakAfterBytes);
      for (let at = offset; at < end; at += CHUNK_BYTES) {
        signal?.throwIfAborted();
        const chunk = bytes.subarray(at, Math.min(at + CHUNK_BYTES, end));
        sentBytes += chunk.length;
        yield chunk;
      }
      if (end < bytes.length) throw imageErrors.UNREACHABLE({ where: 'memory', problem: 'the connection broke' });
    },
  };
}
