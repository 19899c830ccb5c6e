/**
 * A statement at work: rows of streams in, results out. Pure: it is told what time it is, and does no I/O but through tables.
 * Common table expressions are flows of their own, whose results are rows of a source.
 */
import type { EvalContext, Plan, Row, SourceNode } from '../sql/index.ts';
import type { LookupTable } from './lookup.ts';
import { metaOf } from './meta.ts';
import type { SavedState } from './operator.ts';
import { createQuery, least, type Query } from './query.ts';
import { type Counters, type Limits, Runtime } from './runtime.ts';
import { type SourceTiming, Timeline } from './timeline.ts';

export interface FlowOptions {
  readonly plan: Plan;
  /** For each query of the statement; `meta` says what travelled beside the row that is being worked on. */
  readonly createContext: (meta: (source: number) => Row | undefined) => EvalContext;
  readonly limits: Limits;
  readonly timing: (stream: string) => SourceTiming;
  readonly table: (name: string) => LookupTable;
  readonly onRows: (rows: readonly Row[], time: number) => void;
  readonly onLate: (stream: string, row: Row, time: number) => void;
  readonly onError: (operator: string, error: unknown) => void;
  /** No result that comes is earlier. */
  readonly onWatermark?: (time: number) => void;
}

/** By the ids of operators. */
export type SavedFlow = Readonly<Record<string, SavedState>>;

export interface Flow {
  /** Streams whose rows it takes. */
  readonly streams: readonly string[];
  offer(stream: string, row: Row, time: number): void;
  /** Nothing earlier than this comes of the stream any more. */
  advance(stream: string, time: number): void;
  setIdle(stream: string): void;
  /** The times that were are of a clock that was wrong: what windows hold is given out, and time begins anew. */
  setBack(time: number): void;
  /** When something is to be given out though no row comes: then `advance` is due. */
  due(): number | undefined;
  /** The latest of it and its common table expressions. */
  readonly watermark: number;
  counters(): readonly Counters[];
  dropped(): ReadonlyMap<string, number>;
  keys(): number;
  windowRows(): number;
  save(): SavedFlow;
  load(saved: SavedFlow): void;
}

export function createFlow(options: FlowOptions): Flow {
  return new PlannedFlow(options);
}

/** The id under which the order of rows is kept. */
const ORDER = 'order';

class PlannedFlow implements Flow {
  readonly streams: readonly string[];
  readonly #runtime: Runtime;
  readonly #query: Query;
  readonly #timeline: Timeline | undefined;
  readonly #onWatermark: ((time: number) => void) | undefined;
  /** Which sources of the plan read a stream. */
  readonly #direct = new Map<string, number[]>();
  readonly #timings = new Map<string, SourceTiming>();
  readonly #nested: readonly { readonly id: string; readonly flow: Flow }[];
  #watermark = Number.NEGATIVE_INFINITY;

  constructor(options: FlowOptions) {
    const { plan, onRows, onLate, table } = options;
    this.#onWatermark = options.onWatermark;
    this.#runtime = this.#createRuntime(options);
    this.#query = createQuery({
      plan,
      runtime: this.#runtime,
      table,
      onRows: (rows, { time }) => onRows(rows, time),
    });
    this.#nested = plan.sources.flatMap((source) => this.#nest(source, options));
    for (const { index, relation, query } of plan.sources) {
      if (query !== undefined || relation.kind === 'table') continue;
      this.#direct.set(relation.name, [...(this.#direct.get(relation.name) ?? []), index]);
      this.#timings.set(relation.name, options.timing(relation.name));
    }
    if (needsOrder(plan)) {
      this.#timeline = new Timeline(
        plan.sources.map(({ relation, query }) => timingOf(relation.kind, query, options.timing, relation.name)),
        this.#runtime,
        {
          push: (source, row, time) => this.#query.push(source, row, time),
          advance: (time) => this.#advanced(time),
          late: (source, row, time) => onLate(plan.sources[source]?.relation.name ?? '', row, time),
        },
      );
    }
    this.streams = [...new Set([...this.#direct.keys(), ...this.#nested.flatMap(({ flow }) => flow.streams)])];
  }

  get watermark(): number {
    const own = this.#timeline?.watermark ?? this.#watermark;
    return this.#nested.reduce((latest, { flow }) => Math.max(latest, flow.watermark), own);
  }

  offer(stream: string, row: Row, time: number): void {
    for (const { flow } of this.#nested) flow.offer(stream, row, time);
    const direct = this.#direct.get(stream);
    if (direct === undefined) return;
    for (const source of direct) this.#take(source, row, time);
    this.#tell(this.#timeline?.watermark ?? this.#passed(stream, time));
  }

  advance(stream: string, time: number): void {
    for (const { flow } of this.#nested) flow.advance(stream, time);
    for (const source of this.#direct.get(stream) ?? []) {
      if (this.#timeline !== undefined) this.#timeline.advanceSource(source, time);
      else this.#advanced(time);
    }
  }

  setIdle(stream: string): void {
    for (const { flow } of this.#nested) flow.setIdle(stream);
    for (const source of this.#direct.get(stream) ?? []) this.#timeline?.setIdle(source);
  }

  setBack(time: number): void {
    for (const { flow } of this.#nested) flow.setBack(time);
    this.#timeline?.setBack(time);
    this.#query.advance(Number.POSITIVE_INFINITY);
    this.#watermark = time;
  }

  due(): number | undefined {
    return least([this.#query.due(), this.#timeline?.due, ...this.#nested.map(({ flow }) => flow.due())]);
  }

  counters(): readonly Counters[] {
    return [...this.#nested.flatMap(({ flow }) => flow.counters()), ...this.#query.counters()];
  }

  dropped(): ReadonlyMap<string, number> {
    const all = new Map<string, number>(this.#runtime.dropped);
    for (const { flow } of this.#nested)
      for (const [reason, count] of flow.dropped()) all.set(reason, (all.get(reason) ?? 0) + count);
    return all;
  }

  keys(): number {
    return this.#nested.reduce((sum, { flow }) => sum + flow.keys(), this.#runtime.keys);
  }

  windowRows(): number {
    return this.#nested.reduce((sum, { flow }) => sum + flow.windowRows(), this.#runtime.windowRows);
  }

  save(): SavedFlow {
    const { hits } = this.#runtime.context;
    return {
      ...this.#query.save(),
      ...(this.#timeline === undefined ? {} : { [ORDER]: this.#timeline.save() }),
      hits: { ...hits },
      ...Object.fromEntries(this.#nested.map(({ id, flow }) => [id, flow.save()])),
    };
  }

  load(saved: SavedFlow): void {
    if (this.#timeline !== undefined && saved[ORDER] !== undefined) this.#timeline.load(saved[ORDER]);
    Object.assign(this.#runtime.context.hits, saved['hits']);
    this.#query.load(saved);
    for (const { id, flow } of this.#nested) if (saved[id] !== undefined) flow.load(saved[id] as SavedFlow);
  }

  #createRuntime({ createContext, limits, onError }: FlowOptions): Runtime {
    const meta = (source: number) => metaOf(this.#runtime.input, source);
    return new Runtime({ context: createContext(meta), limits, onError });
  }

  #nest(source: SourceNode, options: FlowOptions): readonly { readonly id: string; readonly flow: Flow }[] {
    const { query: plan, index, id } = source;
    if (plan === undefined) return [];
    const flow = new PlannedFlow({
      ...options,
      plan,
      onRows: (rows, time) => {
        for (const row of rows) this.#take(index, row, time);
      },
      onWatermark: (time) => {
        if (this.#timeline === undefined) this.#advanced(time);
        else this.#timeline.advanceSource(index, time);
      },
    });
    return [{ id, flow }];
  }

  #take(source: number, row: Row, time: number): void {
    if (this.#timeline === undefined) this.#query.push(source, row, time);
    else this.#timeline.offer(source, row, time);
  }

  /** Rows of a flow that puts nothing in order still say what time it is, to those that read its results. */
  #passed(stream: string, time: number): number {
    const timing = this.#timings.get(stream);
    return timing?.drivenBy === 'rows' ? time - timing.outOfOrderMs : this.#watermark;
  }

  #advanced(time: number): void {
    this.#query.advance(time);
    this.#tell(time);
  }

  #tell(time: number): void {
    if (time <= this.#watermark) return;
    this.#watermark = time;
    this.#onWatermark?.(time);
  }
}

/** Results of a common table expression come in order already, and it says how far it is. */
function timingOf(
  kind: 'stream' | 'table',
  query: Plan | undefined,
  timing: (stream: string) => SourceTiming,
  name: string,
): SourceTiming {
  if (kind === 'table') return { outOfOrderMs: 0, drivenBy: 'nothing' };
  return query === undefined ? timing(name) : { outOfOrderMs: 0, drivenBy: 'given' };
}

/** Whether the order of rows and the passing of time make a difference to it. */
function needsOrder({ root }: Plan): boolean {
  let node = root;
  for (;;) {
    if (node.kind === 'window' || node.kind === 'analytic') return true;
    if (node.kind === 'source') return false;
    node = node.input;
  }
}
