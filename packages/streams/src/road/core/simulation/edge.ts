/** An edge of the model: what lies on its disk survives it, the rest does not. */
import type { DropReason, RouteSettings } from '../../contract.ts';
import type { CloudMessage, EdgeMessage } from '../../wire/messages.ts';
import { type Entry, mergedEntry, RoadQueue } from '../road-queue.ts';
import { Sender, type Shelf } from '../sender.ts';

/** Rows are numbers here, and a block is a list of them. */
interface DiskBlock extends Entry {
  readonly content: readonly number[];
}

interface DiskQueue {
  readonly settings: RouteSettings;
  token: Uint8Array;
  readonly blocks: Map<number, DiskBlock>;
}

export class ModelEdge {
  readonly disk: DiskQueue[];
  last = 0;
  readonly taken: number[][];
  readonly dropped: number[] = [];
  delivered = 0;
  #queues: readonly RoadQueue[] = [];
  #sender: Sender | undefined;
  #tokens = 0;

  constructor(settings: readonly RouteSettings[]) {
    this.disk = settings.map((each) => ({ settings: each, token: this.#token(), blocks: new Map() }));
    this.taken = settings.map(() => []);
    this.restart();
  }

  get isConnected(): boolean {
    return this.#sender !== undefined;
  }

  get isEmpty(): boolean {
    return this.disk.every(({ blocks }) => blocks.size === 0);
  }

  /** Whatever was in memory is gone. */
  restart(): void {
    this.#sender = undefined;
    this.#queues = this.disk.map(
      ({ settings, token, blocks }, id) =>
        new RoadQueue({ id, name: `q${id}`, token, settings, entries: [...blocks.values()], last: this.last }),
    );
  }

  add(queue: number, content: readonly number[], at: number): void {
    const block = { number: ++this.last, at, ranAt: at, rows: content.length, size: content.length * 10, content };
    this.disk[queue]?.blocks.set(block.number, block);
    this.taken[queue]?.push(...content);
    this.#queues[queue]?.add(block);
    this.trim(at);
    if (!this.isConnected) this.#merge(queue);
  }

  trim(now: number): void {
    for (const queue of this.#queues) {
      for (let found = queue.surplus(now); found !== undefined; found = queue.surplus(now)) {
        queue.drop(found.lane);
        this.#shelf.drop(queue, found.entry, found.reason);
      }
    }
  }

  connect(): void {
    this.#sender = new Sender({ shelf: this.#shelf, queues: () => this.#queues, messageBytes: 64 });
  }

  disconnect(): void {
    this.#sender?.end();
    this.#sender = undefined;
  }

  next(now: number): readonly EdgeMessage[] | undefined {
    return this.#sender?.next(now);
  }

  receive(message: CloudMessage, now: number): void {
    this.#sender?.receive(message, now);
  }

  #merge(queue: number): void {
    const index = this.#queues[queue];
    const disk = this.disk[queue];
    const merged = index?.mergeable();
    if (index === undefined || disk === undefined || merged === undefined) return;
    const content = merged.flatMap(({ number }) => disk.blocks.get(number)?.content ?? []);
    for (const entry of merged) disk.blocks.delete(entry.number);
    const block = { ...mergedEntry(merged), rows: content.length, size: content.length * 10, content };
    disk.blocks.set(block.number, block);
    index.merge(merged, block);
  }

  #token(): Uint8Array {
    return Uint8Array.from({ length: 16 }, () => 0).fill(++this.#tokens, 15);
  }

  get #shelf(): Shelf {
    const remove = ({ id }: RoadQueue, { number }: Entry): readonly number[] => {
      const block = this.disk[id]?.blocks.get(number);
      this.disk[id]?.blocks.delete(number);
      return block?.content ?? [];
    };
    const lastNumber = () => this.last;
    return {
      isTidy: true,
      get last() {
        return lastNumber();
      },
      read: (number) => {
        const block = this.disk.map(({ blocks }) => blocks.get(number)).find((each) => each !== undefined);
        return block && { bytes: Buffer.from(JSON.stringify(block.content)), series: [0] };
      },
      seriesName: (id) => ({ id, type: 'float64', labels: { device: 'd' } }),
      onSent: () => {},
      deliver: (queue, entries) => {
        for (const entry of entries) this.delivered += remove(queue, entry).length;
      },
      drop: (queue, entry, _reason: DropReason) => void this.dropped.push(...remove(queue, entry)),
      rename: (queue) => {
        const disk = this.disk[queue.id];
        if (disk === undefined) return;
        disk.token = this.#token();
        queue.token = disk.token;
      },
    };
  }
}
