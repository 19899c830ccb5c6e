/** Streams inside a session: opened by either side, credit both ways, ended or aborted. Travels on the telemetry or bulk lane. */
import { errors } from '../errors.ts';
import {
  BULK_CREDIT,
  BULK_MIN_PIECE_BYTES,
  LANE_BYTES,
  MAX_ABORT_TEXT_BYTES,
  MAX_BULK_STREAMS,
  MAX_STREAMS,
  STREAM_GROW_WITHIN_MS,
  STREAM_INITIAL_CREDIT,
  STREAM_MAX_CREDIT,
  STREAM_MESSAGE_COST,
  STREAM_PENDING_BYTES,
  STREAMS_GROWN_CREDIT,
} from '../limits.ts';
import { BulkWindow } from './bulk-window.ts';
import { cutText, decodeText } from './bytes.ts';
import type { Channel } from './channel.ts';
import { Lane } from './frame.ts';
import { FrameQueue } from './frame-queue.ts';
import type { StreamEffect, StreamEvent, StreamFrame } from './stream-events.ts';

interface Stream {
  readonly id: number;
  readonly lane: Lane;
  /** What we may still send; the message that uses it up may be larger than what is left. */
  credit: number;
  /** What the peer may still send, and what it may have on its way at most. */
  granted: number;
  window: number;
  consumed: number;
  grantedAt: number;
  readonly pending: FrameQueue;
  isWaiting: boolean;
  isEnding: boolean;
  isFinal: boolean;
  hasEnded: boolean;
  peerHasEnded: boolean;
  isAccepted: boolean;
}

type Out = { push(effect: StreamEffect): unknown };

const NO_STREAMS: ReadonlyMap<number, Stream> = new Map();

export class Streams {
  readonly #channel: Channel;
  /** Ours are odd at the edge and even at the hub; neither side uses one twice in a session. */
  #nextId: number;
  #lastPeerId = 0;
  #streams: Map<number, Stream> | undefined;
  #waiting: Stream[] | undefined;
  #grown = 0;
  /** There once something was sent on the bulk lane. */
  #bulk: BulkWindow | undefined;

  constructor(channel: Channel, side: 'edge' | 'hub') {
    this.#channel = channel;
    this.#nextId = side === 'edge' ? 1 : 2;
  }

  get count(): number {
    return this.#streams?.size ?? 0;
  }

  /** How large the pieces of what is sent on the bulk lane should be. */
  get pieceBytes(): number {
    return this.#bulk?.pieceBytes ?? BULK_MIN_PIECE_BYTES;
  }

  /** The identifier for the next stream to open from here; undefined when there are too many. */
  takeId(lane: Lane = Lane.telemetry): number | undefined {
    if (this.#isFull(this.#nextId, lane)) return undefined;
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  /** True when `send` should wait for `stream-room`. */
  isBlocked(id: number): boolean {
    return (this.#find(id)?.pending.count ?? 0) > 0;
  }

  onEvent(event: StreamEvent, now: number, out: Out): void {
    switch (event.type) {
      case 'stream-open':
        this.#add(event.id, event.lane ?? Lane.telemetry, now);
        this.#control({ type: 'open', id: event.id, lane: event.lane ?? Lane.telemetry, header: event.header });
        return;
      case 'stream-accept':
        this.#accept(event.id);
        return;
      case 'stream-send':
        this.#send(event.id, event.bytes, now, out);
        return;
      case 'stream-end':
        this.#end(event.id, event.isFinal ?? false, out);
        return;
      case 'stream-abort':
        this.#abort(event.id, event.text, out);
        return;
      case 'stream-consumed':
        this.#onConsumed(event.id, event.bytes, now);
        return;
    }
  }

  onFrame(frame: StreamFrame, now: number, out: Out): void {
    if (frame.type === 'open') {
      this.#onOpen(frame, now, out);
      return;
    }
    const stream = this.#find(frame.id);
    if (stream === undefined) {
      this.#checkWasOpen(frame.id);
      return;
    }
    switch (frame.type) {
      case 'accept':
        this.#onAccept(stream, out);
        return;
      case 'data':
        this.#onData(stream, frame.bytes, out);
        return;
      case 'credit':
        this.#onCredit(stream, frame.bytes, now, out);
        return;
      case 'end':
        this.#onEnd(stream, frame.isFinal, out);
        return;
      case 'abort':
        this.#remove(stream);
        out.push({ type: 'stream-aborted', id: stream.id, text: decodeText(frame.text) });
        return;
    }
  }

  /** Moves waiting messages into their lanes, one of each stream in turn; true when something moved. */
  fill(now: number, out: Out): boolean {
    let moved = false;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const stream of waiting) {
      if (this.#moveOne(stream, now)) moved = true;
      stream.isWaiting = false;
      this.#settle(stream, out);
    }
    return moved;
  }

  /** Every stream is lost with its session. */
  abortAll(text: string, out: Out): void {
    for (const { id } of this.#streams?.values() ?? []) out.push({ type: 'stream-aborted', id, text });
    this.#streams = undefined;
    this.#waiting = undefined;
    this.#grown = 0;
    this.#bulk = undefined;
  }

  #onOpen(frame: Extract<StreamFrame, { type: 'open' }>, now: number, out: Out): void {
    const { id, lane, header } = frame;
    if (this.#isOurs(id) || id <= this.#lastPeerId) throw errors.PROTOCOL({ detail: `stream ${id} reused` });
    this.#lastPeerId = id;
    if (this.#isFull(id, lane)) {
      this.#control({ type: 'abort', id, text: cutText('too many streams', MAX_ABORT_TEXT_BYTES) });
      return;
    }
    this.#add(id, lane, now);
    out.push({ type: 'stream-opened', id, lane, header });
  }

  #onAccept(stream: Stream, out: Out): void {
    if (!this.#isOurs(stream.id)) throw errors.PROTOCOL({ detail: `stream ${stream.id} accepted by its opener` });
    if (!stream.isAccepted) out.push({ type: 'stream-accepted', id: stream.id });
    stream.isAccepted = true;
  }

  #accept(id: number): void {
    const stream = this.#find(id);
    if (stream === undefined || stream.isAccepted || this.#isOurs(id)) return;
    stream.isAccepted = true;
    this.#control({ type: 'accept', id });
  }

  #send(id: number, bytes: Uint8Array, now: number, out: Out): void {
    const stream = this.#find(id);
    if (stream === undefined || stream.isEnding) return;
    this.#accept(id);
    stream.pending.push(bytes);
    if (stream.pending.bytes > STREAM_PENDING_BYTES) {
      this.#abort(id, 'sender did not wait for room', out);
      out.push({ type: 'stream-aborted', id, text: `more than ${STREAM_PENDING_BYTES} bytes wait to be sent` });
      return;
    }
    if (!stream.isWaiting && stream.pending.count === 1) this.#moveOne(stream, now);
    this.#settle(stream);
  }

  #end(id: number, isFinal: boolean, out: Out): void {
    const stream = this.#find(id);
    if (stream === undefined) return;
    if (stream.isEnding) {
      if (isFinal) this.#finish(stream, out);
      return;
    }
    this.#accept(id);
    stream.isEnding = true;
    stream.isFinal = isFinal;
    this.#settle(stream, out);
  }

  /** Ended before, and now nothing is read any more either. */
  #finish(stream: Stream, out: Out): void {
    stream.isFinal = true;
    if (!stream.hasEnded) return;
    this.#channel.send(stream.lane, { type: 'end', id: stream.id, isFinal: true });
    this.#close(stream, out);
  }

  #abort(id: number, text: string, out: Out): void {
    const stream = this.#find(id);
    if (stream === undefined) return;
    this.#remove(stream);
    this.#control({ type: 'abort', id, text: cutText(text, MAX_ABORT_TEXT_BYTES) });
    out.push({ type: 'stream-closed', id });
  }

  #onData(stream: Stream, bytes: Uint8Array, out: Out): void {
    if (stream.granted <= 0 || stream.peerHasEnded) {
      throw errors.PROTOCOL({ detail: `stream ${stream.id} sent beyond its credit` });
    }
    stream.granted -= bytes.length + STREAM_MESSAGE_COST;
    out.push({ type: 'stream-data', id: stream.id, bytes });
  }

  #onConsumed(id: number, bytes: number, now: number): void {
    const stream = this.#find(id);
    if (stream === undefined || stream.peerHasEnded) return;
    stream.consumed += bytes + STREAM_MESSAGE_COST;
    // On the bulk lane every message is given back by itself: that tells its sender what the path carries.
    if (stream.lane !== Lane.bulk && stream.consumed < stream.window / 2) return;
    if (stream.lane !== Lane.bulk && now - stream.grantedAt < STREAM_GROW_WITHIN_MS) this.#grow(stream);
    this.#control({ type: 'credit', id, bytes: stream.consumed });
    stream.granted += stream.consumed;
    stream.consumed = 0;
    stream.grantedAt = now;
  }

  #grow(stream: Stream): void {
    const more = Math.min(stream.window, STREAM_MAX_CREDIT - stream.window, STREAMS_GROWN_CREDIT - this.#grown);
    if (more <= 0) return;
    this.#grown += more;
    stream.window += more;
    stream.consumed += more;
  }

  #onEnd(stream: Stream, isFinal: boolean, out: Out): void {
    if (stream.peerHasEnded && !isFinal) throw errors.PROTOCOL({ detail: `stream ${stream.id} ended twice` });
    if (!stream.peerHasEnded) out.push({ type: 'stream-ended', id: stream.id });
    stream.peerHasEnded = true;
    if (isFinal) this.#close(stream, out);
    else this.#closeWhenDone(stream, out);
  }

  #onCredit(stream: Stream, bytes: number, now: number, out: Out): void {
    stream.credit += bytes;
    if (stream.lane === Lane.bulk) this.#bulk?.onTaken(stream.id, bytes, now, this.#channel.generation);
    if (stream.isWaiting || stream.pending.count === 0) return;
    this.#moveOne(stream, now);
    this.#settle(stream, out);
  }

  /** Invariant: a message leaves its stream only into a lane with room and against credit. */
  #moveOne(stream: Stream, now: number): boolean {
    if (!this.#canMove(stream)) return false;
    const bytes = stream.pending.shift();
    if (bytes === undefined) return false;
    const cost = bytes.length + STREAM_MESSAGE_COST;
    stream.credit -= cost;
    if (stream.lane === Lane.bulk) this.#noteBulk(stream.id, cost, now);
    this.#channel.send(stream.lane, { type: 'data', id: stream.id, bytes });
    return true;
  }

  #canMove(stream: Stream): boolean {
    if (stream.credit <= 0 || this.#channel.laneBytes(stream.lane) >= LANE_BYTES) return false;
    return stream.lane !== Lane.bulk || this.#bulk === undefined || this.#bulk.isOpen();
  }

  #noteBulk(id: number, cost: number, now: number): void {
    const { generation } = this.#channel;
    this.#bulk ??= new BulkWindow(generation, now);
    this.#bulk.onSent(id, cost, now, generation);
  }

  /** After something moved or was added: wait for the lane, tell the sender, or end. Without `out` the sender knows already. */
  #settle(stream: Stream, out?: Out): void {
    if (!this.#streams?.has(stream.id)) return;
    if (stream.pending.count > 0) {
      // Without credit there is nothing to wait for in the lane: the next credit frame wakes the stream.
      if (stream.credit > 0 && !stream.isWaiting) {
        stream.isWaiting = true;
        this.#waiting ??= [];
        this.#waiting.push(stream);
      }
      return;
    }
    out?.push({ type: 'stream-room', id: stream.id });
    if (!stream.isEnding || stream.hasEnded) return;
    stream.hasEnded = true;
    this.#channel.send(stream.lane, { type: 'end', id: stream.id, isFinal: stream.isFinal });
    if (out !== undefined) this.#closeWhenDone(stream, out);
  }

  #closeWhenDone(stream: Stream, out: Out): void {
    if (stream.hasEnded && (stream.peerHasEnded || stream.isFinal)) this.#close(stream, out);
  }

  #close(stream: Stream, out: Out): void {
    this.#remove(stream);
    out.push({ type: 'stream-closed', id: stream.id });
  }

  #add(id: number, lane: Lane, now: number): void {
    const window = creditOf(lane);
    // On the bulk lane only the answerer sends: an opener has said it all in the header.
    const isOneWay = lane === Lane.bulk;
    const isOurs = this.#isOurs(id);
    this.#streams ??= new Map();
    this.#streams.set(id, {
      id,
      lane,
      credit: isOneWay && isOurs ? 0 : window,
      granted: isOneWay && !isOurs ? 0 : window,
      window,
      consumed: 0,
      grantedAt: now,
      pending: new FrameQueue(),
      isWaiting: false,
      isEnding: false,
      isFinal: false,
      hasEnded: false,
      peerHasEnded: false,
      isAccepted: false,
    });
  }

  #remove(stream: Stream): void {
    this.#grown -= stream.window - creditOf(stream.lane);
    this.#bulk?.forget(stream.id);
    stream.pending.clear();
    this.#streams?.delete(stream.id);
    if (this.#streams?.size === 0) this.#streams = undefined;
  }

  #find(id: number): Stream | undefined {
    return (this.#streams ?? NO_STREAMS).get(id);
  }

  /** Whether the side that `id` belongs to has too many open. */
  #isFull(id: number, lane: Lane): boolean {
    let count = 0;
    for (const stream of this.#streams?.values() ?? []) {
      if (stream.id % 2 === id % 2 && (lane !== Lane.bulk || stream.lane === lane)) count++;
    }
    return count >= (lane === Lane.bulk ? MAX_BULK_STREAMS : MAX_STREAMS);
  }

  #checkWasOpen(id: number): void {
    const wasOpen = this.#isOurs(id) ? id < this.#nextId : id <= this.#lastPeerId;
    if (id < 1 || !wasOpen) throw errors.PROTOCOL({ detail: `stream ${id} was never opened` });
  }

  #isOurs(id: number): boolean {
    return id % 2 === this.#nextId % 2;
  }

  #control(frame: StreamFrame): void {
    this.#channel.send(Lane.control, frame);
  }
}

function creditOf(lane: Lane): number {
  return lane === Lane.bulk ? BULK_CREDIT : STREAM_INITIAL_CREDIT;
}
