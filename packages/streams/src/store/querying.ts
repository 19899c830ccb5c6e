/** Questions to the store: rows, one value a step, or everything piece by piece; with bounds on what one may cost. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@skerry/base';
import type { SeriesId } from '../contract/index.ts';
import { StepAggregator, type Stepping, tiersFor } from './aggregating.ts';
import type { Catalog } from './catalog.ts';
import type {
  QueryResult,
  SeriesQuery,
  SeriesResult,
  SeriesRows,
  StepQuery,
  StoredSeries,
  StoreLimits,
} from './contract.ts';
import { seriesErrors } from './errors.ts';
import { type Block, type RowSources, readBlocks, type TierChoice } from './reading.ts';
import { concat, MICROS, NO_ROWS, type Rows, toSeriesRows } from './rows.ts';

export interface QueryContext {
  readonly catalog: Catalog;
  readonly sources: RowSources;
  readonly clock: Clock;
  readonly limits: StoreLimits;
}

/** So many rows are looked at before other work has its turn. */
const ROWS_A_TURN = 200_000;
const SERIES_A_TURN = 256;
const MAX_TIME = 2 ** 53 / MICROS;
const GOOD = 192;

export async function runQuery(context: QueryContext, query: SeriesQuery | StepQuery): Promise<QueryResult> {
  const stepping = steppingOf(query);
  let damaged = 0;
  const sources = countingDamage(context.sources, () => damaged++);
  const run = new QueryRun({ ...context, sources }, query);
  const series: SeriesResult[] = [];
  for (const each of run.series) {
    const rows = stepping === undefined ? await rawRows(run, each.id) : await stepRows(run, each.id, stepping);
    if (rows.length > 0) series.push({ series: each, rows });
    await run.turn(0);
  }
  return { series, scanned: run.scanned, damaged };
}

export async function* runScan(context: QueryContext, query: SeriesQuery): AsyncGenerator<SeriesResult> {
  const unbounded = { ...context.limits, queryMs: Number.POSITIVE_INFINITY };
  const run = new QueryRun({ ...context, limits: unbounded }, query);
  for (const series of run.series) {
    for (const { rows } of run.blocks(series.id)) {
      if (rows !== undefined && rows.length > 0) yield { series, rows: toSeriesRows(rows) };
      await run.turn(rows?.length ?? 0);
    }
  }
}

/** What one query has cost so far. */
class QueryRun {
  readonly series: readonly StoredSeries[];
  readonly maxPoints: number;
  scanned = 0;
  points = 0;
  readonly #context: QueryContext;
  readonly #query: SeriesQuery;
  readonly #deadline: number;
  #rowsThisTurn = 0;
  #piecesThisTurn = 0;

  constructor(context: QueryContext, query: SeriesQuery) {
    const { limits, clock, catalog } = context;
    checkRange(query);
    query.signal?.throwIfAborted();
    this.#context = context;
    this.#query = query;
    this.#deadline = clock.monotonic() + limits.queryMs;
    this.maxPoints = Math.min(limits.queryPoints, query.maxPoints ?? Number.POSITIVE_INFINITY);
    const most = Math.min(limits.querySeries, query.maxSeries ?? Number.POSITIVE_INFINITY);
    this.series = catalog.select(query.matchers, most);
  }

  blocks(series: SeriesId, tiers?: TierChoice): Generator<Block> {
    const { from, to } = this.#query;
    return readBlocks(this.#context.sources, series, { from: from * MICROS, to: to * MICROS }, tiers);
  }

  takePoints(more: number): void {
    this.points += more;
    if (this.points > this.maxPoints) throw seriesErrors.QUERY({ problem: `more than ${this.maxPoints} points` });
  }

  /** After each piece: other work has its turn from time to time, and the query may end here. */
  async turn(rows: number): Promise<void> {
    this.scanned += rows;
    this.#rowsThisTurn += rows;
    if (this.#rowsThisTurn < ROWS_A_TURN && ++this.#piecesThisTurn < SERIES_A_TURN) return;
    this.#rowsThisTurn = 0;
    this.#piecesThisTurn = 0;
    await turn();
    this.#query.signal?.throwIfAborted();
    if (this.#context.clock.monotonic() > this.#deadline) {
      throw seriesErrors.QUERY({ problem: `it took longer than ${this.#context.limits.queryMs} ms` });
    }
  }
}

async function rawRows(run: QueryRun, series: SeriesId): Promise<SeriesRows> {
  const pieces: Rows[] = [];
  for (const { rows = NO_ROWS } of run.blocks(series)) {
    run.takePoints(rows.length);
    pieces.push(rows);
    await run.turn(rows.length);
  }
  return toSeriesRows(concat(pieces));
}

async function stepRows(run: QueryRun, series: SeriesId, stepping: Stepping): Promise<SeriesRows> {
  const aggregator = new StepAggregator(stepping);
  for (const block of run.blocks(series, tiersFor(stepping))) {
    const before = aggregator.length;
    const looked = aggregator.add(block);
    run.takePoints(aggregator.length - before);
    await run.turn(looked);
  }
  const { times, values } = aggregator.finish();
  const length = times.length;
  const qualities = new Uint8Array(length).fill(GOOD);
  return { length, times: Float64Array.from(times), values: Float64Array.from(values), qualities };
}

function countingDamage(sources: RowSources, count: () => void): RowSources {
  return {
    partitions: sources.partitions,
    inMemory: (series) => sources.inMemory(series),
    onDamaged: (ref) => {
      count();
      sources.onDamaged(ref);
    },
  };
}

function steppingOf(query: SeriesQuery | StepQuery): Stepping | undefined {
  if (!('step' in query)) return undefined;
  const step = Math.round(query.step * MICROS);
  if (!(step >= MICROS)) throw seriesErrors.QUERY({ problem: 'a step of less than a millisecond' });
  return { from: query.from * MICROS, to: query.to * MICROS, step, aggregate: query.aggregate };
}

function checkRange({ from, to }: SeriesQuery): void {
  if (!(from < to)) throw seriesErrors.QUERY({ problem: 'a range that ends before it begins' });
  if (!(Math.abs(from) <= MAX_TIME && Math.abs(to) <= MAX_TIME)) {
    throw seriesErrors.QUERY({ problem: 'a range beyond all times' });
  }
}
