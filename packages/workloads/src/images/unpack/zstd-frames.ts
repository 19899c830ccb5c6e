/**
 * Content that zstd has compressed in several frames, as for layers whose files are to be fetched one by one. Node's decoder goes on
 * with the next frame only when that begins a chunk of its own.
 */
import { pipeline, type Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';

const FRAME = 0xfd2fb528;
/** The lowest four bits are anybody's: such a frame holds what is no content. */
const SKIPPABLE_FRAME = 0x184d2a50;
/** In a frame's header, by the two bits that say so. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const CHECKSUM_BYTES = 4;
/** Of blocks: one byte, over and over. */
const REPEATED_BYTE = 1;

/** The first four bytes say it. */
export function isZstd(start: Buffer): boolean {
  if (start.length < 4) return false;
  return start.readUInt32LE() === FRAME || isSkippable(start.readUInt32LE());
}

/** Whoever reads it hears of a failure by the stream itself. */
export function decompressZstd(content: Readable): Readable {
  return pipeline(content, splitAtFrames, createZstdDecompress(), () => {});
}

/** The same bytes; no piece holds the end of a frame and the begin of the next. */
async function* splitAtFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const walk = walkFrames();
  let part: Part = walk.next(Buffer.alloc(0)).value;
  let left = part.bytes;
  let seen: Buffer[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let at = 0; at < chunk.length; ) {
      const bytes = chunk.subarray(at, at + left);
      if (part.isLookedAt) seen.push(bytes);
      left -= bytes.length;
      at += bytes.length;
      while (left === 0) {
        part = walk.next(Buffer.concat(seen)).value;
        left = part.bytes;
        seen = [];
        if (!part.beginsFrame || at === start) continue;
        yield chunk.subarray(start, at);
        start = at;
      }
    }
    if (start < chunk.length) yield chunk.subarray(start);
  }
}

interface Part {
  readonly bytes: number;
  /** What comes behind it depends on what it says. */
  readonly isLookedAt: boolean;
  readonly beginsFrame: boolean;
}

const look = (bytes: number): Part => ({ bytes, isLookedAt: true, beginsFrame: false });
const pass = (bytes: number): Part => ({ bytes, isLookedAt: false, beginsFrame: false });
const MAGIC: Part = { bytes: 4, isLookedAt: true, beginsFrame: true };

/** The parts of frames in order (RFC 8878, section 3.1); is given each that it looks at. What is no frame is the decoder's to refuse. */
function* walkFrames(): Generator<Part, never, Buffer> {
  for (;;) {
    const magic = (yield MAGIC).readUInt32LE();
    if (isSkippable(magic)) yield pass((yield look(4)).readUInt32LE());
    else if (magic === FRAME) yield* walkFrame();
    else yield pass(Number.POSITIVE_INFINITY);
  }
}

function* walkFrame(): Generator<Part, void, Buffer> {
  const descriptor = (yield look(1)).readUInt8();
  yield pass(headerBytes(descriptor));
  for (let isLast = false; !isLast; ) {
    const header = (yield look(3)).readUIntLE(0, 3);
    isLast = (header & 1) === 1;
    yield pass(((header >> 1) & 3) === REPEATED_BYTE ? 1 : header >> 3);
  }
  if ((descriptor & 4) !== 0) yield pass(CHECKSUM_BYTES);
}

/** Behind the descriptor: the window, which a single segment does not have, the dictionary's id and the content's size. */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 32) !== 0;
  const sizeFlag = descriptor >> 6;
  const size = sizeFlag === 0 && isSingleSegment ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] ?? 0);
  return (isSingleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0) + size;
}

function isSkippable(magic: number): boolean {
  return magic >>> 4 === SKIPPABLE_FRAME >>> 4;
}
