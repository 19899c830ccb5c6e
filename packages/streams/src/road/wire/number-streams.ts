/**
 * Small numbers of either sign, a byte each, sorted into streams by how large those of their column are on average: what stands
 * together is alike, and a Huffman code of its own for each stream comes close to what the numbers really say.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ByteReader, ByteWriter } from './bytes.ts';

/** By the bits of the mean: 0, 1, 2–3, … 128 and more. */
const LEVELS = 9;
/** What does not fit into a byte follows in a stream of its own. */
const ESCAPE = 255;
/** Streams that are small together are one: each has its cost. */
const SMALL_BYTES = 12 * 1024;

/** Counts, forms and levels; first times; first values; and what is written as it is. */
const STREAMS = LEVELS + 5;
const [HEAD, TIMES, VALUES, REST, ESCAPES] = [LEVELS, LEVELS + 1, LEVELS + 2, LEVELS + 3, LEVELS + 4];

export class NumberWriter {
  readonly #streams = Array.from({ length: STREAMS }, () => new ByteWriter());

  get head(): ByteWriter {
    return this.#at(HEAD);
  }

  get times(): ByteWriter {
    return this.#at(TIMES);
  }

  get values(): ByteWriter {
    return this.#at(VALUES);
  }

  get rest(): ByteWriter {
    return this.#at(REST);
  }

  /** The first `count` of them. */
  column(numbers: Float64Array, count: number): void {
    let sum = 0;
    for (let at = 0; at < count; at++) sum += Math.min(ESCAPE, zigzag(numbers[at] ?? 0));
    const level = Math.min(LEVELS - 1, 32 - Math.clz32(Math.round(sum / Math.max(1, count))));
    this.head.byte(level);
    const stream = this.#at(level);
    for (let at = 0; at < count; at++) {
      const number = zigzag(numbers[at] ?? 0);
      stream.byte(Math.min(ESCAPE, number));
      if (number >= ESCAPE) this.#at(ESCAPES).varint(number - ESCAPE);
    }
  }

  /** All of it, packed. */
  pack(): Uint8Array {
    const out = new ByteWriter();
    const sizes = this.#streams.map(({ length }) => length);
    const isSmall = sizes.reduce((sum, size) => sum + size, 0) < SMALL_BYTES;
    out.byte(isSmall ? 1 : 0);
    for (const size of sizes) out.varint(size);
    if (isSmall) out.bytes(packed(Buffer.concat(this.#streams.map((stream) => stream.take()))));
    else for (const stream of this.#streams) if (stream.length > 0) out.block(packed(stream.take()));
    return out.take();
  }

  #at(stream: number): ByteWriter {
    return this.#streams[stream] ?? new ByteWriter();
  }
}

export class NumberReader {
  readonly #streams: readonly ByteReader[];

  /** Unpacks at most so many bytes. */
  constructor(bytes: Uint8Array, limit: number) {
    const input = new ByteReader(bytes);
    const isSmall = input.byte() === 1;
    const sizes = Array.from({ length: STREAMS }, () => input.varint());
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (total > limit) throw new RangeError('a block is too large');
    if (isSmall) {
      const whole = new ByteReader(unpacked(input.rest(), total));
      this.#streams = sizes.map((size) => new ByteReader(whole.bytes(size)));
      return;
    }
    this.#streams = sizes.map((size) => new ByteReader(size === 0 ? new Uint8Array() : unpacked(input.block(), size)));
    if (!input.isAtEnd) throw new RangeError('a block is longer than it says');
  }

  get head(): ByteReader {
    return this.#at(HEAD);
  }

  get times(): ByteReader {
    return this.#at(TIMES);
  }

  get values(): ByteReader {
    return this.#at(VALUES);
  }

  get rest(): ByteReader {
    return this.#at(REST);
  }

  get isAtEnd(): boolean {
    return this.#streams.every((stream) => stream.isAtEnd);
  }

  column(numbers: Float64Array, count: number): void {
    const level = this.head.byte();
    if (level >= LEVELS) throw new RangeError('no such level');
    const stream = this.#at(level);
    for (let at = 0; at < count; at++) {
      const number = stream.byte();
      numbers[at] = signed(number < ESCAPE ? number : ESCAPE + this.#at(ESCAPES).varint());
    }
  }

  #at(stream: number): ByteReader {
    return this.#streams[stream] ?? new ByteReader(new Uint8Array());
  }
}

function zigzag(number: number): number {
  return number < 0 ? -2 * number - 1 : 2 * number;
}

function signed(number: number): number {
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
}

/** Noise matches by chance: short matches cost more than they save. */
const PACKING = {
  params: {
    [constants.ZSTD_c_compressionLevel]: 1,
    [constants.ZSTD_c_strategy]: constants.ZSTD_fast,
    [constants.ZSTD_c_minMatch]: 7,
  },
};

function packed(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, PACKING);
}

function unpacked(bytes: Uint8Array, size: number): Uint8Array {
  const whole = zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, size) });
  if (whole.length !== size) throw new RangeError('a block has another size than it says');
  return whole;
}
