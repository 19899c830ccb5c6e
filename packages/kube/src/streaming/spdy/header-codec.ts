/** Header blocks are compressed with one zlib context a direction, flushed at each block (SPDY Protocol Draft 3.1 §2.6.10.1). */
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { streamingErrors } from '../errors.ts';
import { spdyDictionary } from './dictionary.ts';
import { formatHeaderBlock, parseHeaderBlock, type SpdyHeaders } from './frames.ts';

/** What one compressed block may grow to. */
const MAX_HEADER_BLOCK_BYTES = 64 * 1024;

/** Both contexts of one connection. Calls must not overlap: the contexts are stateful. */
export class HeaderCodec implements Disposable {
  #inflate: Inflate = createInflate({ dictionary: spdyDictionary(), flush: constants.Z_SYNC_FLUSH });
  #deflate: Deflate = createDeflate({ dictionary: spdyDictionary(), flush: constants.Z_SYNC_FLUSH });

  async decode(compressed: Uint8Array): Promise<SpdyHeaders> {
    return parseHeaderBlock(await pass(this.#inflate, compressed));
  }

  encode(headers: SpdyHeaders): Promise<Buffer> {
    return pass(this.#deflate, formatHeaderBlock(headers));
  }

  [Symbol.dispose](): void {
    this.#inflate.destroy();
    this.#deflate.destroy();
  }
}

/** Sends bytes through a zlib stream and collects what comes out up to the flush. */
function pass(stream: Inflate | Deflate, input: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_HEADER_BLOCK_BYTES)
        settle(streamingErrors.FRAME_TOO_LARGE({ size, limit: MAX_HEADER_BLOCK_BYTES }));
      else chunks.push(chunk);
    };
    const settle = (error?: Error | null) => {
      stream.off('data', onData);
      stream.off('error', settle);
      if (error)
        reject(streamingErrors.PROTOCOL({ problem: 'a header block that does not inflate' }, { cause: error }));
      else resolve(Buffer.concat(chunks));
    };
    stream.on('data', onData);
    stream.on('error', settle);
    // The flush marker is queued behind the input, so its callback comes when all output of this block has been read.
    stream.write(input, () => stream.flush(constants.Z_SYNC_FLUSH, () => setImmediate(settle)));
  });
}
