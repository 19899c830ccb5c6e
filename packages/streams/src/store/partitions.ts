/**
 * All partitions of a store. Each begins at a full hour and ends where the next one begins, or with its period; a partition that has
 * grown to its bound is followed by another one from the next hour on. Only so many files are open at a time.
 */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@skerry/base';
import { isDamaged, syncDirectory } from './database.ts';
import { bytesOf, Partition, removePartition } from './partition.ts';
import { MICROS } from './rows.ts';

const HOUR = 3_600_000 * MICROS;
/** What a partition that is written anew is called until it is whole. */
const NEW = '.db.new';
const NAME = /^(\d{4}-\d\d-\d\d)T(\d\d)\.db$/;

export interface PartitionOptions {
  readonly log: Logger;
  readonly directory: string;
  /** In microseconds: of a period. */
  readonly span: number;
  readonly maxBytes: number;
  readonly maxOpen: number;
}

/** A stretch of time, in microseconds: `from` belongs to it, `to` does not. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export class Partitions {
  readonly #options: PartitionOptions;
  /** Rising. */
  #starts: number[];
  /** Those that are open; the one used last is the last. */
  readonly #open = new Map<number, Partition>();

  constructor(options: PartitionOptions) {
    this.#options = options;
    const names = readdirSync(options.directory);
    for (const name of names.filter((each) => each.includes(NEW))) rmSync(join(options.directory, name));
    this.#starts = names.flatMap(startOf).sort((left, right) => left - right);
  }

  get count(): number {
    return this.#starts.length;
  }

  get openCount(): number {
    return this.#open.size;
  }

  get bytes(): number {
    return this.#starts.reduce((sum, start) => sum + bytesOf(this.fileOf(start)), 0);
  }

  get starts(): readonly number[] {
    return this.#starts;
  }

  /** What the partition that has `time`, or would have it, covers. */
  rangeAt(time: number): Range {
    const period = Math.floor(time / this.#options.span) * this.#options.span;
    const after = this.#placeAfter(time);
    const before = this.#starts[after - 1] ?? Number.NEGATIVE_INFINITY;
    const next = this.#starts[after] ?? Number.POSITIVE_INFINITY;
    return { from: Math.max(period, before), to: Math.min(next, period + this.#options.span) };
  }

  /** Of those that may have rows in the range, the starts, rising. */
  within(from: number, to: number): readonly number[] {
    const first = Math.max(0, this.#placeAfter(from) - 1);
    return this.#starts.slice(first, this.#placeAfter(to));
  }

  /** For reading and writing; made when it is not there. A damaged file is put aside, and an empty one takes its place. */
  open(start: number): Partition {
    const known = this.#open.get(start);
    if (known !== undefined) {
      this.#open.delete(start);
      this.#open.set(start, known);
      return known;
    }
    while (this.#open.size >= this.#options.maxOpen) this.#closeOldest();
    const partition = this.#openFile(start);
    this.#open.set(start, partition);
    if (!this.#starts.includes(start)) this.#starts = [...this.#starts, start].sort((left, right) => left - right);
    return partition;
  }

  /** All that was begun; other work has its turn between two files. */
  async commitEach(turn: () => Promise<void>): Promise<void> {
    for (const partition of this.#open.values())
      if (partition.isWriting) {
        partition.commit();
        await turn();
      }
  }

  rollback(): void {
    for (const partition of this.#open.values()) partition.rollback();
  }

  /** Ends the partition that has `time` at the full hour after its newest row, when it has grown to its bound. */
  split(time: number): void {
    const { from, to } = this.rangeAt(time);
    if (bytesOf(this.fileOf(from)) < this.#options.maxBytes) return;
    const next = (Math.floor(this.open(from).newest() / HOUR) + 1) * HOUR;
    if (next < to) this.open(next);
  }

  /** A file beside the partition's, which `replace` puts into its place. */
  openNew(start: number): Partition {
    const file = `${this.fileOf(start)}.new`;
    removePartition(file);
    return new Partition(file);
  }

  replace(start: number, { file }: Partition): void {
    this.#close(start);
    renameSync(file, this.fileOf(start));
    removePartition(file);
    syncDirectory(this.#options.directory);
  }

  /** Its file is so damaged that nothing can be written to it: it stays beside the others for whoever can read it, and another takes its place. */
  putAside(start: number, cause: unknown): void {
    const file = this.fileOf(start);
    const aside = `${file}.damaged`;
    this.#close(start);
    renameSync(file, aside);
    removePartition(file);
    this.#options.log.error({ file, aside, cause }, 'a partition of the series store is damaged; it is put aside');
  }

  remove(start: number): void {
    this.#close(start);
    removePartition(this.fileOf(start));
    this.#starts = this.#starts.filter((each) => each !== start);
  }

  close(): void {
    for (const start of this.#open.keys()) this.#close(start);
  }

  fileOf(start: number): string {
    return join(this.#options.directory, `${new Date(start / MICROS).toISOString().slice(0, 13)}.db`);
  }

  /** Of the first that begins after `time`. */
  #placeAfter(time: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What was written to it is committed first: sealing repeats what it has done when a later part fails. */
  #closeOldest(): void {
    const [oldest] = this.#open;
    if (oldest === undefined) return;
    oldest[1].commit();
    this.#close(oldest[0]);
  }

  #close(start: number): void {
    this.#open.get(start)?.close();
    this.#open.delete(start);
  }

  #openFile(start: number): Partition {
    const file = this.fileOf(start);
    try {
      return new Partition(file);
    } catch (cause) {
      if (!isDamaged(cause)) throw cause;
      this.putAside(start, cause);
      return new Partition(file);
    }
  }
}

/** By time. */
export function partitionFiles(directory: string): readonly string[] {
  const names = readdirSync(directory).filter((name) => NAME.test(name));
  return names.toSorted().map((name) => join(directory, name));
}

function startOf(name: string): number[] {
  const [, day, hour] = NAME.exec(name) ?? [];
  return day === undefined ? [] : [Date.parse(`${day}T${hour}:00:00Z`) * MICROS];
}
