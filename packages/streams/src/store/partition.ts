/** One partition: the chunks of all series whose rows fall into its time, and their tiers, in a SQLite file. */
import { existsSync, rmSync, statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SeriesId } from '../contract/index.ts';
import { encodeChunk } from './codec/chunk.ts';
import { counts, encodeTier, TIERS } from './codec/tier.ts';
import type { Labels, StoredSeries } from './contract.ts';
import { isDamaged, openDatabase } from './database.ts';
import { MICROS, type Rows } from './rows.ts';
import { parseStoredType } from './stored-type.ts';

const SCHEMA = `
  CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    tier INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    data BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX chunk_of_series ON chunk (series, first, tier, last, rows);
  CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    dense INTEGER NOT NULL,
    raw INTEGER NOT NULL,
    tiers INTEGER NOT NULL
  ) STRICT;
  INSERT INTO state (id, dense, raw, tiers) VALUES (0, 0, 1, 3);
`;
/** Files of before have none. */
const NAMES = `
  CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, type TEXT NOT NULL, labels TEXT NOT NULL) STRICT;
`;

/** Of rows as they came. The others are the seconds of a tier's steps. */
export const RAW = 0;

const SECOND = 1000 * MICROS;

/** Those of the tiers. */
const TIER_SECONDS = Object.values(TIERS).map((width) => width / SECOND);

/** A chunk or a tier of it: `first` and `last` are the times of the rows, in microseconds. */
export interface ChunkRef {
  readonly id: number;
  readonly series: SeriesId;
  readonly tier: number;
  readonly first: number;
  readonly last: number;
  readonly rows: number;
}

export interface PartitionState {
  /** Its chunks are as few and as large as can be, and nothing that was removed takes space any more. */
  readonly isDense: boolean;
  /** Of which series rows as they came have not been removed; a series may take rows only then. */
  readonly raw: 'all' | 'some' | 'none';
  /** How many of the three have not been removed. */
  readonly tiers: number;
}

/** As the file has them. */
const RAW_STATES = { none: 0, all: 1, some: 2 } as const;

/** So many forms a chunk has at most: its rows and three tiers. */
const MAX_FORMS = 4;

export class Partition {
  readonly file: string;
  readonly #database: DatabaseSync;
  readonly #next: StatementSync;
  readonly #downFrom: StatementSync;
  readonly #data: StatementSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #putName: StatementSync;
  readonly #name: StatementSync;
  #state: PartitionState;

  constructor(file: string) {
    const database = openDatabase(file, SCHEMA);
    this.file = file;
    this.#state = readState(database);
    this.#database = database;
    this.#putName = database.prepare(
      `INSERT INTO series (id, type, labels) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET type = excluded.type, labels = excluded.labels
       WHERE type <> excluded.type OR labels <> excluded.labels`,
    );
    this.#name = database.prepare('SELECT type, labels FROM series WHERE id = ?');
    this.#next = database.prepare(
      `SELECT id, series, tier, first, last, rows FROM chunk
       WHERE series = ? AND last >= ? AND first < ? ORDER BY first, tier LIMIT ${MAX_FORMS}`,
    );
    this.#downFrom = database.prepare(
      `SELECT id, series, tier, first, last, rows, length(data) AS bytes FROM chunk
       WHERE series = ? AND tier = 0 AND first <= ? ORDER BY first DESC`,
    );
    this.#data = database.prepare('SELECT data FROM chunk WHERE id = ?');
    this.#put = database.prepare('INSERT INTO chunk (series, tier, first, last, rows, data) VALUES (?, ?, ?, ?, ?, ?)');
    this.#remove = database.prepare('DELETE FROM chunk WHERE series = ? AND first = ?');
  }

  get state(): PartitionState {
    return this.#state;
  }

  setState(state: PartitionState): void {
    const update = this.#database.prepare('UPDATE state SET dense = ?, raw = ?, tiers = ?');
    update.run(Number(state.isDense), RAW_STATES[state.raw], state.tiers);
    this.#state = state;
  }

  /** What a series with chunks in here is, for a catalogue that is lost. */
  name({ id, type, labels }: StoredSeries): void {
    this.#putName.run(id, type, JSON.stringify(labels));
  }

  nameOf(id: SeriesId): StoredSeries | undefined {
    const { type, labels } = this.#name.get(id) ?? {};
    if (type === undefined) return undefined;
    return { id, type: parseStoredType(String(type)), labels: JSON.parse(String(labels)) as Labels };
  }

  /** The first chunk of the series that has rows in the range, in its forms: the rows before the tiers. */
  next(series: SeriesId, from: number, to: number): readonly ChunkRef[] {
    const found = this.#next.all(series, from, to).map(refOf);
    return found.filter(({ first }) => first === found[0]?.first);
  }

  /** Chunks of rows that begin no later than `time`, the latest first. */
  *downFrom(series: SeriesId, time: number): Generator<ChunkRef & { readonly bytes: number }> {
    for (const row of this.#downFrom.iterate(series, time)) yield { ...refOf(row), bytes: Number(row['bytes']) };
  }

  /** Undefined when it cannot be read. */
  data(ref: ChunkRef): Uint8Array | undefined {
    try {
      const data = this.#data.get(ref.id)?.['data'];
      return data instanceof Uint8Array ? data : undefined;
    } catch (error) {
      if (isDamaged(error)) return undefined;
      throw error;
    }
  }

  /** Rows of a time that no other chunk of the series has, as a chunk and its tiers. */
  put(series: SeriesId, rows: Rows): void {
    this.#putForm(series, RAW, rows, encodeChunk(rows));
    for (const seconds of TIER_SECONDS) {
      const tier = encodeTier(rows, seconds * SECOND);
      if (tier !== undefined) this.#putForm(series, seconds, rows, tier);
    }
  }

  /** Only the tiers of these seconds; the rows themselves stand in for one that would not be much smaller. */
  putTiers(series: SeriesId, rows: Rows, kept: readonly number[]): void {
    if (!rows.values.some((value, row) => counts(value, rows.qualities[row] ?? 0))) return;
    const tiers = kept.map((seconds) => [seconds, encodeTier(rows, seconds * SECOND)] as const);
    if (tiers.some(([, tier]) => tier === undefined)) this.#putForm(series, RAW, rows, encodeChunk(rows));
    for (const [seconds, tier] of tiers) if (tier !== undefined) this.#putForm(series, seconds, rows, tier);
  }

  #putForm(series: SeriesId, tier: number, rows: Pick<Rows, 'length' | 'times'>, data: Uint8Array): void {
    this.copy(
      { series, tier, first: rows.times[0] ?? 0, last: rows.times[rows.length - 1] ?? 0, rows: rows.length },
      data,
    );
  }

  copy({ series, tier, first, last, rows }: Omit<ChunkRef, 'id'>, data: Uint8Array): void {
    this.#put.run(series, tier, first, last, rows, data);
  }

  /** With its tiers. */
  remove({ series, first }: ChunkRef): void {
    this.#remove.run(series, first);
  }

  /** Rows as they came have been removed of this series. */
  lacksRaw(series: SeriesId): boolean {
    return this.forms(series).some((forms) => !forms.includes(RAW));
  }

  /** Which forms each chunk of the series has. */
  forms(series: SeriesId): readonly (readonly number[])[] {
    const found = this.#database.prepare('SELECT first, tier FROM chunk WHERE series = ? ORDER BY first').all(series);
    return [...Map.groupBy(found, ({ first }) => first).values()].map((forms) => forms.map(({ tier }) => Number(tier)));
  }

  /** Every form of every chunk. */
  refsOf(series: SeriesId): readonly ChunkRef[] {
    const all = this.#database.prepare('SELECT id, series, tier, first, last, rows FROM chunk WHERE series = ?');
    return all.all(series).map(refOf);
  }

  /** What the chunks of each series take. */
  *bytesBySeries(): Generator<readonly [SeriesId, number]> {
    const found = this.#database.prepare('SELECT series, sum(length(data)) AS bytes FROM chunk GROUP BY series').all();
    for (const { series, bytes } of found) yield [Number(series), Number(bytes)];
  }

  series(): readonly SeriesId[] {
    return this.#database
      .prepare('SELECT DISTINCT series FROM chunk ORDER BY series')
      .all()
      .map((row) => Number(row['series']));
  }

  /** The time of the newest row. */
  newest(): number {
    return Number(this.#database.prepare('SELECT max(last) AS newest FROM chunk').get()?.['newest'] ?? 0);
  }

  /** Begins to write, unless that has begun; all of it is on disk after `commit`. */
  begin(): void {
    if (!this.#database.isTransaction) this.#database.exec('BEGIN');
  }

  /** Something was begun and is not committed. */
  get isWriting(): boolean {
    return this.#database.isOpen && this.#database.isTransaction;
  }

  commit(): void {
    if (this.isWriting) this.#database.exec('COMMIT');
  }

  rollback(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  close(): void {
    if (!this.#database.isOpen) return;
    this.rollback();
    this.#database.close();
  }

  /** With its file, unless that has another name by now. */
  discard(): void {
    this.close();
    removePartition(this.file);
  }
}

export function bytesOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

export function removePartition(file: string): void {
  for (const each of [file, `${file}-journal`]) if (existsSync(each)) rmSync(each);
}

/** Closes the database where that cannot be read. */
function readState(database: DatabaseSync): PartitionState {
  try {
    database.exec(NAMES);
    const { dense, raw, tiers } = database.prepare('SELECT dense, raw, tiers FROM state').get() ?? {};
    const found = Object.entries(RAW_STATES).find(([, number]) => number === raw)?.[0] ?? 'none';
    return { isDense: dense === 1, raw: found as PartitionState['raw'], tiers: Number(tiers) };
  } catch (error) {
    database.close();
    throw error;
  }
}

function refOf(row: Record<string, unknown>): ChunkRef {
  return {
    id: Number(row['id']),
    series: Number(row['series']),
    tier: Number(row['tier']),
    first: Number(row['first']),
    last: Number(row['last']),
    rows: Number(row['rows']),
  };
}
