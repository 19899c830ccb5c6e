import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { decompressZstd, isZstd } from './zstd-frames.ts';

async function decompress(sent: Buffer, pieceBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < sent.length; at += pieceBytes) pieces.push(sent.subarray(at, at + pieceBytes));
  const chunks: Buffer[] = [];
  for await (const chunk of decompressZstd(Readable.from(pieces))) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What no decoder shows: a skippable frame around some bytes. */
function skippable(content: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a5e, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

const { ZSTD_c_checksumFlag, ZSTD_c_contentSizeFlag, ZSTD_c_compressionLevel } = constants;
const frame = fc.record({
  content: fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    // Repeated bytes, and more than a block holds.
    fc.tuple(fc.nat(255), fc.nat(300_000)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
  ),
  hasChecksum: fc.boolean(),
  saysSize: fc.boolean(),
  level: fc.integer({ min: 1, max: 19 }),
  skipped: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
});

test('frames are decoded one after the other, however they come in, and skippable ones are skipped', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(frame, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 70_000 }),
      async (frames, pieceBytes) => {
        const sent = frames.flatMap(({ content, hasChecksum, saysSize, level, skipped }) => {
          const params = {
            [ZSTD_c_checksumFlag]: Number(hasChecksum),
            [ZSTD_c_contentSizeFlag]: Number(saysSize),
            [ZSTD_c_compressionLevel]: level,
          };
          return [...(skipped === undefined ? [] : [skippable(skipped)]), zstdCompressSync(content, { params })];
        });
        assert.ok(isZstd(sent[0] ?? Buffer.alloc(0)));
        const expected = Buffer.concat(frames.map(({ content }) => content));
        assert.ok((await decompress(Buffer.concat(sent), pieceBytes)).equals(expected));
      },
    ),
    { numRuns: 60 },
  ));

test('what follows frames and is none is refused, and so is a frame that is cut off', async () => {
  const whole = zstdCompressSync(Buffer.from('some content'));
  await assert.rejects(decompress(Buffer.concat([whole, Buffer.from('rubbish')]), 1000), { code: /^ZSTD_/ });
  await assert.rejects(decompress(Buffer.concat([whole, whole.subarray(0, -3)]), 1000), { code: 'Z_BUF_ERROR' });
});
