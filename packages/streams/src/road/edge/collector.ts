/** Rows of one route on their way into its queue: collected for a moment, then blocks on disk. */
import type { Batch, Boxed, Scalar } from '../../contract/index.ts';
import type { RoadQueue } from '../core/road-queue.ts';
import { type Block, encodeBlock, MAX_BLOCK_BYTES } from '../wire/block.ts';
import type { Origin, RoadFile } from './road-file.ts';

/** Rows in memory while the disk takes none: beyond that the oldest are dropped. */
const MAX_HELD_ROWS = 500_000;
const FIRST_ROWS = 256;

export class Collector {
  readonly queue: RoadQueue;
  readonly #file: RoadFile;
  #columns = newColumns(FIRST_ROWS);
  #length = 0;
  #boxed: Map<number, Boxed> | undefined;
  /** When the oldest of them came. */
  #since = 0;

  constructor(queue: RoadQueue, file: RoadFile) {
    this.queue = queue;
    this.#file = file;
  }

  get rows(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length >= ROWS_PER_BLOCK;
  }

  /** `series` is the file's number. */
  add(series: number, time: number, value: Scalar | Boxed, quality: number, now: number): void {
    if (this.#length === 0) this.#since = now;
    if (this.#length === this.#columns.times.length) this.#grow();
    const row = this.#length++;
    const { series: ids, times, values, qualities } = this.#columns;
    ids[row] = series;
    times[row] = time;
    qualities[row] = quality;
    if (typeof value === 'number') {
      values[row] = value;
    } else {
      values[row] = Number.NaN;
      this.#boxed ??= new Map();
      this.#boxed.set(row, value);
    }
  }

  isDue(now: number): boolean {
    const { maxRows, maxDelayMs } = this.queue.settings;
    return this.#length > 0 && (this.#length >= maxRows || Math.abs(now - this.#since) >= maxDelayMs);
  }

  /**
   * Everything that was added is on disk when it returns. When it throws, what is not there is still here. With `origins` it is one
   * commit; without, a disk with little room takes it in small parts.
   */
  flush(origins?: readonly Origin[]): void {
    if (origins !== undefined) {
      this.#write(this.#length, origins);
      return;
    }
    let part = ROWS_PER_BLOCK;
    while (this.#length > 0) {
      const rows = Math.min(part, this.#length);
      try {
        this.#write(rows);
      } catch (error) {
        part = this.queue.settings.maxRows;
        if (rows > part) continue;
        this.#dropSurplus();
        throw error;
      }
    }
  }

  #write(rows: number, origins?: readonly Origin[]): void {
    if (rows === 0 && origins === undefined) return;
    const { blocks, refused } = rows === 0 ? { blocks: [], refused: 0 } : blocksOf(slice(this.#batch(), 0, rows));
    this.#file.append(this.queue, blocks, origins);
    if (refused > 0) this.#file.countDropped(this.queue, 'Refused', refused);
    this.#shift(rows);
  }

  #batch(): Batch {
    return { length: this.#length, ...this.#columns, ...(this.#boxed === undefined ? {} : { boxed: this.#boxed }) };
  }

  #dropSurplus(): void {
    const surplus = this.#length - MAX_HELD_ROWS;
    if (surplus <= 0) return;
    this.#file.countDropped(this.queue, 'DiskFull', surplus);
    this.#shift(surplus);
  }

  /** The first ones are no longer here. */
  #shift(rows: number): void {
    const { series, times, values, qualities } = this.#columns;
    for (const column of [series, times, values, qualities]) column.copyWithin(0, rows, this.#length);
    const boxed = [...(this.#boxed ?? [])].filter(([row]) => row >= rows);
    this.#boxed = boxed.length === 0 ? undefined : new Map(boxed.map(([row, value]) => [row - rows, value]));
    this.#length -= rows;
  }

  #grow(): void {
    const grown = newColumns(this.#length * 2);
    const { series, times, values, qualities } = this.#columns;
    grown.series.set(series);
    grown.times.set(times);
    grown.values.set(values);
    grown.qualities.set(qualities);
    this.#columns = grown;
  }
}

function newColumns(rows: number) {
  return {
    series: new Uint32Array(rows),
    times: new Float64Array(rows),
    values: new Float64Array(rows),
    qualities: new Uint8Array(rows),
  };
}

/** What one block can hold; a row that is too large for any is refused. */
const ROWS_PER_BLOCK = 65_536;

function blocksOf(batch: Batch): { readonly blocks: readonly Block[]; readonly refused: number } {
  if (batch.length <= ROWS_PER_BLOCK) {
    const block = encodeBlock(batch);
    if (block.bytes.length < MAX_BLOCK_BYTES / 2) return { blocks: [block], refused: 0 };
    if (batch.length === 1) return { blocks: [], refused: 1 };
  }
  const half = Math.ceil(batch.length / 2);
  const parts = [blocksOf(slice(batch, 0, half)), blocksOf(slice(batch, half, batch.length))];
  return {
    blocks: parts.flatMap(({ blocks }) => blocks),
    refused: parts.reduce((sum, { refused }) => sum + refused, 0),
  };
}

function slice({ series, times, values, qualities, boxed }: Batch, from: number, to: number): Batch {
  const moved = [...(boxed ?? [])].filter(([row]) => row >= from && row < to);
  return {
    length: to - from,
    series: series.subarray(from, to),
    times: times.subarray(from, to),
    values: values.subarray(from, to),
    qualities: qualities.subarray(from, to),
    ...(moved.length === 0 ? {} : { boxed: new Map(moved.map(([row, value]) => [row - from, value])) }),
  };
}

/** Blocks that waited, as one: those of earlier ones first. */
export function joinBatches(batches: readonly Batch[]): Batch {
  const length = batches.reduce((sum, batch) => sum + batch.length, 0);
  const columns = newColumns(length);
  const boxed = new Map<number, Boxed>();
  let at = 0;
  for (const batch of batches) {
    columns.series.set(batch.series.subarray(0, batch.length), at);
    columns.times.set(batch.times.subarray(0, batch.length), at);
    columns.values.set(batch.values.subarray(0, batch.length), at);
    columns.qualities.set(batch.qualities.subarray(0, batch.length), at);
    for (const [row, value] of batch.boxed ?? []) boxed.set(at + row, value);
    at += batch.length;
  }
  return { length, ...columns, ...(boxed.size === 0 ? {} : { boxed }) };
}
