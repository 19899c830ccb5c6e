/** The store of time series: a directory with the catalogue of the series, the log of what came last, and chunks by time. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Batch, SeriesId } from '../contract/index.ts';
import { Catalog } from './catalog.ts';
import type { CatalogContents, CatalogFile } from './catalog-file.ts';
import type {
  Appended,
  Labels,
  LastRow,
  Mark,
  Matcher,
  OwnRetention,
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
import { copyStore } from './copying.ts';
import { isBusy, syncDirectory } from './database.ts';
import { seriesErrors } from './errors.ts';
import { Keeping } from './keeping.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { LogDisk } from './log.ts';
import { longestOf, maintainPartitions } from './maintenance.ts';
import { NamedTimers } from './named-timers.ts';
import type { ChunkRef } from './partition.ts';
import { Partitions } from './partitions.ts';
import { type QueryContext, runQuery, runScan } from './querying.ts';
import { openCatalog } from './rebuilding.ts';
import { MICROS } from './rows.ts';
import { WritePath } from './write-path.ts';

const MAINTAIN_EVERY_MS = 600_000;

/** `disk` is where the log goes: tests have one that fails. */
export async function openOn(options: SeriesStoreOptions, disk: LogDisk): Promise<SeriesStore> {
  const { directory } = options;
  let store: DiskSeriesStore | undefined;
  try {
    for (const part of ['log', 'chunks']) mkdirSync(join(directory, part), { recursive: true, mode: 0o700 });
    for (const each of [directory, dirname(directory)]) syncDirectory(each);
    const { file, contents } = openCatalog(directory, options.log);
    store = new DiskSeriesStore(options, disk, file);
    await store.recover(contents);
    return store;
  } catch (cause) {
    await store?.abandon();
    if (isBusy(cause)) throw seriesErrors.LOCKED({ directory }, { cause });
    throw seriesErrors.OPEN({ directory }, { cause });
  }
}

interface Counts {
  taken: number;
  tooOld: number;
  tooNew: number;
  refused: number;
  damagedChunks: number;
}

class DiskSeriesStore implements SeriesStore {
  readonly #options: SeriesStoreOptions;
  readonly #limits: StoreLimits;
  readonly #timers: NamedTimers;
  readonly #file: CatalogFile;
  readonly #catalog: Catalog;
  readonly #partitions: Partitions;
  readonly #writing: WritePath;
  readonly #queries: QueryContext;
  readonly #closing = new AbortController();
  readonly #counts: Counts = { taken: 0, tooOld: 0, tooNew: 0, refused: 0, damagedChunks: 0 };
  #keeping: Keeping;
  #maintaining: Promise<void> | undefined;

  constructor(options: SeriesStoreOptions, disk: LogDisk, file: CatalogFile) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { directory, log, clock, retention = {} } = options;
    const onDamaged = (ref: ChunkRef) => this.#reportDamage(ref);
    const timers = new NamedTimers(clock);
    const catalog = new Catalog(limits.series);
    const partitions = new Partitions({
      log,
      directory: join(directory, 'chunks'),
      span: limits.partitionMs * MICROS,
      maxBytes: limits.partitionBytes,
      maxOpen: limits.openPartitions,
    });
    const onTooOld = (rows: number) => {
      this.#counts.tooOld += rows;
    };
    const parts = { clock, log, limits, timers, disk, file, catalog, partitions, onDamaged, onTooOld };
    this.#writing = new WritePath({ ...parts, logDirectory: join(directory, 'log') });
    const inMemory = (series: SeriesId) => this.#writing.inMemory(series);
    this.#queries = { catalog, sources: { partitions, inMemory, onDamaged }, clock, limits };
    this.#options = options;
    this.#limits = limits;
    this.#timers = timers;
    this.#file = file;
    this.#catalog = catalog;
    this.#partitions = partitions;
    this.#keeping = new Keeping({ plan: retention }, (id) => catalog.describe(id)?.labels);
  }

  /** As it was when the process ended, however it did. */
  async recover(contents: CatalogContents): Promise<void> {
    for (const series of contents.series) this.#catalog.restore(series);
    for (const [id, last] of contents.last) this.#catalog.restoreLast(id, last);
    await this.#writing.recover(contents);
    this.#timers.later('maintain', MAINTAIN_EVERY_MS, () => this.#maintainRegularly());
  }

  series(labels: Labels, type: StoredType): SeriesId {
    const known = this.#catalog.find(labels);
    if (known !== undefined) return known;
    this.#checkOpen();
    const series = this.#catalog.create(labels, type);
    this.#writing.remember(series);
    return series.id;
  }

  describe(id: SeriesId): StoredSeries | undefined {
    return this.#catalog.describe(id);
  }

  append(batch: Batch, mark?: Mark): Appended {
    this.#checkOpen();
    const longest = longestOf(this.#keeping.plan) ?? Number.POSITIVE_INFINITY;
    const appended = this.#writing.append(batch, this.#options.clock.now() - longest, mark);
    const { taken, tooOld, tooNew, refused } = appended;
    this.#counts.taken += taken;
    this.#counts.tooOld += tooOld;
    this.#counts.tooNew += tooNew;
    this.#counts.refused += refused;
    this.#options.onRows?.(batch);
    return appended;
  }

  mark(key: string): Uint8Array | undefined {
    return this.#writing.mark(key);
  }

  async sync(): Promise<void> {
    this.#checkOpen();
    await this.#writing.sync();
  }

  async seal(): Promise<void> {
    this.#checkOpen();
    await this.#writing.seal();
  }

  async query(query: SeriesQuery | StepQuery): Promise<QueryResult> {
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

  setRetention(plan: RetentionPlan, own?: OwnRetention): void {
    this.#keeping = new Keeping({ plan, own }, (id) => this.#catalog.describe(id)?.labels);
  }

  async maintain(): Promise<void> {
    this.#checkOpen();
    this.#maintaining ??= this.#maintainOnce().finally(() => {
      this.#maintaining = undefined;
    });
    await this.#maintaining;
  }

  async copyTo(directory: string, signal?: AbortSignal): Promise<void> {
    await this.seal();
    const ended = this.#closing.signal;
    await copyStore({
      directory,
      log: this.#options.log,
      partitions: this.#partitions,
      contents: this.#file.read(),
      series: () => this.#catalog.select([], Number.POSITIVE_INFINITY),
      signal: signal === undefined ? ended : AbortSignal.any([signal, ended]),
    });
  }

  stats(): StoreStats {
    const { rows, logBytes, trouble } = this.#writing;
    return {
      series: this.#catalog.size,
      headRows: rows,
      logBytes,
      partitions: this.#partitions.count,
      openPartitions: this.#partitions.openCount,
      bytes: this.#partitions.bytes,
      ...this.#counts,
      ...(trouble === undefined ? {} : { refusing: `${trouble} cannot be written` }),
    };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    try {
      await this.#writing.seal();
    } catch (cause) {
      // What was acknowledged is in the log, and is found there by the next start.
      this.#options.log.warn({ cause }, 'the series store ends without having sealed its rows');
    }
    await this.abandon();
  }

  /** Lets go of everything as it is. */
  async abandon(): Promise<void> {
    this.#closing.abort();
    this.#timers.close();
    await this.#maintaining?.catch(() => undefined);
    await this.#writing.close();
    this.#partitions.close();
    this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw seriesErrors.CLOSED();
  }

  #reportDamage({ series, first, last }: ChunkRef): void {
    this.#counts.damagedChunks++;
    const labels = this.#catalog.describe(series)?.labels;
    const [from, to] = [first, last].map((time) => new Date(time / MICROS).toISOString());
    this.#options.log.error({ labels, from, to }, 'a chunk of a series is damaged; its rows are lost');
  }

  async #maintainOnce(): Promise<void> {
    const keeping = this.#keeping;
    const isWhole = await maintainPartitions({
      partitions: this.#partitions,
      now: this.#options.clock.now() * MICROS,
      keeping,
      signal: this.#closing.signal,
      versionOf: (start) => this.#writing.versionOf(start),
      onDamaged: (ref) => this.#reportDamage(ref),
    });
    this.#forgetSeries(isWhole ? keeping : undefined);
  }

  /** Those whose rows are all gone: with their partitions or, when all was removed that `keeping` does not keep, out of these. */
  #forgetSeries(keeping: Keeping | undefined): void {
    const oldest = this.#partitions.starts[0] ?? Number.NEGATIVE_INFINITY;
    const now = this.#options.clock.now();
    const ended = (id: SeriesId) => {
      const longest = keeping === undefined || keeping.isCommon ? undefined : longestOf(keeping.planOf(id));
      return longest === undefined ? oldest : Math.max(oldest, (now - longest - this.#limits.partitionMs) * MICROS);
    };
    const gone = this.#catalog.endedBefore(ended).filter(({ id }) => this.#writing.inMemory(id).length === 0);
    if (gone.length === 0) return;
    this.#file.forget(gone.map(({ id }) => id));
    for (const series of gone) this.#catalog.forget(series);
  }

  #maintainRegularly(): void {
    this.maintain()
      .catch((cause: unknown) => this.#options.log.warn({ cause }, 'maintenance of the series store failed'))
      .finally(() => this.#timers.later('maintain', MAINTAIN_EVERY_MS, () => this.#maintainRegularly()));
  }
}
