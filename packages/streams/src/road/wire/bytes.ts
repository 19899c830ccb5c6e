/** Numbers and texts as bytes: seven bits a byte, lowest first. What is read is checked: a length that is only claimed costs nothing. */

const FIRST_BYTES = 256;
/** A varint above 2^53 - 1 is a mistake. */
const MAX_VARINT_BYTES = 8;
const HIGH = 0x80;

export class ByteWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  varint(value: number): void {
    if (this.#length + MAX_VARINT_BYTES > this.#bytes.length) this.#grow(MAX_VARINT_BYTES);
    let rest = value;
    // Shifts take 32 bits only.
    for (; rest >= 2 ** 31; rest = Math.floor(rest / HIGH)) this.#bytes[this.#length++] = (rest % HIGH) | HIGH;
    for (; rest >= HIGH; rest >>>= 7) this.#bytes[this.#length++] = (rest & 0x7f) | HIGH;
    this.#bytes[this.#length++] = rest;
  }

  /** Small numbers of either sign are short. Its amount is below 2^52. */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  bytes(value: Uint8Array): void {
    if (this.#length + value.length > this.#bytes.length) this.#grow(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  block(value: Uint8Array): void {
    this.varint(value.length);
    this.bytes(value);
  }

  text(value: string): void {
    this.block(Buffer.from(value));
  }

  float64(value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.bytes(bytes);
  }

  /** A view of what was written. */
  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(by: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + by));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw new RangeError('it ends too early');
    return value;
  }

  varint(): number {
    let byte = this.byte();
    if (byte < HIGH) return byte;
    let value = byte & 0x7f;
    for (let count = 1, unit = HIGH; ; count++, unit *= HIGH) {
      if (count === MAX_VARINT_BYTES) throw new RangeError('a number is too long');
      byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (byte < HIGH) break;
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a number is too large');
    return value;
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(length: number): Uint8Array {
    if (length > this.left) throw new RangeError('it ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  block(): Uint8Array {
    return this.bytes(this.varint());
  }

  text(): string {
    return Buffer.from(this.block()).toString();
  }

  float64(): number {
    const bytes = this.bytes(8);
    return Buffer.from(bytes.buffer, bytes.byteOffset, 8).readDoubleLE();
  }

  rest(): Uint8Array {
    return this.bytes(this.left);
  }
}
