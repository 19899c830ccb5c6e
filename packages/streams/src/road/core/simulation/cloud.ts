/** A cloud of the model: rows and marks are in memory first, and on disk, together, after a sync. */
import { type CloudMessage, decodeEdgeMessage, type Lane } from '../../wire/messages.ts';
import { Places } from '../places.ts';
import { Receiver } from '../receiver.ts';

interface Commit {
  readonly queue: number;
  readonly lane: Lane;
  readonly content: readonly number[];
  readonly place: number;
  readonly mark: Uint8Array;
}

export class ModelCloud {
  readonly #disk: Commit[] = [];
  readonly #memory: Commit[] = [];
  #places = new Places(() => undefined);
  #receiver: Receiver | undefined;
  #acks: CloudMessage[] = [];

  /** What is on disk, as it came. */
  get rows(): readonly number[] {
    return this.#disk.flatMap(({ content }) => content);
  }

  /** A lane of a queue, as it came. */
  lane(queue: number, lane: Lane): readonly number[] {
    const commits = this.#disk.filter((each) => each.queue === queue && each.lane === lane);
    return commits.flatMap(({ content }) => content);
  }

  begin(): void {
    // A position that is not on disk must not be told.
    this.sync();
    this.#acks = [];
    const marks = new Map(this.#disk.map(({ place, mark }) => [place, mark]));
    this.#places = new Places((place) => marks.get(place));
    this.#receiver = new Receiver(this.#places);
  }

  crash(): void {
    this.#memory.length = 0;
    this.#receiver = undefined;
    this.#acks = [];
  }

  end(): void {
    this.#receiver = undefined;
    this.#acks = [];
  }

  receive(bytes: Uint8Array, queueOf: (content: readonly number[]) => number): readonly CloudMessage[] {
    const replies: CloudMessage[] = [];
    for (const arrival of this.#receiver?.accept(decodeEdgeMessage(bytes)) ?? []) {
      if (arrival.type === 'reply') replies.push(arrival.message);
      if (arrival.type !== 'block') continue;
      const { place, lane, number, queue } = arrival;
      const content = JSON.parse(Buffer.from(arrival.bytes).toString()) as readonly number[];
      if (arrival.isNew)
        this.#memory.push({ queue: queueOf(content), lane, content, place, mark: this.#places.mark(place) });
      this.#acks.push({ type: 'ack', queue, lane, number, refused: 0, reason: '' });
    }
    return replies;
  }

  /** Gives the acknowledgements of what is on disk now. */
  sync(): readonly CloudMessage[] {
    this.#disk.push(...this.#memory.splice(0));
    return this.#acks.splice(0);
  }
}
