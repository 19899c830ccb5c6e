/** How far each queue of a node is, as the cloud's store keeps it: one mark a queue, in as many places as a node may have queues. */
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { MAX_QUEUES, type Position, QUEUE_ID_BYTES, readPosition, writePosition } from '../wire/messages.ts';

const START: Position = { late: 0, liveFrom: 1, live: 0 };

interface Place {
  readonly token: string;
  readonly position: Position;
}

export class Places {
  readonly #places: (Place | undefined)[];

  /** `read` gives the mark of a place. */
  constructor(read: (place: number) => Uint8Array | undefined) {
    this.#places = Array.from({ length: MAX_QUEUES }, (_, place) => decodePlace(read(place)));
  }

  /** Only these queues are still there; what others had is free for new ones. */
  keep(tokens: readonly Uint8Array[]): void {
    const kept = new Set(tokens.map(nameOf));
    for (const [at, place] of this.#places.entries())
      if (place !== undefined && !kept.has(place.token)) this.#places[at] = undefined;
  }

  /** Undefined when there is no place left. */
  open(id: Uint8Array): number | undefined {
    const token = nameOf(id);
    const known = this.#places.findIndex((place) => place?.token === token);
    if (known !== -1) return known;
    const free = this.#places.indexOf(undefined);
    if (free === -1) return undefined;
    this.#places[free] = { token, position: START };
    return free;
  }

  position(place: number): Position {
    return this.#places[place]?.position ?? START;
  }

  /** As from now on; with the rows that led there it is written as the place's mark. */
  move(place: number, position: Position): void {
    const { token } = this.#places[place] ?? { token: '' };
    this.#places[place] = { token, position };
  }

  mark(place: number): Uint8Array {
    const out = new ByteWriter();
    out.bytes(Buffer.from(this.#places[place]?.token ?? '', 'hex'));
    writePosition(out, this.position(place));
    return out.take();
  }
}

/** A mark that cannot be read is that of no queue. */
function decodePlace(bytes: Uint8Array | undefined): Place | undefined {
  if (bytes === undefined || bytes.length < QUEUE_ID_BYTES) return undefined;
  const input = new ByteReader(bytes);
  return { token: nameOf(input.bytes(QUEUE_ID_BYTES)), position: readPosition(input) };
}

function nameOf(token: Uint8Array): string {
  return Buffer.from(token).toString('hex');
}
