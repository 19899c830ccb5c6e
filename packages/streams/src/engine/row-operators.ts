/** Operators on rows as they come: conditions, analytic functions. */
import type { AnalyticCall, AnalyticNode, AnalyticState, FilterNode, Hits, Input, Saved, Value } from '../sql/index.ts';
import type { RowOperator, SavedState } from './operator.ts';
import { type Counters, countersOf, type Runtime } from './runtime.ts';

export class Filter implements RowOperator {
  readonly counters: Counters;
  readonly #node: FilterNode;
  readonly #runtime: Runtime;
  readonly #next: RowOperator;
  /** Moved on with each row that passes. */
  readonly #hits: Hits | undefined;

  constructor(node: FilterNode, runtime: Runtime, next: RowOperator, countsHits: boolean) {
    this.counters = countersOf(node);
    this.#node = node;
    this.#runtime = runtime;
    this.#next = next;
    this.#hits = countsHits ? runtime.context.hits : undefined;
  }

  push(input: Input, time: number): void {
    const { context } = this.#runtime;
    this.counters.rowsIn++;
    context.eventTime = time;
    let passes = false;
    try {
      passes = this.#node.predicate(input, context);
    } catch (error) {
      this.#runtime.fail(this.counters, error);
    }
    if (!passes) return;
    if (this.#hits !== undefined) moveOn(this.#hits, time);
    this.counters.rowsOut++;
    this.#next.push(input, time);
  }

  advance(time: number): void {
    this.#next.advance(time);
  }

  due(): number | undefined {
    return this.#next.due();
  }
}

export function moveOn(hits: Hits, time: number): void {
  hits.count++;
  hits.time = time;
}

export class RowAnalytic implements RowOperator {
  readonly counters: Counters;
  readonly #calls: AnalyticStates;
  readonly #runtime: Runtime;
  readonly #next: RowOperator;

  constructor(node: AnalyticNode, runtime: Runtime, next: RowOperator) {
    this.counters = countersOf(node);
    this.#calls = new AnalyticStates(node.calls, runtime);
    this.#runtime = runtime;
    this.#next = next;
  }

  push(input: Input, time: number): void {
    const { context } = this.#runtime;
    this.counters.rowsIn++;
    context.eventTime = time;
    context.analytic = [];
    try {
      this.#calls.step(input, context.analytic);
    } catch (error) {
      this.#runtime.fail(this.counters, error);
      return;
    }
    this.counters.rowsOut++;
    this.#next.push(input, time);
  }

  advance(time: number): void {
    this.#next.advance(time);
  }

  due(): number | undefined {
    return this.#next.due();
  }

  save(): SavedState {
    return this.#calls.save();
  }

  load(state: SavedState): void {
    this.#calls.load(state);
  }
}

type SavedCalls = Readonly<Record<string, readonly (readonly [string, Saved])[]>>;

/** What analytic calls remember, by call and partition. A call whose id is unchanged keeps it, whatever became of those beside it. */
export class AnalyticStates {
  readonly #calls: readonly AnalyticCall[];
  readonly #runtime: Runtime;
  readonly #states: readonly Map<string, AnalyticState>[];

  constructor(calls: readonly AnalyticCall[], runtime: Runtime) {
    this.#calls = calls;
    this.#runtime = runtime;
    this.#states = calls.map(() => new Map());
  }

  /** Writes the results of one row into their slots. */
  step(input: Input, results: Value[]): void {
    const { context } = this.#runtime;
    for (const [at, call] of this.#calls.entries()) {
      const state = this.#stateOf(at, call, call.partition?.(input, context) ?? '');
      results[call.slot] = state === undefined ? undefined : call.step(state, input, context);
    }
  }

  save(): SavedCalls {
    return Object.fromEntries(
      this.#calls.map((call, at) => [
        call.id,
        [...(this.#states[at] ?? [])].map(([key, state]) => [key, call.save(state)] as const),
      ]),
    );
  }

  load(saved: SavedState): void {
    for (const [at, call] of this.#calls.entries()) {
      for (const [key, state] of (saved as SavedCalls)[call.id] ?? []) {
        if (this.#runtime.takeKey()) this.#states[at]?.set(key, call.load(state));
      }
    }
  }

  #stateOf(at: number, call: AnalyticCall, key: string): AnalyticState | undefined {
    const states = this.#states[at];
    const known = states?.get(key);
    if (known !== undefined || !this.#runtime.takeKey()) return known;
    const made = call.create();
    states?.set(key, made);
    return made;
  }
}
