/** Puts together what was cut into pieces. Holds what has arrived, never what was announced. */
import { errors } from '../errors.ts';
import { concat } from './bytes.ts';

/** The size of a piece: small enough that a more urgent frame never waits long behind it. */
const PIECE_BYTES = 32 * 1024;

export class Assembly {
  readonly #limit: number;
  #pieces: Uint8Array[] | undefined;
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The whole, once its last piece is there. */
  add(piece: Uint8Array, more: boolean): Uint8Array | undefined {
    this.#size += piece.length;
    if (this.#size > this.#limit) throw errors.PROTOCOL({ detail: `batch exceeds ${this.#limit} bytes` });
    if (!more && this.#pieces === undefined) {
      this.#size = 0;
      return piece;
    }
    this.#pieces ??= [];
    // Copied, since a small piece would otherwise keep the whole message it came in.
    this.#pieces.push(more ? piece.slice() : piece);
    return more ? undefined : this.#finish(this.#pieces);
  }

  #finish(pieces: readonly Uint8Array[]): Uint8Array {
    const whole = concat(pieces, this.#size);
    this.#pieces = undefined;
    this.#size = 0;
    return whole;
  }
}

/** Cuts a batch into pieces and says of each whether more follow. */
export function* cut(batch: Uint8Array): Generator<{ readonly more: boolean; readonly piece: Uint8Array }> {
  let at = 0;
  do {
    const piece = batch.subarray(at, at + PIECE_BYTES);
    at += PIECE_BYTES;
    yield { more: at < batch.length, piece };
  } while (at < batch.length);
}
