/** The marks of a store, and which of them came with the rows that are in the head now. */
import type { Mark } from './contract.ts';
import { seriesErrors } from './errors.ts';

const MAX_KEY_LENGTH = 256;
const MAX_VALUE_BYTES = 128;

export class Marks {
  readonly #limit: number;
  readonly #values = new Map<string, Uint8Array>();
  #fresh = new Map<string, Uint8Array>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key);
  }

  /** Throws where the mark is too large, or one too many. */
  check({ key, value }: Mark): void {
    if (key.length > MAX_KEY_LENGTH)
      throw seriesErrors.LIMIT({ limit: MAX_KEY_LENGTH, what: "characters of a mark's key" });
    if (value.length > MAX_VALUE_BYTES) throw seriesErrors.LIMIT({ limit: MAX_VALUE_BYTES, what: 'bytes of a mark' });
    if (this.#values.size >= this.#limit && !this.#values.has(key)) {
      throw seriesErrors.LIMIT({ limit: this.#limit, what: 'marks' });
    }
  }

  set({ key, value }: Mark): void {
    const copy = Uint8Array.from(value);
    this.#values.set(key, copy);
    this.#fresh.set(key, copy);
  }

  /** As the file has it. */
  restore(key: string, value: Uint8Array): void {
    this.#values.set(key, value);
  }

  /** Those that were set since this was last called: they are to be committed with the rows they came with, not before. */
  takeFresh(): ReadonlyMap<string, Uint8Array> {
    const fresh = this.#fresh;
    this.#fresh = new Map();
    return fresh;
  }
}
