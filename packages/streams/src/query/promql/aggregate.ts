/** Aggregations across series, step by step. */
import { type Grouping, PromQlError } from './ast.ts';
import { ascending, quantile } from './over-time.ts';
import {
  keyOf,
  labelsFrom,
  METRIC_NAME,
  type MetricLabels,
  newSeries,
  type VectorSeries,
  withLabel,
} from './vector.ts';

/** Of the values of a group at one step, at least one. */
type Fold = (values: readonly number[], parameter: number) => number;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value / values.length, 0);
const variance = (values: readonly number[]): number => {
  const middle = mean(values);
  return mean(values.map((value) => (value - middle) ** 2));
};
const extreme =
  (isBetter: (a: number, b: number) => boolean): Fold =>
  (values) =>
    values.reduce((best, value) => (isBetter(value, best) || Number.isNaN(best) ? value : best));

const FOLDS: Readonly<Record<string, Fold>> = {
  sum: (values) => values.reduce((sum, value) => sum + value, 0),
  avg: mean,
  count: (values) => values.length,
  group: () => 1,
  max: extreme((a, b) => a > b),
  min: extreme((a, b) => a < b),
  stddev: (values) => Math.sqrt(variance(values)),
  stdvar: variance,
  quantile: (values, q) => quantile(q, values.toSorted(ascending)),
};

/** With a number beside the series. */
export const NUMBERED = new Set(['topk', 'bottomk', 'quantile']);

interface Group {
  readonly labels: MetricLabels;
  readonly members: VectorSeries[];
}

function groupsOf(series: readonly VectorSeries[], { mode, labels }: Grouping): readonly Group[] {
  const named = new Set(labels);
  const groups = new Map<string, Group>();
  for (const one of series) {
    const kept = [...one.labels].filter(([name]) => (mode === 'by') === named.has(name));
    const own = labelsFrom(mode === 'by' ? kept : kept.filter(([name]) => name !== METRIC_NAME));
    const key = keyOf(own);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels: own, members: [one] });
    else group.members.push(one);
  }
  return [...groups.values()];
}

/** `parameter`: a number each step, for those that take one. */
export function aggregate(
  op: string,
  series: readonly VectorSeries[],
  grouping: Grouping,
  { parameter, steps }: { readonly parameter: Float64Array | undefined; readonly steps: number },
): readonly VectorSeries[] {
  const groups = groupsOf(series, grouping);
  if (op === 'topk' || op === 'bottomk')
    return groups.flatMap((group) => ranked(group, op === 'topk', parameter, steps));
  const fold = FOLDS[op];
  if (fold === undefined) throw new PromQlError(`the aggregation ${op} is not there`);
  return groups.map((group) => folded(group, fold, parameter, steps));
}

function folded(
  { labels, members }: Group,
  fold: Fold,
  parameter: Float64Array | undefined,
  steps: number,
): VectorSeries {
  const made = newSeries(labels, steps);
  for (let step = 0; step < steps; step++) {
    const values = members.filter(({ present }) => present[step] !== 0).map((one) => one.values[step] ?? Number.NaN);
    if (values.length === 0) continue;
    made.present[step] = 1;
    made.values[step] = fold(values, parameter?.[step] ?? Number.NaN);
  }
  return made;
}

/** The largest or smallest, with their own labels. */
function ranked(
  { members }: Group,
  isTop: boolean,
  parameter: Float64Array | undefined,
  steps: number,
): VectorSeries[] {
  const made = members.map(({ labels }) => newSeries(labels, steps));
  for (let step = 0; step < steps; step++) {
    const wanted = Math.trunc(parameter?.[step] ?? 0);
    const there = members
      .map((one, index) => ({ index, value: one.values[step] ?? Number.NaN, isThere: one.present[step] !== 0 }))
      .filter(({ isThere }) => isThere);
    // NaN comes last, whichever end is asked for.
    there.sort((a, b) => {
      if (Number.isNaN(a.value) || Number.isNaN(b.value))
        return Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
      return isTop ? b.value - a.value : a.value - b.value;
    });
    for (const { index, value } of there.slice(0, Math.max(0, wanted))) {
      const one = made[index];
      if (one === undefined) continue;
      one.values[step] = value;
      one.present[step] = 1;
    }
  }
  return made;
}

/** How many series of a group have each value, which becomes a label. */
export function countValues(
  label: string,
  series: readonly VectorSeries[],
  grouping: Grouping,
  steps: number,
): readonly VectorSeries[] {
  const found = new Map<string, VectorSeries>();
  for (const { labels, members } of groupsOf(series, grouping)) {
    for (const one of members) {
      for (let step = 0; step < steps; step++) {
        if (one.present[step] === 0) continue;
        const own = withLabel(labels, label, formatNumber(one.values[step] ?? Number.NaN));
        const key = keyOf(own);
        const counted = found.get(key) ?? newSeries(own, steps);
        found.set(key, counted);
        counted.present[step] = 1;
        counted.values[step] = (counted.values[step] ?? 0) + 1;
      }
    }
  }
  return [...found.values()];
}

/** As Prometheus writes numbers. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}
