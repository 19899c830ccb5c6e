/** Functions of the points within a range. Times are milliseconds. Formulas as Prometheus' `promql/functions.go` states them. */

export interface Window {
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** Points `first` to `last - 1` are in the range, at least one. */
  readonly first: number;
  readonly last: number;
  /** The range is after `start`, up to and with `end`. */
  readonly start: number;
  readonly end: number;
  /** Of the step, whatever offset the range has. */
  readonly now: number;
}

/** Undefined: no value at this step. */
export type OverTime = (window: Window, parameter: number) => number | undefined;

const at = (column: Float64Array, index: number): number => column[index] ?? Number.NaN;

function fold(window: Window, begin: number, step: (sum: number, value: number) => number): number {
  let sum = begin;
  for (let index = window.first; index < window.last; index++) sum = step(sum, at(window.values, index));
  return sum;
}

const count = ({ first, last }: Window): number => last - first;

/** Kahan's and Neumaier's sum. */
function preciseSum(window: Window): number {
  let sum = 0;
  let rest = 0;
  for (let index = window.first; index < window.last; index++) {
    const value = at(window.values, index);
    const next = sum + value;
    if (!Number.isFinite(next)) return fold(window, 0, (total, one) => total + one);
    rest += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + rest;
}

/** Welford's. */
function variance(window: Window): number {
  let mean = 0;
  let squares = 0;
  let seen = 0;
  for (let index = window.first; index < window.last; index++) {
    const value = at(window.values, index);
    seen += 1;
    const delta = value - mean;
    mean += delta / seen;
    squares += delta * (value - mean);
  }
  return squares / seen;
}

/** `q` of sorted values, between two of them in proportion. */
export function quantile(q: number, sorted: readonly number[]): number {
  if (sorted.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const rank = q * (sorted.length - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - lower;
  return (sorted[lower] ?? Number.NaN) * (1 - weight) + (sorted[upper] ?? Number.NaN) * weight;
}

/** NaN before all else. */
export function ascending(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : -1;
  return Number.isNaN(b) ? 1 : a - b;
}

/** What a counter grew by, a fall being a reset. */
function growth({ values, first, last }: Window): number {
  let sum = at(values, last - 1) - at(values, first);
  for (let index = first + 1; index < last; index++)
    if (at(values, index) < at(values, index - 1)) sum += at(values, index - 1);
  return sum;
}

/** A change over the sampled part of a range, stretched to the whole where points come close to its ends. */
function extrapolated(window: Window, isCounter: boolean): number | undefined {
  const { times, values, first, last, start, end } = window;
  if (count(window) < 2) return undefined;
  const change = isCounter ? growth(window) : at(values, last - 1) - at(values, first);
  const sampled = (at(times, last - 1) - at(times, first)) / 1000;
  const average = sampled / (count(window) - 1);
  const stretch = (gap: number): number => (gap < average * 1.1 ? gap : average / 2);
  let before = stretch((at(times, first) - start) / 1000);
  // A counter does not begin below zero.
  if (isCounter && change > 0 && at(values, first) >= 0)
    before = Math.min(before, sampled * (at(values, first) / change));
  return change * ((sampled + before + stretch((end - at(times, last - 1)) / 1000)) / sampled);
}

function between(window: Window, isRate: boolean): number | undefined {
  const { times, values, last } = window;
  if (count(window) < 2) return undefined;
  const [before, now] = [at(values, last - 2), at(values, last - 1)];
  if (!isRate) return now - before;
  const seconds = (at(times, last - 1) - at(times, last - 2)) / 1000;
  return (now < before ? now : now - before) / seconds;
}

/** Least squares through the points; seconds are counted from `origin`. */
function line({ times, values, first, last }: Window, origin: number): { slope: number; intercept: number } {
  let [sumX, sumY, sumXY, sumXX] = [0, 0, 0, 0];
  const n = last - first;
  for (let index = first; index < last; index++) {
    const x = (at(times, index) - origin) / 1000;
    const y = at(values, index);
    sumX += x;
    sumY += y;
    sumXY += x * y;
    sumXX += x * x;
  }
  const slope = (sumXY - (sumX * sumY) / n) / (sumXX - (sumX * sumX) / n);
  return { slope, intercept: sumY / n - (slope * sumX) / n };
}

function changesBy(isChange: (before: number, now: number) => boolean): OverTime {
  return ({ values, first, last }) => {
    let changes = 0;
    for (let index = first + 1; index < last; index++)
      if (isChange(at(values, index - 1), at(values, index))) changes += 1;
    return changes;
  };
}

const perSecond = ({ start, end }: Window, change: number | undefined) =>
  change === undefined ? undefined : change / ((end - start) / 1000);

/** By name; the number that some take beside the range is their parameter. */
export const OVER_TIME: Readonly<Record<string, OverTime>> = {
  avg_over_time: (window) => preciseSum(window) / count(window),
  changes: changesBy((before, now) => before !== now && !(Number.isNaN(before) && Number.isNaN(now))),
  count_over_time: count,
  delta: (window) => extrapolated(window, false),
  deriv: (window) => (count(window) < 2 ? undefined : line(window, at(window.times, window.first)).slope),
  idelta: (window) => between(window, false),
  increase: (window) => extrapolated(window, true),
  irate: (window) => between(window, true),
  last_over_time: ({ values, last }) => at(values, last - 1),
  max_over_time: (window) => fold(window, Number.NaN, (max, value) => (value > max || Number.isNaN(max) ? value : max)),
  min_over_time: (window) => fold(window, Number.NaN, (min, value) => (value < min || Number.isNaN(min) ? value : min)),
  predict_linear: (window, seconds) => {
    if (count(window) < 2) return undefined;
    const { slope, intercept } = line(window, window.now);
    return slope * seconds + intercept;
  },
  present_over_time: () => 1,
  quantile_over_time: ({ values, first, last }, q) => quantile(q, [...values.subarray(first, last)].sort(ascending)),
  rate: (window) => perSecond(window, extrapolated(window, true)),
  resets: changesBy((before, now) => now < before),
  stddev_over_time: (window) => Math.sqrt(variance(window)),
  stdvar_over_time: variance,
  sum_over_time: preciseSum,
};
