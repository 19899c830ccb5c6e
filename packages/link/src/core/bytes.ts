/** Reading and writing the compact binary forms. Lengths are checked against what is there: nothing is allocated for a claim. */
import { errors } from '../errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Bytes that a number takes as varint: seven bits each, lowest first. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

export class ByteWriter {
  #bytes: Uint8Array;
  #size = 0;

  constructor(capacity = 32) {
    this.#bytes = new Uint8Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#size++] = value;
    return this;
  }

  /** A whole number from 0 to 2⁵³ − 1. */
  varint(value: number): this {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#size++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#size++] = rest;
    return this;
  }

  /** Bytes as they are, to the end of the frame. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
    return this;
  }

  /** Bytes behind their length. */
  block(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  /** Text as UTF-8 behind its length. */
  text(text: string): this {
    return this.block(encoder.encode(text));
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  #reserve(more: number): void {
    if (this.#size + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#size + more));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}

/** Reads from `bytes`; what it gives out are views, not copies. Throws LINK_PROTOCOL where the bytes end too soon. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    if (this.#at >= this.#end) throw truncated();
    return this.#bytes[this.#at++] ?? 0;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw errors.PROTOCOL({ detail: 'number beyond 2^53' });
      if (byte < 0x80) return value;
      if (scale >= 0x80 ** 7) throw errors.PROTOCOL({ detail: 'number of more than eight bytes' });
    }
  }

  take(size: number): Uint8Array {
    if (size > this.left) throw truncated();
    const view = this.#bytes.subarray(this.#at, this.#at + size);
    this.#at += size;
    return view;
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  block(limit: number): Uint8Array {
    const size = this.varint();
    if (size > limit) throw errors.PROTOCOL({ detail: `field of ${size} bytes, ${limit} allowed` });
    return this.take(size);
  }

  text(limit: number): string {
    return decodeText(this.block(limit));
  }
}

export function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw errors.PROTOCOL({ detail: 'text is not UTF-8' }, { cause });
  }
}

/** Cuts text to what fits `limit` bytes of UTF-8, at a whole character. */
export function cutText(text: string, limit: number): Uint8Array {
  const bytes = encoder.encode(text);
  if (bytes.length <= limit) return bytes;
  let end = limit;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

export function concat(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Takes the same time wherever the two differ, since one of them may be a secret. */
export function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let index = 0; index < left.length; index++) difference |= (left[index] ?? 0) ^ (right[index] ?? 0);
  return difference === 0;
}

const truncated = () => errors.PROTOCOL({ detail: 'frame ends too soon' });
