/** Bytes of a chunk, written and read from front to end: varints, float64, and blocks that are compressed where that pays. */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** What shorter ones would win is not worth the time. */
const MIN_COMPRESSED_BYTES = 128;
const HIGH = 0x1_0000_0000;

export class ByteWriter {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Whole, not negative, up to 2^53. */
  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= HIGH) {
      this.#bytes[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    rest >>>= 0;
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  /** Whole, up to 2^52 on both sides of zero. */
  signed(value: number): void {
    this.varint(zigzag(value));
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A length and the bytes. */
  block(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** The reader knows how many bytes these are once they are expanded. */
  packed(bytes: Uint8Array): void {
    const smaller = bytes.length < MIN_COMPRESSED_BYTES ? bytes : zstdCompressSync(bytes);
    if (smaller.length < bytes.length) {
      this.block(smaller);
    } else {
      this.varint(0);
      this.raw(bytes);
    }
  }

  /** What was written so far; the writer must not be used any further. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Throws a RangeError where the bytes end too early. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw new RangeError('the bytes end too early');
    this.#at++;
    return value;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      if (scale > HIGH * HIGH) throw new RangeError('a number is too long');
    }
  }

  signed(): number {
    return unzigzag(this.varint());
  }

  float64(): number {
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('the bytes end too early');
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  block(): Uint8Array {
    return this.raw(this.varint());
  }

  packed(length: number): Uint8Array {
    const compressed = this.varint();
    if (compressed === 0) return this.raw(length);
    const bytes = zstdDecompressSync(this.raw(compressed), { maxOutputLength: Math.max(1, length) });
    if (bytes.length !== length) throw new RangeError('a block has another length');
    return bytes;
  }
}

export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
