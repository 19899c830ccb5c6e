/**
 * How much of the bulk lane may be on its way: what the path carries while a message goes there and its credit comes back, and a
 * little more that keeps the path busy. More would be sent twice when the path breaks, and would hold up the lanes above in
 * whatever buffer stands before the narrowest place.
 */
import {
  BULK_MAX_WINDOW_BYTES,
  BULK_MEASURE_BYTES,
  BULK_MEASURE_EVERY_MS,
  BULK_MIN_PIECE_BYTES,
  BULK_MIN_WINDOW_BYTES,
  BULK_QUEUE_MS,
  MAX_STREAM_MESSAGE_BYTES,
} from '../limits.ts';

interface Sent {
  cost: number;
  readonly at: number;
  readonly epoch: number;
}

export class BulkWindow {
  #bytes = BULK_MIN_WINDOW_BYTES;
  #onItsWay = 0;
  readonly #sent = new Map<number, Sent[]>();
  #generation: number;
  /** Times of messages from an earlier epoch say nothing: they waited behind a larger window, or on a path that is gone. */
  #epoch = 0;
  /** The shortest time there and back, when nothing waits. */
  #baseMs = Number.POSITIVE_INFINITY;
  #measureAt: number;
  /** The window to go back to once the time there and back is measured anew. */
  #resumeAt: number | undefined;
  /** A round lasts until one window of bytes was taken. What its bytes took, each of them, is added up. */
  #roundLength = BULK_MIN_WINDOW_BYTES;
  #roundBytes = 0;
  #roundByteMs = 0;
  #wasShut = false;
  /** Nothing has waited yet, so the path may carry a lot more. */
  #isStarting = true;

  constructor(generation: number, now: number) {
    this.#generation = generation;
    this.#measureAt = now + BULK_MEASURE_EVERY_MS;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get onItsWay(): number {
    return this.#onItsWay;
  }

  /** How large the pieces are that a source should be cut into: several to a window, so that none has to wait for all. */
  get pieceBytes(): number {
    const quarter = Math.floor(this.#bytes / 4 / BULK_MIN_PIECE_BYTES) * BULK_MIN_PIECE_BYTES;
    return Math.min(MAX_STREAM_MESSAGE_BYTES, Math.max(BULK_MIN_PIECE_BYTES, quarter));
  }

  /** A message may start while the window is open, and pass its end. */
  isOpen(): boolean {
    if (this.#onItsWay < this.#bytes) return true;
    this.#wasShut = true;
    return false;
  }

  /** `generation` counts the paths of the session. */
  onSent(id: number, cost: number, now: number, generation: number): void {
    this.#follow(generation);
    const sent = this.#sent.get(id) ?? [];
    this.#sent.set(id, sent);
    sent.push({ cost, at: now, epoch: this.#epoch });
    this.#onItsWay += cost;
  }

  /** The reader of stream `id` gave back `credit`: exactly what its oldest messages cost. */
  onTaken(id: number, credit: number, now: number, generation: number): void {
    this.#follow(generation);
    const sent = this.#sent.get(id) ?? [];
    let left = credit;
    for (let first = sent[0]; first !== undefined && left > 0; first = sent[0]) {
      const taken = Math.min(left, first.cost);
      left -= taken;
      first.cost -= taken;
      this.#onItsWay -= taken;
      if (first.cost === 0) sent.shift();
      if (first.epoch === this.#epoch) this.#onTime(now - first.at, taken, now);
    }
  }

  /** The stream is gone, and what it had on its way counts no more. */
  forget(id: number): void {
    for (const { cost } of this.#sent.get(id) ?? []) this.#onItsWay -= cost;
    this.#sent.delete(id);
  }

  #follow(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#measure();
  }

  // With a large window the shortest time cannot be seen, since the window itself is what waits.
  #measure(): void {
    this.#resumeAt = Math.max(this.#resumeAt ?? 0, this.#bytes);
    this.#bytes = BULK_MIN_WINDOW_BYTES;
    this.#baseMs = Number.POSITIVE_INFINITY;
    this.#epoch++;
    this.#beginRound(BULK_MEASURE_BYTES);
  }

  #onTime(elapsedMs: number, bytes: number, now: number): void {
    const ms = Math.max(1, elapsedMs);
    this.#baseMs = Math.min(this.#baseMs, ms);
    this.#roundBytes += bytes;
    this.#roundByteMs += bytes * ms;
    if (this.#roundBytes < this.#roundLength) return;
    if (this.#resumeAt === undefined && now >= this.#measureAt) {
      this.#measure();
      return;
    }
    if (this.#resumeAt === undefined) this.#adapt(this.#roundByteMs / this.#roundBytes);
    else this.#resume(now);
    this.#beginRound(this.#bytes);
  }

  #resume(now: number): void {
    this.#bytes = this.#resumeAt ?? this.#bytes;
    this.#resumeAt = undefined;
    this.#measureAt = now + BULK_MEASURE_EVERY_MS;
  }

  /** Bytes a millisecond, as this round had it, times how long they should take; until something waits, twice the window. */
  #adapt(roundMs: number): void {
    const allowedMs = Math.max(BULK_QUEUE_MS, this.#baseMs / 4);
    if (roundMs - this.#baseMs >= allowedMs / 2) this.#isStarting = false;
    const wanted = this.#isStarting ? 2 * this.#bytes : (this.#bytes / roundMs) * (this.#baseMs + allowedMs);
    // A source that does not fill its window says nothing about a larger one.
    const most = this.#wasShut ? Math.min(BULK_MAX_WINDOW_BYTES, this.#bytes * 2) : this.#bytes;
    const least = Math.max(BULK_MIN_WINDOW_BYTES, this.#bytes / 2);
    this.#bytes = Math.min(most, Math.max(least, wanted));
  }

  #beginRound(length: number): void {
    this.#roundLength = length;
    this.#roundBytes = 0;
    this.#roundByteMs = 0;
    this.#wasShut = false;
  }
}
