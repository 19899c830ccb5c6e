/**
 * The edge's side of the road, without I/O: what to send next, and what becomes of what the cloud says. SPEC.md is its protocol.
 * Whoever runs it sends the messages that `next` gives in their order, and tells what comes back.
 */
import type { DropReason } from '../contract.ts';
import {
  type CloudMessage,
  type EdgeMessage,
  encodeAddress,
  type Lane,
  ROAD_VERSION,
  type SeriesName,
} from '../wire/messages.ts';
import { LateWindow } from './late-window.ts';
import type { Entry, RoadQueue } from './road-queue.ts';

/** What lies on the edge's disk. */
export interface Shelf {
  /** The highest number that was ever given to a block. */
  readonly last: number;
  /** Nothing that was delivered or dropped is still on disk. */
  readonly isTidy: boolean;
  /** Undefined: it cannot be read any more. */
  read(number: number): StoredBlock | undefined;
  seriesName(id: number): SeriesName | undefined;
  /** It goes now. */
  onSent(queue: RoadQueue, entry: Entry): void;
  /** In one commit: these are in the cloud, save for so many rows that it refused. */
  deliver(
    queue: RoadQueue,
    entries: readonly Entry[],
    refused?: { readonly rows: number; readonly reason: string },
  ): void;
  drop(queue: RoadQueue, entry: Entry, reason: DropReason): void;
  /** The queue starts anew in the eyes of the cloud, under another token. */
  rename(queue: RoadQueue): void;
}

export interface StoredBlock {
  readonly bytes: Uint8Array;
  /** Of its rows. */
  readonly series: readonly number[];
}

export interface SenderOptions {
  readonly shelf: Shelf;
  readonly queues: () => Iterable<RoadQueue>;
  /** The largest message. */
  readonly messageBytes: number;
}

/** Blocks on their way that the cloud has not acknowledged yet. */
const MAX_UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024;
const MAX_UNACKNOWLEDGED = 256;
const SERIES_MESSAGE_BYTES = 8 * 1024;
/** What of a message is not the piece itself. */
const PIECE_HEAD_BYTES = 2;

interface Opened {
  readonly queue: RoadQueue;
  readonly session: number;
  isResumed: boolean;
}

interface Going {
  readonly bytes: Uint8Array;
  at: number;
}

interface Choice extends Opened {
  readonly entry: Entry;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #opened = new Map<RoadQueue, Opened>();
  readonly #bySession: Opened[] = [];
  /** The cloud has said where they are, and waits to hear where their live blocks begin. */
  readonly #resumes: Opened[] = [];
  readonly #named = new Set<number>();
  readonly #window = new LateWindow();
  /** Sizes of what is unacknowledged. */
  #unacknowledged = 0;
  #unacknowledgedBytes = 0;
  #late: Going | undefined;
  #hasGreeted = false;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** What goes now; to be asked again until it is undefined: then nothing can go until something comes, is added, or time passes. */
  next(now: number): readonly EdgeMessage[] | undefined {
    return this.#greeting() ?? this.#opening() ?? this.#setAside(now) ?? this.#urgent(now) ?? this.#latePiece(now);
  }

  receive(message: CloudMessage, now: number): void {
    if (message.type === 'got') {
      this.#window.onGot(message.bytes, now);
      return;
    }
    const opened = this.#bySession[message.queue];
    if (opened === undefined) throw new RangeError('the cloud speaks of a queue that was not opened');
    if (message.type === 'at') this.#onPosition(opened, message, now);
    else this.#onAck(opened, message);
  }

  /** The stream is gone; another `Sender` begins the next session. */
  end(): void {
    for (const { queue } of this.#bySession) queue.onSessionEnd();
  }

  // ——— beginning ———

  #greeting(): readonly EdgeMessage[] | undefined {
    if (this.#hasGreeted) return undefined;
    this.#hasGreeted = true;
    return [{ type: 'hello', version: ROAD_VERSION, queues: [...this.#options.queues()].map(({ token }) => token) }];
  }

  #opening(): readonly EdgeMessage[] | undefined {
    for (const queue of this.#options.queues()) {
      if (this.#opened.has(queue)) continue;
      const opened = { queue, session: this.#bySession.length, isResumed: false };
      this.#opened.set(queue, opened);
      this.#bySession.push(opened);
      return [{ type: 'open', id: queue.token }];
    }
    return undefined;
  }

  #onPosition(opened: Opened, position: CloudMessage & { type: 'at' }, now: number): void {
    const { shelf } = this.#options;
    const { queue } = opened;
    if (opened.isResumed || this.#opened.get(queue) !== opened) throw new RangeError('the cloud repeats a position');
    // Better twice than not at all.
    if (queue.isAheadOfUs(position)) {
      shelf.rename(queue);
      this.#opened.delete(queue);
      return;
    }
    shelf.deliver(queue, queue.takeArrived(position, now));
    opened.isResumed = true;
    this.#resumes.push(opened);
  }

  // ——— sending ———

  /** What waited for too long makes room for what is new, once nothing live of it is on its way. */
  #setAside(now: number): readonly EdgeMessage[] | undefined {
    const { last, isTidy } = this.#options.shelf;
    // The cloud forgets what it has of the live part: nothing of it may come back from disk after a crash.
    if (!isTidy) return undefined;
    const resume = ({ session, queue }: Opened): EdgeMessage[] => [
      { type: 'resume', queue: session, liveFrom: queue.liveFrom(last) },
    ];
    const first = this.#resumes.shift();
    if (first !== undefined) return resume(first);
    for (const opened of this.#bySession) {
      const { queue } = opened;
      if (!opened.isResumed || !queue.isBehind(now) || queue.hasSent('live')) continue;
      queue.setAside(now);
      return resume(opened);
    }
    return undefined;
  }

  #urgent(now: number): readonly EdgeMessage[] | undefined {
    if (this.#isFull()) return undefined;
    const chosen = this.#choose('live', now);
    if (chosen === undefined) return undefined;
    const loaded = this.#load('live', chosen, now);
    if (loaded === undefined) return [];
    const { names, bytes } = loaded;
    const pieces: EdgeMessage[] = [];
    const size = this.#options.messageBytes - PIECE_HEAD_BYTES;
    for (let at = 0; at < bytes.length; at += size)
      pieces.push({
        type: 'piece',
        lane: 'live',
        isLast: at + size >= bytes.length,
        bytes: bytes.subarray(at, at + size),
      });
    return [...names, ...pieces];
  }

  #latePiece(now: number): readonly EdgeMessage[] | undefined {
    if (!this.#window.isOpen) return undefined;
    if (this.#late !== undefined) return [this.#piece(this.#late, now)];
    if (this.#isFull()) return undefined;
    const chosen = this.#choose('late', now);
    if (chosen === undefined) return undefined;
    const loaded = this.#load('late', chosen, now);
    if (loaded === undefined) return [];
    this.#late = { bytes: loaded.bytes, at: 0 };
    return [...loaded.names, this.#piece(this.#late, now)];
  }

  #piece(going: Going, now: number): EdgeMessage {
    const size = this.#window.pieceBytes(this.#options.messageBytes - PIECE_HEAD_BYTES);
    const bytes = going.bytes.subarray(going.at, going.at + size);
    going.at += bytes.length;
    const isLast = going.at === going.bytes.length;
    if (isLast) this.#late = undefined;
    this.#window.onSent(bytes.length, now);
    return { type: 'piece', lane: 'late', isLast, bytes };
  }

  /** Alarms first, then the oldest; a route that has used up its budget holds up nobody else. */
  #choose(lane: Lane, now: number): Choice | undefined {
    let best: Choice | undefined;
    for (const opened of this.#bySession) {
      const { queue, isResumed } = opened;
      const entry = queue.next(lane);
      if (!isResumed || entry === undefined || !queue.budget.allows(now, lane === 'late')) continue;
      // It first has to be set aside.
      if (lane === 'live' && queue.isBehind(now)) continue;
      if (best === undefined || isBefore(queue, entry, best)) best = { ...opened, entry };
    }
    return best;
  }

  #load(
    lane: Lane,
    { queue, session, entry }: Choice,
    now: number,
  ): { readonly names: readonly EdgeMessage[]; readonly bytes: Uint8Array } | undefined {
    const { shelf } = this.#options;
    const block = shelf.read(entry.number);
    if (block === undefined) {
      queue.drop(lane);
      shelf.drop(queue, entry, 'Damaged');
      return undefined;
    }
    const bytes = Buffer.concat([encodeAddress(session, entry.number), block.bytes]);
    queue.send(lane);
    shelf.onSent(queue, entry);
    queue.budget.spend(now, bytes.length);
    this.#unacknowledged++;
    this.#unacknowledgedBytes += entry.size;
    return { names: this.#names(block.series), bytes };
  }

  /** Of series that this session has not heard of. */
  #names(ids: readonly number[]): readonly EdgeMessage[] {
    const messages: { type: 'series'; series: SeriesName[] }[] = [];
    let room = 0;
    for (const id of ids) {
      if (this.#named.has(id)) continue;
      const name = this.#options.shelf.seriesName(id);
      this.#named.add(id);
      if (name === undefined) continue;
      const size = sizeOf(name);
      if (room < size) {
        messages.push({ type: 'series', series: [] });
        room = SERIES_MESSAGE_BYTES;
      }
      messages.at(-1)?.series.push(name);
      room -= size;
    }
    return messages;
  }

  #isFull(): boolean {
    return this.#unacknowledged >= MAX_UNACKNOWLEDGED || this.#unacknowledgedBytes >= MAX_UNACKNOWLEDGED_BYTES;
  }

  #onAck({ queue }: Opened, { lane, number, refused, reason }: CloudMessage & { type: 'ack' }): void {
    const arrived = queue.takeAcknowledged(lane, number);
    this.#unacknowledged -= arrived.length;
    this.#unacknowledgedBytes -= arrived.reduce((sum, { size }) => sum + size, 0);
    const rows = arrived.reduce((sum, entry) => sum + entry.rows, 0);
    this.#options.shelf.deliver(queue, arrived, { rows: Math.min(refused, rows), reason });
  }
}

function isBefore(queue: RoadQueue, entry: Entry, than: Choice): boolean {
  const [alarms, others] = [queue, than.queue].map(({ settings }) => settings.priority === 'Alarms');
  return alarms === others ? entry.at < than.entry.at : alarms === true;
}

/** At least what it takes on the wire. */
function sizeOf({ labels }: SeriesName): number {
  const texts = Object.entries(labels).flat();
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 2, 16);
}
