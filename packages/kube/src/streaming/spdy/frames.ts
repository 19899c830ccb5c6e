/** SPDY/3.1 frames, the subset that Kubernetes' clients speak (SPDY Protocol Draft 3.1 §2.2, §2.6). Pure. */
import { streamingErrors } from '../errors.ts';

export const FrameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
export const FLAG_FIN = 0x01;

/** The largest frame taken from a client. Ours and spdystream's data frames are far smaller. */
const MAX_SPDY_FRAME_BYTES = 1024 * 1024;
const HEADER_BYTES = 8;
const VERSION = 3;

export type SpdyFrame =
  | { readonly kind: 'data'; readonly stream: number; readonly fin: boolean; readonly payload: Buffer }
  | { readonly kind: 'control'; readonly type: number; readonly flags: number; readonly payload: Buffer };

/** Cuts a byte stream into frames; keeps at most one unfinished frame. Throws when a length exceeds the limit. */
export class SpdyFrameParser {
  #pending: Buffer = Buffer.alloc(0);

  push(bytes: Uint8Array): SpdyFrame[] {
    this.#pending = this.#pending.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#pending, bytes]);
    const frames: SpdyFrame[] = [];
    let offset = 0;
    for (;;) {
      const end = frameEnd(this.#pending, offset);
      if (end === undefined) break;
      frames.push(parseFrame(this.#pending.subarray(offset, end)));
      offset = end;
    }
    this.#pending = this.#pending.subarray(offset);
    return frames;
  }
}

/** Where the frame at `offset` ends, or undefined while bytes are missing. */
function frameEnd(bytes: Buffer, offset: number): number | undefined {
  if (bytes.length - offset < HEADER_BYTES) return undefined;
  const size = bytes.readUIntBE(offset + 5, 3);
  if (size > MAX_SPDY_FRAME_BYTES) throw streamingErrors.FRAME_TOO_LARGE({ size, limit: MAX_SPDY_FRAME_BYTES });
  const end = offset + HEADER_BYTES + size;
  return end <= bytes.length ? end : undefined;
}

function parseFrame(bytes: Buffer): SpdyFrame {
  const word = bytes.readUInt32BE(0);
  const flags = bytes.readUInt8(4);
  // A copy, because the parser's buffer is reused while the payload may wait for a slow consumer.
  const payload = Buffer.from(bytes.subarray(HEADER_BYTES));
  if (word < 0x8000_0000) return { kind: 'data', stream: word, fin: (flags & FLAG_FIN) !== 0, payload };
  const version = (word >>> 16) & 0x7fff;
  if (version !== VERSION) throw streamingErrors.PROTOCOL({ problem: `SPDY version ${version}` });
  return { kind: 'control', type: word & 0xffff, flags, payload };
}

export function dataFrame(stream: number, payload: Uint8Array, fin = false): Buffer {
  return Buffer.concat([frameHeader(stream, fin ? FLAG_FIN : 0, payload.length), payload]);
}

export function controlFrame(type: number, flags: number, payload: Uint8Array): Buffer {
  return Buffer.concat([frameHeader(0x8000_0000 + (VERSION << 16) + type, flags, payload.length), payload]);
}

/** Control frames that carry 32-bit words only: RST_STREAM, PING, GOAWAY, WINDOW_UPDATE. */
export function wordsFrame(type: number, ...words: readonly number[]): Buffer {
  const payload = Buffer.alloc(words.length * 4);
  words.forEach((word, index) => {
    payload.writeUInt32BE(word >>> 0, index * 4);
  });
  return controlFrame(type, 0, payload);
}

function frameHeader(word: number, flags: number, size: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(word >>> 0);
  header.writeUInt8(flags, 4);
  header.writeUIntBE(size, 5, 3);
  return header;
}

export type SpdyHeaders = Readonly<Record<string, string>>;

/** Names are lower case on the wire; several values of a name are joined by NUL, of which we keep the first. */
export function parseHeaderBlock(block: Buffer): SpdyHeaders {
  const headers: Record<string, string> = Object.create(null);
  let offset = 4;
  const count = block.readUInt32BE(0);
  for (let index = 0; index < count; index++) {
    const name = readString(block, offset);
    const value = readString(block, offset + 4 + name.length);
    offset += 8 + name.length + value.length;
    headers[name] = value.split('\0')[0] ?? '';
  }
  return headers;
}

export function formatHeaderBlock(headers: SpdyHeaders): Buffer {
  const words = Object.entries(headers).flatMap(([name, value]) => [name.toLowerCase(), value]);
  const count = Buffer.alloc(4);
  count.writeUInt32BE(words.length / 2);
  const strings = words.map((word) => {
    const bytes = Buffer.alloc(4 + word.length);
    bytes.writeUInt32BE(word.length);
    bytes.write(word, 4, 'latin1');
    return bytes;
  });
  return Buffer.concat([count, ...strings]);
}

function readString(block: Buffer, offset: number): string {
  const size = offset + 4 <= block.length ? block.readUInt32BE(offset) : Number.MAX_SAFE_INTEGER;
  if (offset + 4 + size > block.length)
    throw streamingErrors.PROTOCOL({ problem: 'a header block that ends too early' });
  return block.toString('latin1', offset + 4, offset + 4 + size);
}
