/** Bytes to lines, however they come. Pure. */

export interface SplitLines {
  readonly lines: readonly Uint8Array[];
  /** Lines that were too long, and are left out. */
  readonly dropped: number;
}

const NOTHING = Buffer.alloc(0);

export class LineSplitter {
  readonly #delimiter: Buffer;
  readonly #maxBytes: number;
  #rest: Buffer = NOTHING;
  /** The line that goes on is already too long. */
  #isSkipping = false;

  constructor(delimiter: Uint8Array, maxBytes: number) {
    this.#delimiter = Buffer.from(delimiter);
    this.#maxBytes = maxBytes;
  }

  push(bytes: Uint8Array): SplitLines {
    const all = Buffer.concat([this.#rest, bytes]);
    const lines: Uint8Array[] = [];
    let [from, dropped] = [0, 0];
    for (let end = all.indexOf(this.#delimiter); end >= 0; end = all.indexOf(this.#delimiter, from)) {
      const line = all.subarray(from, end);
      if (this.#isSkipping || line.length > this.#maxBytes) dropped++;
      else lines.push(line);
      this.#isSkipping = false;
      from = end + this.#delimiter.length;
    }
    this.#keep(all.subarray(from));
    return { lines, dropped };
  }

  /** What began is the beginning of nothing. */
  clear(): void {
    this.#rest = NOTHING;
    this.#isSkipping = false;
  }

  /** Of a line that is too long only what may be the beginning of its delimiter. */
  #keep(rest: Buffer): void {
    const { length } = this.#delimiter;
    const isLong = this.#isSkipping || rest.length >= this.#maxBytes + length;
    this.#isSkipping = isLong;
    this.#rest = isLong ? Buffer.from(length > 1 ? rest.subarray(-(length - 1)) : NOTHING) : rest;
  }
}
