/**
 * How much of what waited may be on its way: as much as keeps the narrowest place of the path busy, and little more, since what
 * stands before it is what a live value would wait for. The time that a piece takes beyond the shortest that was seen is its wait.
 */

const MIN_BYTES = 4 * 1024;
const MAX_BYTES = 1024 * 1024;
const FIRST_BYTES = 16 * 1024;
/** So long a piece may wait: below half of it the window grows, above all of it the window becomes what it should have been. */
const WAIT_MS = 100;
const GROWTH = 1.25;
/** The path may have become another. */
const FORGET_MS = 60_000;
/** Pieces of it that are on their way together. */
const PARTS = 4;

interface Piece {
  readonly end: number;
  readonly sentAt: number;
}

export class LateWindow {
  #bytes = FIRST_BYTES;
  #sent = 0;
  #got = 0;
  readonly #pieces: Piece[] = [];
  #shortest = Number.POSITIVE_INFINITY;
  #shortestOf = Number.NEGATIVE_INFINITY;
  /** What was sent before the window changed says nothing about the new one. */
  #changedAt = 0;

  get isOpen(): boolean {
    return this.#sent - this.#got < this.#bytes;
  }

  pieceBytes(limit: number): number {
    return Math.min(limit, Math.max(MIN_BYTES / PARTS, Math.floor(this.#bytes / PARTS)));
  }

  onSent(bytes: number, now: number): void {
    this.#sent += bytes;
    this.#pieces.push({ end: this.#sent, sentAt: now });
  }

  /** So many bytes have come since the session began. */
  onGot(bytes: number, now: number): void {
    const wasUsed = this.#sent - this.#got >= this.#bytes / 2;
    this.#got = Math.min(bytes, this.#sent);
    let last: Piece | undefined;
    while ((this.#pieces[0]?.end ?? Number.POSITIVE_INFINITY) <= this.#got) last = this.#pieces.shift();
    if (last === undefined) return;
    const took = Math.max(0, now - last.sentAt);
    if (took < this.#shortest || now - this.#shortestOf > FORGET_MS) {
      this.#shortest = took;
      this.#shortestOf = now;
    }
    if (last.end <= this.#changedAt) return;
    const waited = took - this.#shortest;
    // A window goes in the time that its pieces take: that is the path's rate.
    if (waited > WAIT_MS) this.#change((this.#bytes / took) * (this.#shortest + WAIT_MS / 2));
    else if (waited < WAIT_MS / 2 && wasUsed) this.#change(this.#bytes * GROWTH);
  }

  #change(bytes: number): void {
    this.#bytes = Math.min(MAX_BYTES, Math.max(MIN_BYTES, Math.round(bytes)));
    this.#changedAt = this.#sent;
  }
}
