/** The road's queues on disk: what was taken is there until the cloud has it. Each call is one commit, on disk when it returns. */
import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { StoredType } from '../../store/index.ts';
import type { DropReason, RouteSettings } from '../contract.ts';
import { type Entry, mergedEntry, RoadQueue } from '../core/road-queue.ts';
import type { Shelf, StoredBlock } from '../core/sender.ts';
import { type Block, headOf } from '../wire/block.ts';
import { MAX_QUEUES, QUEUE_ID_BYTES, type SeriesName } from '../wire/messages.ts';
import { lockFile } from './file-lock.ts';
import { openSound, prepare } from './road-database.ts';

/** Of all of a queue's time, on disk with the blocks they speak of. */
export interface Counts {
  taken: number;
  sent: number;
  sentBytes: number;
  delivered: number;
  readonly dropped: Partial<Record<DropReason, number>>;
  refusal?: string;
}

/** Where a source was when it made the rows: whoever goes on after a crash reads which of its rows are here. */
export interface Origin {
  readonly name: string;
  readonly position: Uint8Array;
}

export interface RoadFileOptions {
  /** `:memory:` forgets with the process. */
  readonly file: string;
  /** The file never grows beyond this, whatever the routes allow. */
  readonly maxFileBytes?: number;
  /** So many different series a node, or the cloud, may have on their way. */
  readonly maxSeries?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const MAX_FILE_BYTES = 64 * 1024 ** 3;

const MAX_SERIES = 200_000;
const PAGE_BYTES = 4096;
/** Pages that are free may be so many; more are given back, little by little. */
const FREE_PAGES = 4096;
const PAGES_GIVEN_BACK = 512;

/** Opening it throws while another process has it. */
export class RoadFile implements Shelf {
  readonly #lock: Disposable;
  readonly #db: DatabaseSync;
  readonly #clock: Clock;
  readonly #maxSeries: number;
  readonly #log: Logger;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #queues = new Map<string, RoadQueue>();
  readonly #counts = new Map<RoadQueue, Counts>();
  readonly #series = new Map<string, number>();
  /** On disk with the first block that names them. */
  #newSeries: { readonly id: number; readonly name: string }[] = [];
  /** Blocks that are no longer wanted and could not be removed, for the next commit. */
  #leftOver: number[] = [];
  #last: number;
  readonly #lastBefore: number;
  /** What `runTime` was when this process began, and when that was. */
  #ranBefore = 0;
  readonly #beganAt: number;

  constructor({ file, maxFileBytes = MAX_FILE_BYTES, maxSeries = MAX_SERIES, clock, log }: RoadFileOptions) {
    this.#clock = clock;
    this.#maxSeries = maxSeries;
    this.#beganAt = clock.monotonic();
    this.#log = log;
    using opening = new DisposableStack();
    this.#lock = opening.use(lockFile(file));
    this.#db = opening.adopt(openSound(file, { clock, log }), (db) => db.close());
    this.#db.exec(`PRAGMA max_page_count = ${Math.floor(maxFileBytes / PAGE_BYTES)}`);
    this.#statements = prepare(this.#db);
    this.#last = Number(this.#statements.last.get()?.['seq'] ?? 0);
    this.#lastBefore = this.#last;
    this.#load();
    opening.move();
  }

  get queues(): readonly RoadQueue[] {
    return [...this.#queues.values()];
  }

  get last(): number {
    return this.#last;
  }

  /** Milliseconds in which processes had this file, as far as its blocks know. How old a block is goes by it: clocks are set, and stand wrong. */
  get runTime(): number {
    return this.#ranBefore + this.#clock.monotonic() - this.#beganAt;
  }

  get isTidy(): boolean {
    return this.#leftOver.length === 0;
  }

  counts(queue: RoadQueue): Counts {
    return this.#counts.get(queue) ?? newCounts();
  }

  /** The queue of a route, made when it is new. Undefined when there are too many. */
  queue(name: string, settings: RouteSettings): RoadQueue | undefined {
    const known = this.#queues.get(name);
    if (known !== undefined) {
      known.settings = settings;
      this.#statements.setSettings.run(JSON.stringify(settings), known.id);
      return known;
    }
    if (this.#queues.size >= MAX_QUEUES) return undefined;
    const token = randomBytes(QUEUE_ID_BYTES);
    const counts = newCounts();
    const { lastInsertRowid } = this.#statements.addQueue.run(
      name,
      token,
      JSON.stringify(settings),
      JSON.stringify(counts),
    );
    return this.#know({ id: Number(lastInsertRowid), name, token, settings, entries: [], last: this.#last }, counts);
  }

  /** Of a route that is gone and has nothing left to send. */
  forget(queue: RoadQueue): void {
    this.#commit(() => {
      this.#statements.removeQueue.run(queue.id);
      this.#statements.removeOrigins.run(queue.id);
      this.#statements.removeBlocks.run(queue.id);
    });
    this.#queues.delete(queue.name);
    this.#counts.delete(queue);
  }

  /** The number that blocks name a series by; undefined when there are too many. */
  series(type: StoredType, labels: Readonly<Record<string, string>>): number | undefined {
    const name = JSON.stringify([type, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
    const known = this.#series.get(name);
    if (known !== undefined || this.#series.size >= this.#maxSeries) return known;
    const id = this.#series.size + 1;
    this.#series.set(name, id);
    this.#newSeries.push({ id, name });
    return id;
  }

  seriesName(id: number): SeriesName | undefined {
    const row = this.#statements.series.get(id);
    if (row === undefined) return undefined;
    const [type, labels] = JSON.parse(String(row['name'])) as [StoredType, [string, string][]];
    return { id, type, labels: Object.fromEntries(labels) };
  }

  origin(queue: RoadQueue, name: string): Uint8Array | undefined {
    return this.#statements.origin.get(queue.id, name)?.['position'] as Uint8Array | undefined;
  }

  append(queue: RoadQueue, blocks: readonly Block[], origins: readonly Origin[] = []): void {
    const counts = this.counts(queue);
    const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
    const times = { at: this.#clock.now(), ranAt: this.runTime };
    const entries = this.#commit(() => {
      for (const { id, name } of this.#newSeries) this.#statements.addSeries.run(id, name);
      const added = blocks.map((block) => this.#insert(queue, block, times));
      for (const { name, position } of origins) this.#statements.setOrigin.run(queue.id, name, position);
      this.#saveCounts(queue, { ...counts, taken: counts.taken + rows });
      return added;
    });
    this.#newSeries = [];
    counts.taken += rows;
    for (const entry of entries) {
      this.#last = entry.number;
      queue.add(entry);
    }
  }

  merge(queue: RoadQueue, merged: readonly Entry[], block: Block): void {
    const { number, at, ranAt } = mergedEntry(merged);
    const { bytes, rows } = block;
    this.#commit(() => {
      for (const entry of merged) this.#statements.remove.run(entry.number);
      this.#statements.put.run(number, queue.id, at, ranAt, rows, bytes.length, bytes);
    });
    queue.merge(merged, { rows, size: bytes.length });
  }

  read(number: number): StoredBlock | undefined {
    try {
      const bytes = this.#statements.read.get(number)?.['bytes'];
      if (!(bytes instanceof Uint8Array)) return undefined;
      return { bytes, series: headOf(bytes).series };
    } catch (error) {
      this.#log.error({ block: number, error: messageOf(error) }, 'a block of the road cannot be read');
      return undefined;
    }
  }

  /** Written with what comes next. */
  onSent(queue: RoadQueue, { rows, size }: Entry): void {
    const counts = this.counts(queue);
    counts.sent += rows;
    counts.sentBytes += size;
  }

  deliver(
    queue: RoadQueue,
    entries: readonly Entry[],
    refused: { readonly rows: number; readonly reason: string } = { rows: 0, reason: '' },
  ): void {
    if (entries.length === 0) return;
    const counts = this.counts(queue);
    counts.delivered += entries.reduce((sum, { rows }) => sum + rows, 0) - refused.rows;
    if (refused.rows > 0) {
      counts.dropped.Refused = (counts.dropped.Refused ?? 0) + refused.rows;
      counts.refusal = refused.reason;
    }
    this.#remove(queue, entries);
  }

  drop(queue: RoadQueue, entry: Entry, reason: DropReason): void {
    this.countDropped(queue, reason, entry.rows);
    this.#remove(queue, [entry]);
  }

  /** Rows that never were a block. Written with what comes next. */
  countDropped(queue: RoadQueue, reason: DropReason, rows: number): void {
    const counts = this.counts(queue);
    counts.dropped[reason] = (counts.dropped[reason] ?? 0) + rows;
    if (reason === 'TooManySeries')
      counts.refusal = `there are more than ${this.#maxSeries} different series; values of further ones are dropped`;
  }

  rename(queue: RoadQueue): void {
    queue.token = randomBytes(QUEUE_ID_BYTES);
    this.#statements.setToken.run(queue.token, queue.id);
    this.#log.warn(
      { route: queue.name },
      'the queue on disk is older than what the cloud knows; some of it may come twice',
    );
  }

  /** Removes what a full disk did not let go, and gives back to the file system what is no longer needed. To be called now and then. */
  tidy(): void {
    const [queue] = this.#queues.values();
    if (!this.isTidy && queue !== undefined) this.#remove(queue, []);
    const free = Number(this.#statements.free.get()?.['freelist_count'] ?? 0);
    if (free > FREE_PAGES) this.#db.exec(`PRAGMA incremental_vacuum(${PAGES_GIVEN_BACK})`);
  }

  close(): void {
    for (const [queue, counts] of this.#counts) this.#saveCounts(queue, counts);
    this.#db.close();
    this.#lock[Symbol.dispose]();
  }

  #load(): void {
    const entries = new Map<number, Entry[]>();
    for (const { number, queue, at, ran_at: ranAt, rows, size } of this.#statements.blocks.iterate()) {
      const id = Number(queue);
      const times = { at: Number(at), ranAt: Number(ranAt) };
      const entry = { number: Number(number), ...times, rows: Number(rows), size: Number(size) };
      this.#ranBefore = Math.max(this.#ranBefore, entry.ranAt);
      const list = entries.get(id);
      if (list === undefined) entries.set(id, [entry]);
      else list.push(entry);
    }
    for (const { id, name, token, settings, counts } of this.#statements.queues.all()) {
      const known = {
        id: Number(id),
        name: String(name),
        token: token as Uint8Array,
        settings: JSON.parse(String(settings)) as RouteSettings,
        entries: entries.get(Number(id)) ?? [],
        last: this.#lastBefore,
      };
      this.#know(known, JSON.parse(String(counts)) as Counts);
    }
    for (const { id, name } of this.#statements.allSeries.iterate()) this.#series.set(String(name), Number(id));
  }

  #know(known: ConstructorParameters<typeof RoadQueue>[0], counts: Counts): RoadQueue {
    const queue = new RoadQueue(known);
    this.#queues.set(known.name, queue);
    this.#counts.set(queue, counts);
    return queue;
  }

  #insert(queue: RoadQueue, { bytes, rows }: Block, { at, ranAt }: Pick<Entry, 'at' | 'ranAt'>): Entry {
    const { lastInsertRowid } = this.#statements.put.run(null, queue.id, at, ranAt, rows, bytes.length, bytes);
    return { number: Number(lastInsertRowid), at, ranAt, rows, size: bytes.length };
  }

  /** A disk that is full takes no removals either: they are made up for later, or after the next start the cloud knows the blocks. */
  #remove(queue: RoadQueue, entries: readonly Entry[]): void {
    const numbers = [...this.#leftOver, ...entries.map(({ number }) => number)];
    try {
      this.#commit(() => {
        for (const number of numbers) this.#statements.remove.run(number);
        this.#saveCounts(queue, this.counts(queue));
      });
      this.#leftOver = [];
    } catch (error) {
      this.#leftOver = numbers;
      this.#log.warn({ route: queue.name, error: messageOf(error) }, 'blocks that are no longer needed stay on disk');
    }
  }

  #saveCounts(queue: RoadQueue, counts: Counts): void {
    this.#statements.setCounts.run(JSON.stringify(counts), queue.id);
  }

  #commit<Result>(work: () => Result): Result {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

function newCounts(): Counts {
  return { taken: 0, sent: 0, sentBytes: 0, delivered: 0, dropped: {} };
}
