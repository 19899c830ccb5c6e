/** The hub's half of state sync and outbox inside one session. */
import type { OutboxEntry, Position } from '../contract.ts';
import { errors } from '../errors.ts';
import { MAX_HELD_VERSIONS_BYTES, OUTBOX_WINDOW_BYTES, STATE_WINDOW_BYTES } from '../limits.ts';
import { Assembly, cut } from './assembly.ts';
import { decodeOutbox, decodeVersions, MAX_OUTBOX_BATCH_BYTES } from './batch.ts';
import { bytesEqual } from './bytes.ts';
import type { Channel } from './channel.ts';
import { Lane, type SessionFrame } from './frame.ts';
import { unexpected } from './path-frames.ts';

export type HubSyncEffect =
  /** The edge has said how far it is: start the feed. */
  | { readonly type: 'feed-wanted'; readonly position: Position }
  | { readonly type: 'versions'; readonly versions: ReadonlyMap<string, string> }
  /** The feed may send again. */
  | { readonly type: 'state-room' }
  /** Store the entries, then say `sunk` with `seq` and `bytes`. */
  | { readonly type: 'sink'; readonly entries: readonly OutboxEntry[]; readonly bytes: number };

export type HubSyncEvent =
  /** A batch made by `encodeState`, with the position it carries. */
  | { readonly type: 'state'; readonly batch: Uint8Array; readonly position: Position | undefined }
  | { readonly type: 'current'; readonly position: Position }
  | { readonly type: 'ask-versions' }
  | { readonly type: 'sunk'; readonly seq: number; readonly bytes: number };

type Out = { push(effect: HubSyncEffect): unknown };

const NOTHING = new Uint8Array(0);

export class HubSync {
  readonly #channel: Channel;
  #outbox: Assembly | undefined;
  #versions: Assembly | undefined;
  /** What the edge has or will have; not kept once the edge is level, since nothing is compared from then on. */
  #position: Position | undefined;
  #hasSynced = false;
  #unapplied = 0;
  #unsunk = 0;
  #lastEntry = 0;
  isCurrent = false;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** True when the feed should wait for `state-room`. */
  get isBlocked(): boolean {
    return this.#unapplied >= STATE_WINDOW_BYTES;
  }

  onFrame(frame: SessionFrame, out: Out): void {
    switch (frame.type) {
      case 'sync':
        if (this.#hasSynced) throw unexpected(frame);
        this.#hasSynced = true;
        this.#position = frame.position.slice();
        out.push({ type: 'feed-wanted', position: this.#position });
        return;
      case 'applied':
        this.#onApplied(frame.bytes, out);
        return;
      case 'versions':
        this.#onVersions(frame.piece, frame.more, out);
        return;
      case 'outbox':
        this.#onOutbox(frame.piece, frame.more, out);
        return;
      default:
        throw unexpected(frame);
    }
  }

  onEvent(event: HubSyncEvent): void {
    switch (event.type) {
      case 'state':
        this.#unapplied += event.batch.length;
        if (!this.isCurrent) this.#position = event.position ?? this.#position;
        for (const piece of cut(event.batch)) this.#channel.send(Lane.state, { type: 'state', ...piece });
        return;
      case 'current':
        this.#sendCurrent(event.position);
        return;
      case 'ask-versions':
        this.#versions = new Assembly(MAX_HELD_VERSIONS_BYTES);
        this.#channel.send(Lane.control, { type: 'ask-versions' });
        return;
      case 'sunk':
        this.#unsunk -= event.bytes;
        this.#channel.send(Lane.control, { type: 'outbox-ack', seq: event.seq });
        return;
    }
  }

  // A node that is back with nothing changed is told so in two bytes; the position it has is the position it gets.
  #sendCurrent(position: Position): void {
    const isKnown = this.#position !== undefined && bytesEqual(this.#position, position);
    this.#position = undefined;
    this.isCurrent = true;
    this.#channel.send(Lane.state, { type: 'current', position: isKnown ? NOTHING : position });
  }

  #onApplied(bytes: number, out: Out): void {
    const wasBlocked = this.isBlocked;
    this.#unapplied -= bytes;
    if (this.#unapplied < 0) throw errors.PROTOCOL({ detail: 'more state applied than was sent' });
    if (wasBlocked && !this.isBlocked) out.push({ type: 'state-room' });
  }

  #onVersions(piece: Uint8Array, more: boolean, out: Out): void {
    if (this.#versions === undefined) throw errors.PROTOCOL({ detail: 'nobody asked for versions' });
    const whole = this.#versions.add(piece, more);
    if (whole === undefined) return;
    this.#versions = undefined;
    out.push({ type: 'versions', versions: new Map(decodeVersions(whole)) });
  }

  #onOutbox(piece: Uint8Array, more: boolean, out: Out): void {
    this.#outbox ??= new Assembly(MAX_OUTBOX_BATCH_BYTES);
    const batch = this.#outbox.add(piece, more);
    if (batch === undefined) return;
    this.#outbox = undefined;
    if (this.#unsunk >= OUTBOX_WINDOW_BYTES) throw errors.PROTOCOL({ detail: 'outbox beyond its window' });
    this.#unsunk += batch.length;
    const entries = decodeOutbox(batch, this.#lastEntry);
    this.#lastEntry = entries.at(-1)?.seq ?? this.#lastEntry;
    out.push({ type: 'sink', entries, bytes: batch.length });
  }
}
