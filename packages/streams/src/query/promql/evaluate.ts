/** Runs PromQL on the series store, all steps of a query at once. */
import { aggregate, countValues, NUMBERED } from './aggregate.ts';
import {
  type Aggregation,
  type Call,
  type Expr,
  PromQlError,
  type Shift,
  type Subquery,
  type VectorSelector,
} from './ast.ts';
import { combine } from './binary.ts';
import { FUNCTIONS } from './functions.ts';
import { OVER_TIME } from './over-time.ts';
import { parsePromQl } from './parse.ts';
import { type Budget, pointsOf, type SeriesSource } from './select.ts';
import {
  distinct,
  labelsFrom,
  mapSeries,
  newSeries,
  type RangeSeries,
  type Value,
  type VectorSeries,
  withoutName,
} from './vector.ts';

export interface PromQlQuery {
  readonly query: string;
  /** Milliseconds since 1970; both belong to the range. The same for one instant. */
  readonly start: number;
  readonly end: number;
  /** Milliseconds. */
  readonly step: number;
  /** A selector sees the last point that is no older; 5 minutes without it. */
  readonly lookback?: number;
  readonly signal?: AbortSignal;
}

/** Of one query, the inner steps of subqueries included. */
const MAX_STEPS = 11_000;
/** That one query reads, all its selectors together. */
const MAX_POINTS = 5_000_000;
const LOOKBACK_MS = 300_000;
const SUBQUERY_STEP_MS = 60_000;

export interface PromQlResult {
  /** Milliseconds since 1970, of each step. */
  readonly times: Float64Array;
  readonly value: Value;
}

/** Throws `PromQlError`, and what the store says of queries beyond its bounds. */
export async function evaluatePromQl(store: SeriesSource, query: PromQlQuery): Promise<PromQlResult> {
  const { start, end, step } = query;
  if (!(step > 0)) throw new PromQlError('the step must be more than nothing');
  if (end < start) throw new PromQlError('the end is before the start');
  const times = stepsBetween(start, end, step);
  const settings: Settings = {
    store,
    lookback: query.lookback ?? LOOKBACK_MS,
    start,
    end,
    step: start === end ? SUBQUERY_STEP_MS : step,
    budget: { points: MAX_POINTS },
    ...(query.signal === undefined ? {} : { signal: query.signal }),
  };
  const value = await new Evaluation(settings, times).value(parsePromQl(query.query));
  return { times, value: value.type === 'vector' ? { ...value, series: value.series.filter(isSomewhere) } : value };
}

function isSomewhere({ present }: VectorSeries): boolean {
  return present.includes(1);
}

function stepsBetween(start: number, end: number, step: number): Float64Array {
  const count = Math.floor((end - start) / step) + 1;
  if (count > MAX_STEPS)
    throw new PromQlError(`the query has ${count} steps; at most ${MAX_STEPS} are allowed: make the step longer`);
  return Float64Array.from({ length: count }, (_none, index) => start + index * step);
}

interface Settings {
  readonly store: SeriesSource;
  readonly lookback: number;
  readonly start: number;
  readonly end: number;
  /** For subqueries that name none. */
  readonly step: number;
  readonly budget: Budget;
  readonly signal?: AbortSignal;
}

class Evaluation {
  readonly #settings: Settings;
  readonly #times: Float64Array;

  constructor(settings: Settings, times: Float64Array) {
    this.#settings = settings;
    this.#times = times;
  }

  async value(expr: Expr): Promise<Value> {
    this.#settings.signal?.throwIfAborted();
    switch (expr.kind) {
      case 'number':
        return { type: 'scalar', values: new Float64Array(this.#times.length).fill(expr.value) };
      case 'string':
        return { type: 'string', text: expr.value };
      case 'vector':
        return { type: 'vector', series: await this.#instant(expr) };
      case 'negation':
        return negated(await this.value(expr.inner));
      case 'binary':
        return settled(combine(expr, await this.value(expr.left), await this.value(expr.right)));
      case 'aggregation':
        return settled({ type: 'vector', series: await this.#aggregation(expr) });
      case 'call':
        return settled(await this.#call(expr));
      case 'matrix':
      case 'subquery':
        throw new PromQlError('a range needs a function around it, such as rate() or avg_over_time()');
    }
  }

  /** The time that a selector looks at for each step. */
  #looksAt({ at, offset }: Shift): Float64Array {
    const { start, end } = this.#settings;
    if (at === undefined) return this.#times.map((time) => time - offset);
    const fixed = at === 'start' ? start : at === 'end' ? end : at;
    return new Float64Array(this.#times.length).fill(fixed - offset);
  }

  async #instant(selector: VectorSelector): Promise<VectorSeries[]> {
    const looksAt = this.#looksAt(selector);
    const { lookback } = this.#settings;
    const all = await this.#points(selector, looksAt, lookback);
    return all.map(({ labels, times, values }) => {
      const made = newSeries(labels, looksAt.length);
      let next = 0;
      looksAt.forEach((time, step) => {
        while (next < times.length && (times[next] ?? 0) <= time) next += 1;
        const last = next - 1;
        if (last < 0 || (times[last] ?? 0) <= time - lookback) return;
        made.values[step] = values[last] ?? Number.NaN;
        made.present[step] = 1;
      });
      return made;
    });
  }

  #points({ matchers }: VectorSelector, looksAt: Float64Array, range: number): Promise<RangeSeries[]> {
    const { store, budget, signal } = this.#settings;
    const from = (looksAt[0] ?? 0) - range;
    const to = looksAt.at(-1) ?? 0;
    return pointsOf(store, { matchers, from, to, budget, ...(signal === undefined ? {} : { signal }) });
  }

  async #aggregation({ op, inner, parameter, grouping }: Aggregation): Promise<readonly VectorSeries[]> {
    const value = await this.value(inner);
    if (value.type !== 'vector') throw new PromQlError(`${op} needs a vector`);
    const steps = this.#times.length;
    const given = parameter === undefined ? undefined : await this.value(parameter);
    if (op === 'count_values') {
      if (given?.type !== 'string') throw new PromQlError('count_values needs the name of a label first');
      return countValues(given.text, value.series, grouping, steps);
    }
    if (NUMBERED.has(op) !== (given?.type === 'scalar'))
      throw new PromQlError(NUMBERED.has(op) ? `${op} needs a number first` : `${op} takes nothing but a vector`);
    return aggregate(op, value.series, grouping, {
      parameter: given?.type === 'scalar' ? given.values : undefined,
      steps,
    });
  }

  async #call({ name, args }: Call): Promise<Value> {
    const range = args.find((arg) => arg.kind === 'matrix' || arg.kind === 'subquery');
    if (range !== undefined) return this.#overTime(name, range, args);
    if (name === 'timestamp') return { type: 'vector', series: await this.#timestamps(args) };
    const known = FUNCTIONS[name];
    if (known === undefined) {
      const hint = name in OVER_TIME ? `${name}() needs a range, such as x[5m]` : `the function ${name} is not there`;
      throw new PromQlError(hint);
    }
    const values: Value[] = [];
    for (const arg of args) values.push(await this.value(arg));
    return known(values, { times: this.#times, exprs: args });
  }

  /** Of a selector, the times of its points; of anything else, those of the steps. */
  async #timestamps([expr]: readonly Expr[]): Promise<VectorSeries[]> {
    if (expr?.kind === 'vector') {
      const looksAt = this.#looksAt(expr);
      const all = await this.#points(expr, looksAt, this.#settings.lookback);
      const stamped = all.map((one) => ({
        ...one,
        labels: withoutName(one.labels),
        values: one.times.map((time) => time / 1000),
      }));
      return this.#stepwise(stamped, looksAt, this.#settings.lookback, ({ values, last }) => values[last - 1]);
    }
    const value = expr === undefined ? undefined : await this.value(expr);
    if (value?.type !== 'vector') throw new PromQlError('timestamp needs a vector');
    return value.series.map((one) => mapSeries(one, (_value, step) => (this.#times[step] ?? 0) / 1000));
  }

  async #overTime(name: string, range: Expr & { kind: 'matrix' | 'subquery' }, args: readonly Expr[]): Promise<Value> {
    const looksAt = this.#looksAt(range.kind === 'matrix' ? range.vector : range);
    const all =
      range.kind === 'matrix'
        ? await this.#points(range.vector, looksAt, range.range)
        : await this.#inner(range, looksAt);
    if (name === 'absent_over_time') {
      const there = this.#stepwise(all, looksAt, range.range, () => 1);
      const exprs = range.kind === 'matrix' ? [range.vector] : [range.inner];
      return (
        FUNCTIONS['absent']?.([{ type: 'vector', series: there }], { times: this.#times, exprs }) ?? {
          type: 'vector',
          series: [],
        }
      );
    }
    const known = OVER_TIME[name];
    if (known === undefined) throw new PromQlError(`the function ${name} takes no range, or is not there`);
    const other = args.find((arg) => arg !== range);
    const given = other === undefined ? undefined : await this.value(other);
    const parameter = given?.type === 'scalar' ? given.values : undefined;
    const series = this.#stepwise(all, looksAt, range.range, (window, step) =>
      known(window, parameter?.[step] ?? Number.NaN),
    );
    return {
      type: 'vector',
      series: name === 'last_over_time' ? series : series.map((one) => ({ ...one, labels: withoutName(one.labels) })),
    };
  }

  /** For each step the points that are in its range: after its beginning, up to its end. */
  #stepwise(
    all: readonly RangeSeries[],
    looksAt: Float64Array,
    range: number,
    value: (window: Parameters<(typeof OVER_TIME)[string]>[0], step: number) => number | undefined,
  ): VectorSeries[] {
    return all.map(({ labels, times, values }) => {
      const made = newSeries(labels, looksAt.length);
      let first = 0;
      let last = 0;
      looksAt.forEach((end, step) => {
        while (last < times.length && (times[last] ?? 0) <= end) last += 1;
        while (first < last && (times[first] ?? 0) <= end - range) first += 1;
        if (first === last) return;
        const found = value(
          { times, values, first, last, start: end - range, end, now: this.#times[step] ?? end },
          step,
        );
        if (found === undefined) return;
        made.values[step] = found;
        made.present[step] = 1;
      });
      return made;
    });
  }

  /** Steps of a subquery are counted from 1970, so that it gives the same whenever it is asked. */
  async #inner({ inner, range, step = this.#settings.step }: Subquery, looksAt: Float64Array): Promise<RangeSeries[]> {
    const from = (looksAt[0] ?? 0) - range;
    const first = Math.floor(from / step) * step + step;
    const times = stepsBetween(first, Math.max(first, looksAt.at(-1) ?? 0), step);
    const value = await new Evaluation({ ...this.#settings, step }, times).value(inner);
    if (value.type === 'string') throw new PromQlError('a subquery needs a vector');
    const series =
      value.type === 'vector'
        ? value.series
        : [{ labels: labelsFrom([]), values: value.values, present: new Uint8Array(times.length).fill(1) }];
    return series.map(({ labels, values, present }) => ({
      labels,
      times: times.filter((_time, index) => present[index] !== 0),
      values: values.filter((_value, index) => present[index] !== 0),
    }));
  }
}

function negated(value: Value): Value {
  if (value.type === 'scalar') return { type: 'scalar', values: value.values.map((one) => -one) };
  if (value.type === 'vector')
    return settled({ type: 'vector', series: value.series.map((one) => mapSeries(one, (x) => -x)) });
  throw new PromQlError('a text has no opposite');
}

function settled(value: Value): Value {
  return value.type === 'vector' ? { type: 'vector', series: distinct(value.series) } : value;
}
