/** The part both sides share: numbered frames over the active path, acknowledged, repeated on another path when one fails. */
import { errors } from '../errors.ts';
import {
  ACK_DELAY_MS,
  ACK_EVERY_BYTES,
  ACK_EVERY_FRAMES,
  CONTROL_LANE_BYTES,
  PATH_BUFFER_BYTES,
  PATH_HARD_LIMIT_BYTES,
  SESSION_WINDOW_BYTES,
  SESSION_WINDOW_FRAMES,
  TARGET_WIRE_MESSAGE_BYTES,
} from '../limits.ts';
import { concat } from './bytes.ts';
import { encodeFrame, type Frame, Lane, type SessionFrame } from './frame.ts';
import { FrameQueue } from './frame-queue.ts';

/** A connection that belongs to the session. */
export interface Path {
  readonly id: number;
  readonly heartbeatMs: number;
  /** The number of the next session frame that arrives here; 0 until the peer switched to this path. */
  arriving: number;
  /** Written and not yet taken by the socket, in bytes. */
  buffered: number;
  readonly openedAt: number;
  heardAt: number;
  pingDueAt: number;
  pingNonce: number;
  pingSentAt: number;
  rttMs: number | undefined;
}

export type WriteEffect = { readonly type: 'write'; readonly path: number; readonly bytes: Uint8Array };

/** Control may use a little more of the window than the other lanes, so that it never waits for them. */
const CONTROL_WINDOW_BYTES = SESSION_WINDOW_BYTES + CONTROL_LANE_BYTES;

const EMPTY = new FrameQueue();

export class Channel {
  /** Replaced, not changed in place: an array grown by `push` keeps room for sixteen, and a hub holds ten thousand of these. */
  paths: readonly Path[] = [];
  /** Where session frames go out; undefined while there is no usable path. */
  active: Path | undefined;
  generation = 0;
  ackDueAt = Number.POSITIVE_INFINITY;
  #switchDue = false;
  #nextNumber = 1;
  #acknowledged = 0;
  /** The number of the next frame to put on the active path; lower than `#nextNumber` while a failover repeats. */
  #cursor = 1;
  readonly #unacknowledged = new FrameQueue();
  #received = 0;
  #receivedBytes = 0;
  #receivedAcknowledged = 0;
  /** By lane; made when the first frame waits and dropped with the last, since most sessions rest most of the time. */
  #lanes: (FrameQueue | undefined)[] | undefined;

  /** The number of the last session frame that arrived in order. */
  get received(): number {
    return this.#received;
  }

  laneBytes(lane: Lane): number {
    return this.#laneAt(lane).bytes;
  }

  addPath(id: number, heartbeatMs: number, now: number): Path {
    const pingDueAt = now + heartbeatMs;
    const times = { openedAt: now, heardAt: now, pingDueAt, pingSentAt: -1, rttMs: undefined };
    const path: Path = { id, heartbeatMs, arriving: 0, buffered: 0, pingNonce: 0, ...times };
    this.paths = [...this.paths, path];
    return path;
  }

  path(id: number): Path | undefined {
    return this.paths.find((path) => path.id === id);
  }

  removePath(id: number): void {
    this.paths = this.paths.filter((path) => path.id !== id);
    if (this.active?.id === id) this.active = undefined;
  }

  /** Sends from now on over `path`, beginning with all that the peer has not acknowledged. */
  switchTo(path: Path, generation = this.generation + 1): void {
    this.active = path;
    this.generation = generation;
    this.#switchDue = true;
    this.#cursor = this.#acknowledged + 1;
  }

  /** The peer sends session frames over `path` from now on; `first` is the number of the first. */
  onSwitch(path: Path, first: number): void {
    // Invariant: a switch never skips a frame, or the session would have a hole that nobody repeats.
    if (first < 1 || first > this.#received + 1) throw errors.PROTOCOL({ detail: `switch to frame ${first}` });
    path.arriving = first;
  }

  /** Counts a session frame that arrived on `path`; false when another path has brought it before. */
  accept(path: Path, size: number, now: number): boolean {
    if (path.arriving === 0) throw errors.PROTOCOL({ detail: 'session frame on a path that was not switched to' });
    const number = path.arriving++;
    if (number <= this.#received) return false;
    // Invariant: within a path frames are in order, and every path starts at or below the first missing one.
    if (number !== this.#received + 1) throw errors.PROTOCOL({ detail: `frame ${number} left a gap` });
    this.#received = number;
    this.#receivedBytes += size;
    this.ackDueAt = Math.min(this.ackDueAt, this.#ackIsUrgent() ? now : now + ACK_DELAY_MS);
    return true;
  }

  /** The peer has everything up to `received`. */
  onAck(received: number): void {
    if (received >= this.#nextNumber)
      throw errors.PROTOCOL({ detail: `acknowledged frame ${received} was never sent` });
    for (; this.#acknowledged < received; this.#acknowledged++) this.#unacknowledged.shift();
    this.#cursor = Math.max(this.#cursor, this.#acknowledged + 1);
  }

  send(lane: Lane, frame: SessionFrame): void {
    this.#lanes ??= [undefined, undefined, undefined, undefined];
    const queue = this.#lanes[lane] ?? new FrameQueue();
    this.#lanes[lane] = queue;
    queue.push(encodeFrame(frame));
    if (lane === Lane.control && this.laneBytes(lane) > CONTROL_LANE_BYTES) {
      throw errors.PROTOCOL({ detail: 'peer does not take what it asked for' });
    }
  }

  /** Writes a frame of the path itself, past the lanes. */
  sendOn(path: Path, frame: Frame, out: { push(effect: WriteEffect): unknown }): void {
    const bytes = encodeFrame(frame);
    path.buffered += bytes.length;
    if (path.buffered > PATH_HARD_LIMIT_BYTES) throw errors.PROTOCOL({ detail: 'peer does not read' });
    out.push({ type: 'write', path: path.id, bytes });
  }

  /** True when `flush` would write something. */
  hasOutput(now: number): boolean {
    const path = this.active;
    if (path === undefined || path.buffered >= PATH_BUFFER_BYTES) return false;
    return this.#switchDue || this.ackDueAt <= now || this.#peekLane() !== undefined;
  }

  /** Writes what the active path takes, most urgent first. */
  flush(now: number, out: { push(effect: WriteEffect): unknown }): void {
    const path = this.active;
    while (path !== undefined && this.hasOutput(now)) {
      const parts: Uint8Array[] = [];
      let size = this.#collectPathFrames(parts);
      while (size < TARGET_WIRE_MESSAGE_BYTES) {
        const frame = this.#takeFrame();
        if (frame === undefined) break;
        parts.push(frame);
        size += frame.length;
      }
      const [only] = parts;
      path.buffered += size;
      out.push({ type: 'write', path: path.id, bytes: parts.length === 1 && only ? only : concat(parts, size) });
    }
  }

  // An acknowledgement rides along with whatever is sent anyway: three bytes instead of a packet.
  #collectPathFrames(parts: Uint8Array[]): number {
    if (this.#switchDue) {
      const first = this.#acknowledged + 1;
      parts.push(encodeFrame({ type: 'switch', generation: this.generation, first }));
      this.#switchDue = false;
    }
    if (this.#received > this.#receivedAcknowledged) {
      parts.push(encodeFrame({ type: 'ack', received: this.#received }));
      this.noteAcknowledged();
    }
    return parts.reduce((size, part) => size + part.length, 0);
  }

  /** The peer was told by other means how much has arrived. */
  noteAcknowledged(): void {
    this.#receivedAcknowledged = this.#received;
    this.#receivedBytes = 0;
    this.ackDueAt = Number.POSITIVE_INFINITY;
  }

  #takeFrame(): Uint8Array | undefined {
    if (this.#cursor < this.#nextNumber) {
      return this.#unacknowledged.at(this.#cursor++ - this.#acknowledged - 1);
    }
    const frame = this.#peekLane()?.shift();
    if (frame === undefined) return undefined;
    this.#unacknowledged.push(frame);
    this.#nextNumber++;
    this.#cursor++;
    return frame;
  }

  /** The queue that the next frame comes from, if the window has room for it. */
  #peekLane(): FrameQueue | undefined {
    if (this.#cursor < this.#nextNumber) return this.#unacknowledged;
    const { bytes, count } = this.#unacknowledged;
    if (bytes >= CONTROL_WINDOW_BYTES) return undefined;
    const first = this.#firstLane();
    if (first === undefined) return undefined;
    const isWindowShut = bytes >= SESSION_WINDOW_BYTES || count >= SESSION_WINDOW_FRAMES;
    return isWindowShut && first !== this.#lanes?.[Lane.control] ? undefined : first;
  }

  #firstLane(): FrameQueue | undefined {
    const lanes = this.#lanes;
    if (lanes === undefined) return undefined;
    for (const lane of lanes) if (lane !== undefined && lane.count > 0) return lane;
    this.#lanes = undefined;
    return undefined;
  }

  #laneAt(lane: Lane): FrameQueue {
    return this.#lanes?.[lane] ?? EMPTY;
  }

  #ackIsUrgent(): boolean {
    const frames = this.#received - this.#receivedAcknowledged;
    return frames >= ACK_EVERY_FRAMES || this.#receivedBytes >= ACK_EVERY_BYTES;
  }
}
