/** What the store of time series offers to the rest: series by label sets, rows in columns, queries with bounds. */
import type { Clock, Logger } from '@skerry/base';
import type { Batch, Boxed, Scalar, SeriesId } from '../contract/index.ts';

/** The identity of a series, such as `{ namespace, device, property }`. The order of the names has no meaning. */
export type Labels = Readonly<Record<string, string>>;

/**
 * What the values of a series stand for. They travel as the batches of the bus carry them: numbers in the column of float64 (bool as
 * 0 and 1, datetime as milliseconds, integers up to 2^53), the rest beside it. `json` is for lists and structures.
 */
export const STORED_TYPES = [
  'float64',
  'float32',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'datetime',
  'string',
  'bytes',
  'json',
] as const;

export type StoredType = (typeof STORED_TYPES)[number];

export interface StoredSeries {
  /** Local to this store: it means nothing to another one. */
  readonly id: SeriesId;
  readonly labels: Labels;
  readonly type: StoredType;
}

/** `=~` and `!~` match the whole value, as in PromQL. A label that a series does not have is empty. */
export interface Matcher {
  readonly label: string;
  readonly op: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

/** Rows of one series, by time. The columns have exactly `length` rows; NaN in `values` where the value is in `boxed`. */
export interface SeriesRows {
  readonly length: number;
  /** Milliseconds since 1970, exact to the microsecond. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly qualities: Uint8Array;
  readonly boxed?: ReadonlyMap<number, Boxed>;
}

export interface SeriesResult {
  readonly series: StoredSeries;
  readonly rows: SeriesRows;
}

/**
 * Over the rows of a step whose value is a number and whose quality is not bad. `increase` adds up what a counter grew by, from row
 * to row within the range, a fall being a reset to zero; `rate` is that per second of the step.
 */
export type Aggregate = 'avg' | 'min' | 'max' | 'sum' | 'count' | 'first' | 'last' | 'increase' | 'rate';

export interface SeriesQuery {
  /** All must hold; none at all means every series. */
  readonly matchers: readonly Matcher[];
  /** Milliseconds since 1970; `from` belongs to the range, `to` does not. */
  readonly from: number;
  readonly to: number;
  /** So many bounds as a caller wants beneath those of the store. */
  readonly maxSeries?: number;
  readonly maxPoints?: number;
  readonly signal?: AbortSignal;
}

export interface StepQuery extends SeriesQuery {
  /** Milliseconds. Steps are counted from 1970; each row of the answer stands at the start of a step that has points. */
  readonly step: number;
  readonly aggregate: Aggregate;
}

export interface QueryResult {
  /** Series without rows in the range are left out. */
  readonly series: readonly SeriesResult[];
  /** Rows that were looked at: of the tiers where these fit. */
  readonly scanned: number;
  /** Chunks in the range that were found damaged and are missing from the answer. */
  readonly damaged: number;
}

export interface LastRow {
  readonly series: StoredSeries;
  /** The row with the latest time. */
  readonly time: number;
  readonly value: Scalar | Boxed;
  readonly quality: number;
}

/** What became of the rows of a batch. A row that repeats another one of the same series and time replaces it. */
export interface Appended {
  readonly taken: number;
  /** Older than anything is kept for. */
  readonly tooOld: number;
  /** Further ahead of the clock than the store allows. */
  readonly tooNew: number;
  /** Of a series that the store does not know, without a time, or of a value that is too large. */
  readonly refused: number;
}

/** A small note that is committed together with rows: a sender's position, so that what it sends again is known to be here. */
export interface Mark {
  /** At most 256 characters. */
  readonly key: string;
  /** At most 128 bytes; replaces what the mark was. */
  readonly value: Uint8Array;
}

/** For how long, and how much. Milliseconds; what is absent is without limit. */
export interface RetentionPlan {
  /** Of the rows as they came. */
  readonly rawFor?: number;
  /** Of the tier of seconds; as `rawFor` without it. Tiers are never removed before the rows. */
  readonly secondFor?: number;
  readonly minuteFor?: number;
  readonly hourFor?: number;
  /** Of all files; the oldest partition goes first. */
  readonly maxBytes?: number;
}

/**
 * What is kept of series that are not kept as the rest; undefined for the others. Series with the same plan, which is then the same
 * object, share its `maxBytes`. No such plan keeps rows longer than the one of the store takes them.
 */
export type OwnRetention = (labels: Labels) => RetentionPlan | undefined;

export interface SeriesStoreOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly retention?: RetentionPlan;
  readonly limits?: Partial<StoreLimits>;
  /** Gets each batch that was taken, before any of it is on disk: what must be elsewhere can be there first. */
  readonly onRows?: (batch: Batch) => void;
}

export interface StoreLimits {
  /** Rows in memory that are not yet sealed; as many again may wait to be sealed. 25 bytes each. */
  readonly headRows: number;
  readonly series: number;
  readonly marks: number;
  /** The time that a partition's file covers, a whole number of hours that divides a day or a number of days. */
  readonly partitionMs: number;
  /** A partition that has grown to this is followed by another one from the next hour on. */
  readonly partitionBytes: number;
  readonly openPartitions: number;
  /** How far ahead of the clock a row's time may be. */
  readonly aheadMs: number;
  /** Rows sealed no later than this after they came. */
  readonly sealAfterMs: number;
  /** The background writes the log to disk this often. */
  readonly syncEveryMs: number;
  /** Of one query. */
  readonly querySeries: number;
  readonly queryPoints: number;
  readonly queryMs: number;
}

export interface StoreStats {
  readonly series: number;
  /** Rows in memory: taken since the last sealing, and those that are being sealed. */
  readonly headRows: number;
  readonly logBytes: number;
  readonly partitions: number;
  readonly openPartitions: number;
  readonly bytes: number;
  readonly taken: number;
  readonly tooOld: number;
  readonly tooNew: number;
  readonly refused: number;
  /** Chunks found damaged since the start. */
  readonly damagedChunks: number;
  /** Why the store takes nothing at present. */
  readonly refusing?: string;
}

export interface SeriesStore extends AsyncDisposable {
  /** The number of a series, made known with its first call. The type counts only then. */
  series(labels: Labels, type: StoredType): SeriesId;
  describe(id: SeriesId): StoredSeries | undefined;
  /**
   * Takes rows into memory, with this store's numbers in `batch.series`. They are on disk once a `sync` that began later has ended,
   * or after `syncEveryMs` by themselves; after whatever crash the batch and its mark are both there or neither is. Throws
   * `SERIES_…` when the store can take nothing: disk full, closed.
   */
  append(batch: Batch, mark?: Mark): Appended;
  /** The last value of a mark, also one that is not on disk yet. */
  mark(key: string): Uint8Array | undefined;
  /** Everything appended before this call is on disk when it resolves. Calls at the same time share one write. */
  sync(): Promise<void>;
  /** Moves what is in memory into chunks. Needed by nobody but tests, exports and shutdown: the store does it by itself. */
  seal(): Promise<void>;
  /** Rows as they came, or one a step. Gives way to other work while it runs. */
  query(query: SeriesQuery | StepQuery): Promise<QueryResult>;
  /** Rows as they came, series after series, a few thousand at a time: without bound on their number. */
  scan(query: SeriesQuery): AsyncIterable<SeriesResult>;
  last(matchers: readonly Matcher[]): readonly LastRow[];
  seriesOf(matchers: readonly Matcher[]): readonly StoredSeries[];
  labelNames(): readonly string[];
  labelValues(label: string): readonly string[];
  setRetention(plan: RetentionPlan, own?: OwnRetention): void;
  /** Removes what is older than the retention, and makes partitions whose time has passed dense. The store does it by itself. */
  maintain(): Promise<void>;
  /**
   * Writes a store of its own into the directory, with everything that was appended before this call. Rows that come meanwhile may be
   * in it; what senders marked is as it was before. Gives way to other work while it runs.
   */
  copyTo(directory: string, signal?: AbortSignal): Promise<void>;
  stats(): StoreStats;
  /** Seals and ends. */
  close(): Promise<void>;
}
