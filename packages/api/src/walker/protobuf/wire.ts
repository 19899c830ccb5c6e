/** The wire format of protobuf: tags, varints, length-delimited bytes. Knows no kinds. */
import { badRequest } from '../errors.ts';

const VARINT = 0;
const FIXED_64 = 1;
export const BYTES = 2;
const FIXED_32 = 5;

const TWO_32 = 4_294_967_296;

/** Reads one message: a window of the body. */
export class Reader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Field number and wire type, still together: `tag >>> 3` and `tag & 7`. */
  tag(): number {
    const tag = this.#unsigned32();
    if (tag >>> 3 === 0) throw malformed('illegal tag 0');
    return tag;
  }

  bool(): boolean {
    return this.int64() !== 0;
  }

  /** Signed, 64 bits; beyond 2⁵³ it loses precision, as JSON numbers do. */
  int64(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    let low = first & 0x7f;
    let high = 0;
    for (let shift = 7; shift < 70; shift += 7) {
      const byte = this.#byte();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) return (high | 0) * TWO_32 + (low >>> 0);
    }
    throw malformed('integer overflow');
  }

  double(): number {
    const at = this.#skip(8);
    return this.#bytes.readDoubleLE(at);
  }

  string(): string {
    const length = this.#unsigned32();
    const at = this.#skip(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  bytes(): Buffer {
    const length = this.#unsigned32();
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  message(): Reader {
    const length = this.#unsigned32();
    const at = this.#skip(length);
    return new Reader(this.#bytes, at, at + length);
  }

  /** Passes over a field that nobody knows. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.int64();
        break;
      case FIXED_64:
        this.#skip(8);
        break;
      case BYTES:
        this.#skip(this.#unsigned32());
        break;
      case FIXED_32:
        this.#skip(4);
        break;
      default:
        throw malformed(`illegal wireType ${tag & 7}`);
    }
  }

  #byte(): number {
    const byte = this.#at < this.#end ? this.#bytes[this.#at++] : undefined;
    if (byte === undefined) throw malformed('unexpected EOF');
    return byte;
  }

  #unsigned32(): number {
    const value = this.int64();
    if (value < 0 || value >= TWO_32) throw malformed('invalid length');
    return value;
  }

  /** Moves past `length` bytes, and gives back where they began. */
  #skip(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw malformed('unexpected EOF');
    this.#at = at + length;
    return at;
  }
}

const FIRST_CAPACITY = 64;

/** Builds one message from its fields; an inner message is finished before it is added. */
export class Writer {
  #bytes = Buffer.allocUnsafe(FIRST_CAPACITY);
  #size = 0;

  varintField(number: number, value: number): void {
    this.#varint(number * 8 + VARINT);
    this.#varint(value);
  }

  doubleField(number: number, value: number): void {
    this.#varint(number * 8 + FIXED_64);
    this.#reserve(8);
    this.#size = this.#bytes.writeDoubleLE(value, this.#size);
  }

  bytesField(number: number, bytes: Uint8Array): void {
    this.#varint(number * 8 + BYTES);
    this.#varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  stringField(number: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.#varint(number * 8 + BYTES);
    this.#varint(length);
    this.#reserve(length);
    this.#size += this.#bytes.write(text, this.#size);
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Negative numbers take ten bytes: protobuf has them as 64 bits in two's complement. */
  #varint(value: number): void {
    this.#reserve(10);
    let low = (value % TWO_32) >>> 0;
    let high = Math.floor(value / TWO_32) >>> 0;
    while (high > 0 || low > 0x7f) {
      this.#bytes[this.#size++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#bytes[this.#size++] = low;
  }

  #reserve(length: number): void {
    if (this.#size + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#size + length));
    this.#bytes.copy(larger, 0, 0, this.#size);
    this.#bytes = larger;
  }
}

export function malformed(what: string): Error {
  return badRequest(`proto: ${what}`);
}
