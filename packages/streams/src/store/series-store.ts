/** The store of time series: rows go into a head in memory and a log on disk, and from there into chunks by time. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Timer } from '@skerry/base';
import type { Batch, SeriesId } from '../contract/index.ts';
import { Catalog } from './catalog.ts';
import { CatalogFile } from './catalog-file.ts';
import type {
  Appended,
  Labels,
  LastRow,
  Mark,
  Matcher,
  QueryResult,
  RetentionPlan,
  SeriesQuery,
  SeriesResult,
  SeriesStore,
  SeriesStoreOptions,
  StepQuery,
  StoredSeries,
  StoredType,
  StoreLimits,
  StoreStats,
} from './contract.ts';
import { isBusy } from './database.ts';
import { seriesErrors } from './errors.ts';
import { Head } from './head.ts';
import { takeRows } from './intake.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { AppendLog, type LogDisk } from './log.ts';
import { maintainPartitions } from './maintenance.ts';
import type { ChunkRef } from './partition.ts';
import { Partitions } from './partitions.ts';
import { type QueryContext, runQuery, runScan } from './querying.ts';
import { boxedBytes, type LogReader, markPart, rowsParts, seriesPart } from './records.ts';
import { generationsIn, logFileOf, recoverLog } from './recovery.ts';
import { MICROS, merge, NO_ROWS, type Rows } from './rows.ts';
import { type Generation, sealGeneration } from './sealer.ts';

const RETRY_MS = 5000;
const MAINTAIN_EVERY_MS = 600_000;
const MAX_MARK_KEY = 256;
const MAX_MARK_BYTES = 128;
const BYTES_A_ROW = 21;

/** `disk` is where the log goes: tests have one that fails. */
export async function openOn(options: SeriesStoreOptions, disk: LogDisk): Promise<SeriesStore> {
  const { directory } = options;
  try {
    mkdirSync(join(directory, 'log'), { recursive: true, mode: 0o700 });
    mkdirSync(join(directory, 'chunks'), { recursive: true, mode: 0o700 });
    const file = new CatalogFile(join(directory, 'catalog.db'));
    const store = new DiskSeriesStore(options, disk, file);
    await store.recover();
    return store;
  } catch (cause) {
    if (isBusy(cause)) throw seriesErrors.LOCKED({ directory }, { cause });
    throw seriesErrors.OPEN({ directory }, { cause });
  }
}

interface Counts {
  taken: number;
  tooOld: number;
  tooNew: number;
  refused: number;
  damaged: number;
}

class DiskSeriesStore implements SeriesStore {
  readonly #options: SeriesStoreOptions;
  readonly #limits: StoreLimits;
  readonly #file: CatalogFile;
  readonly #catalog: Catalog;
  readonly #partitions: Partitions;
  readonly #log: AppendLog;
  readonly #queries: QueryContext;
  readonly #closing = new AbortController();
  readonly #counts: Counts = { taken: 0, tooOld: 0, tooNew: 0, refused: 0, damaged: 0 };
  readonly #marks = new Map<string, Uint8Array>();
  /** Series that the catalogue's file does not have yet, and those of them that the log does not have either. */
  readonly #unsaved = new Map<SeriesId, StoredSeries>();
  #unlogged: StoredSeries[] = [];
  #newMarks = new Map<string, Uint8Array>();
  #head: Head;
  #generation = 1;
  #frozen: Generation | undefined;
  #sealing: Promise<void> | undefined;
  #maintaining: Promise<void> | undefined;
  readonly #versions = new Map<number, number>();
  #retention: RetentionPlan;
  /** What cannot be written at present. */
  #trouble: string | undefined;
  #isBehind = false;
  readonly #timers = new Map<string, Timer>();

  constructor(options: SeriesStoreOptions, disk: LogDisk, file: CatalogFile) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { directory, log, clock, retention = {} } = options;
    this.#options = options;
    this.#limits = limits;
    this.#retention = retention;
    this.#file = file;
    this.#head = new Head(limits.headRows);
    this.#log = new AppendLog(disk);
    this.#catalog = new Catalog(limits.series);
    this.#partitions = new Partitions({
      log,
      directory: join(directory, 'chunks'),
      span: limits.partitionMs * MICROS,
      maxBytes: limits.partitionBytes,
      maxOpen: limits.openPartitions,
    });
    const sources = {
      partitions: this.#partitions,
      inMemory: (series: SeriesId) => this.#inMemory(series),
      onDamaged: (ref: ChunkRef) => this.#reportDamage(ref),
    };
    this.#queries = { catalog: this.#catalog, sources, clock, limits };
  }

  /** As it was when the process ended, however it did. */
  async recover(): Promise<void> {
    for (const series of this.#file.series()) this.#catalog.restore(series);
    for (const [id, last] of this.#file.last()) this.#catalog.restoreLast(id, last);
    for (const [key, value] of this.#file.marks()) this.#marks.set(key, value);
    const sealed = this.#file.sealedGeneration;
    const generations = generationsIn(this.#logDirectory, sealed);
    for (const generation of generations) {
      if (this.#head.length > 0) await this.#sealRecovered();
      this.#generation = generation;
      const file = logFileOf(this.#logDirectory, generation);
      this.#log.begin(file, recoverLog(file, this.#options.log, this.#replay()));
    }
    if (generations.length === 0) {
      this.#generation = sealed + 1;
      this.#log.begin(logFileOf(this.#logDirectory, this.#generation));
    }
    this.#later('maintain', MAINTAIN_EVERY_MS, () => this.#maintainRegularly());
    if (this.#head.length > 0) this.#later('seal', this.#limits.sealAfterMs, () => this.#freeze());
  }

  series(labels: Labels, type: StoredType): SeriesId {
    const known = this.#catalog.find(labels);
    if (known !== undefined) return known;
    this.#checkOpen();
    const series = this.#catalog.create(labels, type);
    this.#remember(series);
    return series.id;
  }

  describe(id: SeriesId): StoredSeries | undefined {
    return this.#catalog.describe(id);
  }

  append(batch: Batch, mark?: Mark): Appended {
    this.#checkOpen();
    this.#makeRoom(batch.length);
    if (mark !== undefined) this.#checkMark(mark);
    const head = this.#head;
    const start = head.length;
    if (start === 0) this.#later('seal', this.#limits.sealAfterMs, () => this.#freeze());
    const now = this.#options.clock.now();
    const appended = takeRows(
      {
        catalog: this.#catalog,
        head,
        oldest: Math.max(0, (now - (this.#retention.rawFor ?? Number.POSITIVE_INFINITY)) * MICROS),
        newest: (now + this.#limits.aheadMs) * MICROS,
        onRevived: (id) => this.#revive(id),
      },
      batch,
    );
    this.#record(start, mark);
    this.#count(appended);
    this.#later('sync', this.#limits.syncEveryMs, () => this.#syncRegularly());
    return appended;
  }

  mark(key: string): Uint8Array | undefined {
    return this.#marks.get(key);
  }

  async sync(): Promise<void> {
    this.#checkOpen();
    await this.#syncLog();
    if (!this.#isBehind) return;
    this.#isBehind = false;
    await this.#sealing;
  }

  async seal(): Promise<void> {
    this.#checkOpen();
    await this.#sealAll();
  }

  query(query: SeriesQuery | StepQuery): Promise<QueryResult> {
    this.#checkOpen();
    return runQuery(this.#queries, query);
  }

  scan(query: SeriesQuery): AsyncIterable<SeriesResult> {
    this.#checkOpen();
    return runScan(this.#queries, query);
  }

  last(matchers: readonly Matcher[]): readonly LastRow[] {
    return this.#catalog.last(matchers, this.#limits.querySeries);
  }

  seriesOf(matchers: readonly Matcher[]): readonly StoredSeries[] {
    return this.#catalog.select(matchers, this.#limits.series);
  }

  labelNames(): readonly string[] {
    return this.#catalog.labelNames();
  }

  labelValues(label: string): readonly string[] {
    return this.#catalog.labelValues(label);
  }

  setRetention(plan: RetentionPlan): void {
    this.#retention = plan;
  }

  maintain(): Promise<void> {
    this.#checkOpen();
    this.#maintaining ??= this.#maintainOnce().finally(() => {
      this.#maintaining = undefined;
    });
    return this.#maintaining;
  }

  stats(): StoreStats {
    const { damaged, ...counts } = this.#counts;
    return {
      series: this.#catalog.size,
      headRows: this.#head.length + (this.#frozen?.head.length ?? 0),
      logBytes: this.#log.bytes,
      partitions: this.#partitions.count,
      openPartitions: this.#partitions.openCount,
      bytes: this.#partitions.bytes,
      ...counts,
      damagedChunks: damaged,
      ...(this.#trouble === undefined ? {} : { refusing: `${this.#trouble} cannot be written` }),
    };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    for (const timer of this.#timers.values()) timer.cancel();
    try {
      await this.#syncLog();
      await this.#sealAll();
    } catch (cause) {
      // What was acknowledged is in the log, and is found there by the next start.
      this.#options.log.warn({ cause }, 'the series store ends without having sealed its rows');
    }
    this.#closing.abort();
    for (const timer of this.#timers.values()) timer.cancel();
    await this.#maintaining?.catch(() => undefined);
    await this.#log.close();
    this.#partitions.close();
    this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #logDirectory(): string {
    return join(this.#options.directory, 'log');
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw seriesErrors.CLOSED();
  }

  #checkMark({ key, value }: Mark): void {
    const { marks } = this.#limits;
    if (key.length > MAX_MARK_KEY || value.length > MAX_MARK_BYTES) {
      throw seriesErrors.LIMIT({ limit: MAX_MARK_BYTES, what: 'bytes of a mark' });
    }
    if (!this.#marks.has(key) && this.#marks.size >= marks) throw seriesErrors.LIMIT({ limit: marks, what: 'marks' });
  }

  /** Throws where there is none: the caller waits for a sync, or for the disk. */
  #makeRoom(rows: number): void {
    if (rows > this.#limits.headRows) throw seriesErrors.LIMIT({ limit: this.#limits.headRows, what: 'rows at once' });
    if (this.#trouble !== undefined) throw seriesErrors.DISK({ what: this.#trouble });
    if (!this.#head.hasRoomFor(rows) && this.#frozen === undefined) this.#freeze();
    if (this.#head.hasRoomFor(rows) && this.#log.hasRoomFor(rows * BYTES_A_ROW)) return;
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
      this.#setMark(mark);
    }
    if (parts.length > 0) this.#log.append(parts);
  }

  #setMark({ key, value }: Mark): void {
    const copy = Uint8Array.from(value);
    this.#marks.set(key, copy);
    this.#newMarks.set(key, copy);
  }

  #remember(series: StoredSeries): void {
    this.#unsaved.set(series.id, series);
    this.#unlogged.push(series);
  }

  #revive(id: SeriesId): void {
    const series = this.#catalog.describe(id);
    if (series === undefined) return;
    this.#catalog.restore(series);
    this.#remember(series);
  }

  #count({ taken, tooOld, tooNew, refused }: Appended): void {
    this.#counts.taken += taken;
    this.#counts.tooOld += tooOld;
    this.#counts.tooNew += tooNew;
    this.#counts.refused += refused;
  }

  #reportDamage({ series, first, last }: ChunkRef): void {
    this.#counts.damaged++;
    const labels = this.#catalog.describe(series)?.labels;
    const [from, to] = [first, last].map((time) => new Date(time / MICROS).toISOString());
    this.#options.log.error({ labels, from, to }, 'a chunk of a series is damaged; its rows are lost');
  }

  #inMemory(series: SeriesId): Rows {
    return merge(this.#frozen?.head.rowsOf(series) ?? NO_ROWS, this.#head.rowsOf(series));
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
    this.#syncLog().catch((cause: unknown) => {
      this.#options.log.warn({ cause }, 'the log of the series store cannot be written');
      this.#later('sync', RETRY_MS, () => this.#syncRegularly());
    });
  }

  /** The head takes no more rows; another one does, and this one is sealed meanwhile. */
  #freeze(): void {
    if (this.#frozen !== undefined || this.#head.length === 0) return;
    this.#frozen = this.#asGeneration();
    this.#log.begin(logFileOf(this.#logDirectory, ++this.#generation));
    this.#sealFrozen().catch((cause: unknown) => {
      this.#options.log.warn({ cause }, 'rows of the series store cannot be sealed');
    });
  }

  #asGeneration(): Generation {
    const generation = { number: this.#generation, head: this.#head.freeze(), marks: this.#newMarks };
    this.#timers.get('seal')?.cancel();
    this.#timers.delete('seal');
    this.#newMarks = new Map();
    this.#head = new Head(this.#limits.headRows);
    return generation;
  }

  async #sealAll(): Promise<void> {
    // What came while an older part was sealed comes after it.
    if (this.#frozen !== undefined) await this.#sealFrozen();
    this.#freeze();
    if (this.#frozen !== undefined) await this.#sealFrozen();
  }

  /** Once at a time. Tried again by itself when it fails. */
  #sealFrozen(): Promise<void> {
    this.#sealing ??= this.#sealOnce().finally(() => {
      this.#sealing = undefined;
    });
    return this.#sealing;
  }

  async #sealOnce(): Promise<void> {
    if (this.#frozen === undefined) return;
    try {
      await this.#syncLog();
      await this.#sealInto(this.#frozen);
      if (this.#trouble === 'its chunks') this.#trouble = undefined;
      this.#frozen = undefined;
      for (const file of await this.#log.dropSealed()) rmSync(file, { force: true });
    } catch (cause) {
      this.#partitions.rollback();
      this.#trouble ??= 'its chunks';
      this.#later('retry', RETRY_MS, () => this.#sealFrozen().catch(() => undefined));
      throw seriesErrors.DISK({ what: this.#trouble }, { cause });
    }
  }

  async #sealInto(generation: Generation): Promise<void> {
    const unsaved = new Map(this.#unsaved);
    await sealGeneration(
      {
        partitions: this.#partitions,
        file: this.#file,
        onDamaged: (ref) => this.#reportDamage(ref),
        onTooOld: (rows) => {
          this.#counts.tooOld += rows;
        },
        onSealed: (start) => this.#versions.set(start, (this.#versions.get(start) ?? 0) + 1),
      },
      generation,
      unsaved,
    );
    for (const [id, series] of unsaved) if (this.#unsaved.get(id) === series) this.#unsaved.delete(id);
  }

  /** A generation that was complete before the restart. */
  async #sealRecovered(): Promise<void> {
    await this.#sealInto(this.#asGeneration());
    for (const file of await this.#log.dropAll()) rmSync(file, { force: true });
  }

  #replay(): LogReader {
    const head = this.#head;
    return {
      series: (series) => {
        this.#catalog.restore(series);
        this.#unsaved.set(series.id, series);
      },
      rows: ({ length, columns, boxed }) => {
        head.reserve(length, this.#catalog.end);
        for (let row = 0; row < length; row++) {
          const id = columns.series[row] ?? 0;
          const time = columns.times[row] ?? 0;
          const value = columns.values[row] ?? 0;
          const quality = columns.qualities[row] ?? 0;
          const other = boxed.get(row);
          head.add(id, time, value, quality);
          if (other !== undefined) head.box(other, 0);
          this.#catalog.touch(id, time, value, quality, other);
        }
      },
      mark: (mark) => this.#setMark(mark),
    };
  }

  async #maintainOnce(): Promise<void> {
    await maintainPartitions({
      partitions: this.#partitions,
      now: this.#options.clock.now() * MICROS,
      retention: this.#retention,
      signal: this.#closing.signal,
      versionOf: (start) => this.#versions.get(start) ?? 0,
      onDamaged: (ref) => this.#reportDamage(ref),
    });
    this.#forgetSeries();
  }

  /** Those whose last row is older than every partition. */
  #forgetSeries(): void {
    const oldest = this.#partitions.starts[0];
    if (oldest === undefined) return;
    const gone = this.#catalog.select([], Number.POSITIVE_INFINITY).filter(({ id }) => {
      const last = this.#catalog.lastOf(id);
      return last !== undefined && last.time < oldest && this.#inMemory(id).length === 0;
    });
    if (gone.length === 0) return;
    this.#file.forget(gone.map(({ id }) => id));
    for (const series of gone) this.#catalog.forget(series);
  }

  #maintainRegularly(): void {
    this.maintain()
      .catch((cause: unknown) => this.#options.log.warn({ cause }, 'maintenance of the series store failed'))
      .finally(() => this.#later('maintain', MAINTAIN_EVERY_MS, () => this.#maintainRegularly()));
  }

  /** Unless that is planned already. */
  #later(name: string, delayMs: number, what: () => void): void {
    if (this.#timers.has(name) || this.#closing.signal.aborted) return;
    const timer = this.#options.clock.after(
      delayMs,
      () => {
        this.#timers.delete(name);
        what();
      },
      { unref: true },
    );
    this.#timers.set(name, timer);
  }
}
