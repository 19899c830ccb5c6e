/**
 * The way of rows into a store: the head in memory and the append log take them, and when the head is full or old, it is sealed into
 * chunks while another one takes what comes.
 */
import { rm } from 'node:fs/promises';
import type { Clock, Logger } from '@skerry/base';
import type { Batch, SeriesId } from '../contract/index.ts';
import type { Catalog } from './catalog.ts';
import type { CatalogContents, CatalogFile } from './catalog-file.ts';
import type { Appended, Mark, StoredSeries, StoreLimits } from './contract.ts';
import { seriesErrors } from './errors.ts';
import { Head } from './head.ts';
import { takeRows } from './intake.ts';
import { AppendLog, type LogDisk } from './log.ts';
import { Marks } from './marks.ts';
import type { NamedTimers } from './named-timers.ts';
import type { ChunkRef } from './partition.ts';
import type { Partitions } from './partitions.ts';
import { boxedBytes, markPart, rowsParts, seriesPart } from './records.ts';
import { generationsIn, logFileOf, recoverLog } from './recovery.ts';
import { MICROS, merge, NO_ROWS, type Rows } from './rows.ts';
import { type Generation, sealGeneration } from './sealer.ts';

const RETRY_MS = 5000;
const BYTES_A_ROW = 21;
/** Of one generation's file, which a restart reads: then it is sealed, even when most of it is marks. */
const MAX_LOG_BYTES = 256 * 1024 * 1024;

export interface WritePathOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: StoreLimits;
  readonly timers: NamedTimers;
  readonly logDirectory: string;
  readonly disk: LogDisk;
  readonly file: CatalogFile;
  readonly catalog: Catalog;
  readonly partitions: Partitions;
  readonly onDamaged: (ref: ChunkRef) => void;
  readonly onTooOld: (rows: number) => void;
}

export class WritePath {
  readonly #options: WritePathOptions;
  readonly #log: AppendLog;
  readonly #marks: Marks;
  /** Series that no partition has yet, and those of them that the log does not have either. */
  readonly #unsaved = new Map<SeriesId, StoredSeries>();
  #unlogged: StoredSeries[] = [];
  #head: Head;
  #generation = 1;
  /** Is being sealed, or waits for another try. */
  #frozen: Generation | undefined;
  #sealing: Promise<void> | undefined;
  readonly #versions = new Map<number, number>();
  /** What cannot be written at present. */
  #trouble: 'its log' | 'its chunks' | undefined;
  #isBehind = false;

  constructor(options: WritePathOptions) {
    this.#options = options;
    this.#head = new Head(options.limits.headRows);
    this.#log = new AppendLog(options.disk);
    this.#marks = new Marks(options.limits.marks);
  }

  get rows(): number {
    return this.#head.length + (this.#frozen?.head.length ?? 0);
  }

  get logBytes(): number {
    return this.#log.bytes;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  mark(key: string): Uint8Array | undefined {
    return this.#marks.get(key);
  }

  /** How often rows were sealed into the partition that begins there. */
  versionOf(start: number): number {
    return this.#versions.get(start) ?? 0;
  }

  /** Of both heads, by time. */
  inMemory(series: SeriesId): Rows {
    return merge(this.#frozen?.head.rowsOf(series) ?? NO_ROWS, this.#head.rowsOf(series));
  }

  /** What the process had when it ended, however it did. */
  async recover({ marks, sealedGeneration: sealed }: CatalogContents): Promise<void> {
    const { limits, log, catalog, timers, logDirectory } = this.#options;
    for (const [key, value] of marks) this.#marks.restore(key, value);
    this.#generation = sealed + 1;
    for (const generation of generationsIn(logDirectory, sealed)) {
      // A generation that has another one after it was complete: there is room in memory for two at most.
      if (this.#head.length > 0) await this.#sealRecovered();
      this.#generation = generation;
      const into = { catalog, head: this.#head, marks: this.#marks, unsaved: this.#unsaved };
      this.#log.begin(this.#logFile, recoverLog(this.#logFile, log, into));
    }
    if (!this.#log.hasBegun) this.#log.begin(this.#logFile);
    if (this.#head.length > 0) timers.later('seal', limits.sealAfterMs, () => this.#freeze());
  }

  /** Goes into the log before its first rows. */
  remember(series: StoredSeries): void {
    this.#unsaved.set(series.id, series);
    this.#unlogged.push(series);
  }

  /** `oldest` is in milliseconds. */
  append(batch: Batch, oldest: number, mark: Mark | undefined): Appended {
    const { clock, limits, timers, catalog } = this.#options;
    if (mark !== undefined) this.#marks.check(mark);
    this.#makeRoom(batch.length);
    const head = this.#head;
    const start = head.length;
    if (start === 0) timers.later('seal', limits.sealAfterMs, () => this.#freeze());
    const range = { oldest: Math.max(0, oldest * MICROS), newest: (clock.now() + limits.aheadMs) * MICROS };
    const appended = takeRows({ catalog, head, ...range, onRevived: (id) => this.#revive(id) }, batch);
    this.#record(start, mark);
    timers.later('sync', limits.syncEveryMs, () => this.#syncRegularly());
    return appended;
  }

  /** Everything so far is on disk, and there is room again where there was none. */
  async sync(): Promise<void> {
    await this.#syncLog();
    if (!this.#isBehind) return;
    this.#isBehind = false;
    await this.#sealing;
  }

  /** Everything so far is in chunks. */
  async seal(): Promise<void> {
    await this.#syncLog();
    // What came while an older part was sealed comes after it.
    if (this.#frozen !== undefined) await this.#sealFrozen();
    this.#freeze();
    if (this.#frozen !== undefined) await this.#sealFrozen();
  }

  async close(): Promise<void> {
    await this.#sealing?.catch(() => undefined);
    await this.#log.close();
  }

  get #logFile(): string {
    return logFileOf(this.#options.logDirectory, this.#generation);
  }

  /** Throws where there is none: the caller waits for a sync, or for the disk. */
  #makeRoom(rows: number): void {
    const { headRows } = this.#options.limits;
    if (rows > headRows) throw seriesErrors.LIMIT({ limit: headRows, what: 'rows at once' });
    if (this.#trouble === 'its log') throw seriesErrors.DISK({ what: this.#trouble });
    if (!this.#head.hasRoomFor(rows) || this.#log.newestBytes > MAX_LOG_BYTES) this.#freeze();
    if (this.#head.hasRoomFor(rows) && this.#log.hasRoomFor(rows * BYTES_A_ROW)) return;
    if (this.#trouble !== undefined) throw seriesErrors.DISK({ what: this.#trouble });
    this.#isBehind = true;
    throw seriesErrors.BEHIND({ rows });
  }

  /** One record of the log: what is new since the one before. */
  #record(start: number, mark: Mark | undefined): void {
    const head = this.#head;
    const parts = this.#unlogged.map(seriesPart);
    this.#unlogged = [];
    if (head.length > start) parts.push(...rowsParts(head.columnsFrom(start), boxedBytes(head.boxedFrom(start))));
    if (mark !== undefined) {
      parts.push(markPart(mark));
      this.#marks.set(mark);
    }
    if (parts.length > 0) this.#log.append(parts);
  }

  #revive(id: SeriesId): void {
    const { catalog } = this.#options;
    const series = catalog.describe(id);
    if (series === undefined) return;
    catalog.restore(series);
    this.remember(series);
  }

  async #syncLog(): Promise<void> {
    if (this.#unlogged.length > 0) this.#record(this.#head.length, undefined);
    try {
      await this.#log.sync();
    } catch (cause) {
      this.#trouble = 'its log';
      throw seriesErrors.DISK({ what: this.#trouble }, { cause });
    }
    if (this.#trouble === 'its log') this.#trouble = undefined;
  }

  #syncRegularly(): void {
    const { log, timers } = this.#options;
    this.#syncLog().catch((cause: unknown) => {
      log.warn({ cause }, 'the log of the series store cannot be written');
      timers.later('sync', RETRY_MS, () => this.#syncRegularly());
    });
  }

  /** The head takes no more rows; another one does, and this one is sealed meanwhile. */
  #freeze(): void {
    if (this.#frozen !== undefined || (this.#head.length === 0 && this.#log.newestBytes <= MAX_LOG_BYTES)) return;
    this.#frozen = this.#takeGeneration();
    this.#generation++;
    this.#log.begin(this.#logFile);
    // No partition will have their labels: the log goes on having them.
    const { head } = this.#frozen;
    this.#unlogged.push(...this.#unsaved.values().filter(({ id }) => head.rowsOf(id).length === 0));
    this.#sealRegularly();
  }

  #takeGeneration(): Generation {
    const generation = { number: this.#generation, head: this.#head, marks: this.#marks.takeFresh() };
    this.#options.timers.cancel('seal');
    this.#head = new Head(this.#options.limits.headRows);
    return generation;
  }

  #sealRegularly(): void {
    this.#sealFrozen().catch((cause: unknown) => {
      this.#options.log.warn({ cause }, 'rows of the series store cannot be sealed');
    });
  }

  /** Once at a time. */
  #sealFrozen(): Promise<void> {
    this.#sealing ??= this.#sealOnce().finally(() => {
      this.#sealing = undefined;
    });
    return this.#sealing;
  }

  /** Is tried again by itself when it fails. */
  async #sealOnce(): Promise<void> {
    const { partitions, timers } = this.#options;
    if (this.#frozen === undefined) return;
    try {
      await this.#syncLog();
      await this.#sealInto(this.#frozen);
    } catch (cause) {
      partitions.rollback();
      this.#trouble ??= 'its chunks';
      timers.later('retry', RETRY_MS, () => this.#sealRegularly());
      throw seriesErrors.DISK({ what: this.#trouble }, { cause });
    }
    if (this.#trouble === 'its chunks') this.#trouble = undefined;
    this.#frozen = undefined;
    await removeFiles(await this.#log.dropSealed());
  }

  async #sealInto(generation: Generation): Promise<void> {
    const { clock, partitions, file, catalog, onDamaged, onTooOld } = this.#options;
    const describe = (id: SeriesId) => catalog.describe(id);
    const unsaved = new Map(this.#unsaved);
    const onSealed = (start: number) => this.#versions.set(start, this.versionOf(start) + 1);
    await sealGeneration({ clock, partitions, file, describe, onDamaged, onTooOld, onSealed }, generation, unsaved);
    for (const [id, series] of unsaved)
      if (this.#unsaved.get(id) === series && generation.head.rowsOf(id).length > 0) this.#unsaved.delete(id);
  }

  async #sealRecovered(): Promise<void> {
    await this.#sealInto(this.#takeGeneration());
    await removeFiles(await this.#log.dropAll());
  }
}

/** Large ones take their time. */
async function removeFiles(files: readonly string[]): Promise<void> {
  for (const file of files) await rm(file, { force: true });
}
