/** The edge's half of state sync and outbox inside one session. */
import type { OutboxEntry, Position } from '../contract.ts';
import { errors } from '../errors.ts';
import {
  LANE_BYTES,
  OUTBOX_READ_LIMIT,
  OUTBOX_WINDOW_BYTES,
  OUTBOX_WINDOW_ENTRIES,
  STATE_WINDOW_BYTES,
} from '../limits.ts';
import { Assembly, cut } from './assembly.ts';
import {
  decodeState,
  encodeOutbox,
  encodeVersions,
  type HeldVersion,
  MAX_STATE_BATCH_BYTES,
  type StateBatch,
} from './batch.ts';
import type { Channel } from './channel.ts';
import { Lane, type SessionFrame } from './frame.ts';
import { unexpected } from './path-frames.ts';

export type EdgeSyncEffect =
  /** Store the batch, then say `applied` with `bytes`. */
  | { readonly type: 'apply'; readonly batch: StateBatch; readonly bytes: number }
  /** Level with the cloud once all batches before are applied; `position` is there when it differs from the last. */
  | { readonly type: 'current'; readonly position: Position | undefined }
  /** Give the next keys and versions with `versions`; `restart` begins anew. */
  | { readonly type: 'versions-wanted'; readonly restart: boolean }
  | { readonly type: 'outbox-read'; readonly after: number; readonly limit: number }
  | { readonly type: 'outbox-acknowledge'; readonly seq: number };

export type EdgeSyncEvent =
  | { readonly type: 'applied'; readonly bytes: number }
  | { readonly type: 'versions'; readonly versions: readonly HeldVersion[]; readonly more: boolean }
  | { readonly type: 'outbox-appended' }
  | { readonly type: 'outbox-entries'; readonly entries: readonly OutboxEntry[] };

type Out = { push(effect: EdgeSyncEffect): unknown };

const NO_ENTRIES: readonly OutboxEntry[] = [];

export class EdgeSync {
  readonly #channel: Channel;
  readonly #assembly = new Assembly(MAX_STATE_BATCH_BYTES);
  #unapplied = 0;
  #isCurrent = false;
  #givesVersions = false;
  #outbox: 'unknown' | 'reading' | 'drained' = 'unknown';
  #appendedMeanwhile = false;
  #readUpTo = 0;
  #held: readonly OutboxEntry[] = NO_ENTRIES;
  #inFlight: { readonly seq: number; readonly bytes: number; readonly entries: number }[] = [];
  #inFlightBytes = 0;
  #inFlightEntries = 0;

  constructor(channel: Channel, position: Position) {
    this.#channel = channel;
    channel.send(Lane.control, { type: 'sync', position });
  }

  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  onFrame(frame: SessionFrame, out: Out): void {
    switch (frame.type) {
      case 'state':
        this.#onState(frame.piece, frame.more, out);
        return;
      case 'current':
        this.#isCurrent = true;
        out.push({ type: 'current', position: frame.position.length > 0 ? frame.position : undefined });
        return;
      case 'ask-versions':
        this.#givesVersions = true;
        out.push({ type: 'versions-wanted', restart: true });
        return;
      case 'outbox-ack':
        this.#onOutboxAck(frame.seq, out);
        return;
      default:
        throw unexpected(frame);
    }
  }

  onEvent(event: EdgeSyncEvent): void {
    switch (event.type) {
      case 'applied':
        this.#unapplied -= event.bytes;
        this.#channel.send(Lane.control, { type: 'applied', bytes: event.bytes });
        return;
      case 'versions':
        this.#sendVersions(event.versions, event.more);
        return;
      case 'outbox-appended':
        if (this.#outbox === 'reading') this.#appendedMeanwhile = true;
        else this.#outbox = 'unknown';
        return;
      case 'outbox-entries':
        this.#onEntries(event.entries);
        return;
    }
  }

  /** Sends or reads what there is room for; true when something was sent. */
  fill(out: Out): boolean {
    if (this.#givesVersions && this.#channel.laneBytes(Lane.state) < LANE_BYTES) {
      this.#givesVersions = false;
      out.push({ type: 'versions-wanted', restart: false });
    }
    if (!this.#hasOutboxRoom()) return false;
    if (this.#held.length > 0) {
      this.#sendBatch();
      return true;
    }
    if (this.#outbox === 'unknown') {
      this.#outbox = 'reading';
      out.push({ type: 'outbox-read', after: this.#readUpTo, limit: OUTBOX_READ_LIMIT });
    }
    return false;
  }

  #onState(piece: Uint8Array, more: boolean, out: Out): void {
    const batch = this.#assembly.add(piece, more);
    if (batch === undefined) return;
    // Invariant: what is not applied stays within the window, save for the one batch that passes its end.
    if (this.#unapplied >= STATE_WINDOW_BYTES) throw errors.PROTOCOL({ detail: 'state beyond its window' });
    this.#unapplied += batch.length;
    out.push({ type: 'apply', batch: decodeState(batch), bytes: batch.length });
  }

  #sendVersions(versions: readonly HeldVersion[], more: boolean): void {
    const pieces = [...cut(encodeVersions(versions))];
    for (const { piece, more: piecesFollow } of pieces) {
      this.#channel.send(Lane.state, { type: 'versions', more: more || piecesFollow, piece });
    }
    this.#givesVersions = more;
  }

  #hasOutboxRoom(): boolean {
    return (
      this.#inFlightBytes < OUTBOX_WINDOW_BYTES &&
      this.#inFlightEntries < OUTBOX_WINDOW_ENTRIES &&
      this.#channel.laneBytes(Lane.telemetry) < LANE_BYTES
    );
  }

  #onEntries(entries: readonly OutboxEntry[]): void {
    const last = entries.at(-1);
    this.#outbox = last === undefined && !this.#appendedMeanwhile ? 'drained' : 'unknown';
    this.#appendedMeanwhile = false;
    if (last === undefined) return;
    this.#held = entries;
    this.#readUpTo = last.seq;
  }

  #sendBatch(): void {
    const { batch, count } = encodeOutbox(this.#held);
    const last = this.#held[count - 1];
    if (last === undefined) return;
    this.#held = this.#held.slice(count);
    for (const piece of cut(batch)) this.#channel.send(Lane.telemetry, { type: 'outbox', ...piece });
    this.#inFlight.push({ seq: last.seq, bytes: batch.length, entries: count });
    this.#inFlightBytes += batch.length;
    this.#inFlightEntries += count;
  }

  #onOutboxAck(seq: number, out: Out): void {
    if (seq > this.#readUpTo) throw errors.PROTOCOL({ detail: `outbox entry ${seq} was never sent` });
    for (let first = this.#inFlight[0]; first !== undefined && first.seq <= seq; first = this.#inFlight[0]) {
      this.#inFlight.shift();
      this.#inFlightBytes -= first.bytes;
      this.#inFlightEntries -= first.entries;
    }
    out.push({ type: 'outbox-acknowledge', seq });
  }
}
