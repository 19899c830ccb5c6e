/** The cloud's side of one session of the road, without I/O: puts blocks together and says which of them are new. */
import { MAX_BLOCK_BYTES } from '../wire/block.ts';
import {
  type CloudMessage,
  type EdgeMessage,
  type Lane,
  MAX_QUEUES,
  ROAD_VERSION,
  type SeriesName,
  splitAddress,
} from '../wire/messages.ts';
import type { Places } from './places.ts';

export type Arrival =
  | { readonly type: 'reply'; readonly message: CloudMessage }
  | { readonly type: 'series'; readonly series: readonly SeriesName[] }
  | ({ readonly type: 'block' } & ArrivedBlock);

export interface ArrivedBlock {
  readonly queue: number;
  /** Where its queue's mark is. */
  readonly place: number;
  readonly lane: Lane;
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Else it is here already, and is only acknowledged. */
  readonly isNew: boolean;
}

/** Queues that a session may open, one after another: some are opened anew under another token. */
const MAX_OPENED = 4 * MAX_QUEUES;
/** Of one block, however small: each costs some memory of its own. */
const MAX_PIECES = 65_536;

interface Opened {
  readonly place: number;
  isResumed: boolean;
}

export class Receiver {
  readonly #places: Places;
  readonly #opened: Opened[] = [];
  readonly #pieces: Record<Lane, { parts: Uint8Array[]; size: number }> = {
    live: { parts: [], size: 0 },
    late: { parts: [], size: 0 },
  };
  #hasGreeted = false;
  #lateBytes = 0;

  constructor(places: Places) {
    this.#places = places;
  }

  /** Throws a RangeError when the edge breaks the protocol. */
  accept(message: EdgeMessage): readonly Arrival[] {
    if (this.#hasGreeted === (message.type === 'hello')) throw new RangeError('a session begins with one hello');
    switch (message.type) {
      case 'hello':
        if (message.version !== ROAD_VERSION) throw new RangeError(`version ${message.version} is not spoken here`);
        this.#hasGreeted = true;
        this.#places.keep(message.queues);
        return [];
      case 'open':
        return this.#open(message.id);
      case 'resume': {
        const opened = this.#find(message.queue);
        opened.isResumed = true;
        const { late } = this.#places.position(opened.place);
        this.#places.move(opened.place, { late, liveFrom: message.liveFrom, live: Math.max(0, message.liveFrom - 1) });
        return [];
      }
      case 'series':
        return [message];
      case 'piece':
        return this.#piece(message);
    }
  }

  #open(id: Uint8Array): readonly Arrival[] {
    const place = this.#places.open(id);
    if (place === undefined || this.#opened.length >= MAX_OPENED)
      throw new RangeError(`a node has at most ${MAX_QUEUES} queues`);
    const queue = this.#opened.push({ place, isResumed: false }) - 1;
    return [{ type: 'reply', message: { type: 'at', queue, ...this.#places.position(place) } }];
  }

  #piece({ lane, isLast, bytes }: EdgeMessage & { type: 'piece' }): readonly Arrival[] {
    const pieces = this.#pieces[lane];
    if (pieces.parts.length >= MAX_PIECES || (bytes.length === 0 && !isLast))
      throw new RangeError('a block has too many pieces');
    // The message may be a view of a buffer that is used again.
    pieces.parts.push(bytes.slice());
    pieces.size += bytes.length;
    if (pieces.size > MAX_BLOCK_BYTES) throw new RangeError('a block is too large');
    const arrivals: Arrival[] = [];
    if (lane === 'late') {
      this.#lateBytes += bytes.length;
      arrivals.push({ type: 'reply', message: { type: 'got', bytes: this.#lateBytes } });
    }
    if (isLast) {
      arrivals.push(this.#block(lane, Buffer.concat(pieces.parts)));
      this.#pieces[lane] = { parts: [], size: 0 };
    }
    return arrivals;
  }

  /** Invariant: numbers of a lane only grow, so whatever is not above the position is here already. */
  #block(lane: Lane, whole: Uint8Array): Arrival {
    const { queue, number, block: bytes } = splitAddress(whole);
    const { place, isResumed } = this.#find(queue);
    if (!isResumed) throw new RangeError('a queue is not open');
    const position = this.#places.position(place);
    const isNew = number > position[lane];
    if (isNew) this.#places.move(place, { ...position, [lane]: number });
    return { type: 'block', queue, place, lane, number, bytes, isNew };
  }

  #find(queue: number): Opened {
    const opened = this.#opened[queue];
    if (opened === undefined) throw new RangeError('a queue is not open');
    return opened;
  }
}
