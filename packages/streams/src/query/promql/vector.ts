/** What expressions give, for all steps of a query at once. */
import { PromQlError } from './ast.ts';

/** Sorted by name; a label that is empty is not there. */
export type MetricLabels = ReadonlyMap<string, string>;

export const METRIC_NAME = '__name__';

export interface VectorSeries {
  readonly labels: MetricLabels;
  /** A value each step; what stands where `present` is 0 means nothing. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

/** Points of one series, by time, and for each step which of them are in its range. */
export interface RangeSeries {
  readonly labels: MetricLabels;
  readonly times: Float64Array;
  readonly values: Float64Array;
}

export type Value =
  | { readonly type: 'scalar'; readonly values: Float64Array }
  | { readonly type: 'string'; readonly text: string }
  | { readonly type: 'vector'; readonly series: readonly VectorSeries[] };

export function labelsFrom(entries: Iterable<readonly [string, string]>): MetricLabels {
  return new Map([...entries].filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function withoutName(labels: MetricLabels): MetricLabels {
  return labels.has(METRIC_NAME) ? new Map([...labels].filter(([name]) => name !== METRIC_NAME)) : labels;
}

export function withLabel(labels: MetricLabels, name: string, value: string): MetricLabels {
  return labelsFrom([...[...labels].filter(([other]) => other !== name), [name, value] as const]);
}

/** The same text for the same labels only. */
export function keyOf(labels: MetricLabels): string {
  return JSON.stringify([...labels]);
}

export function newSeries(labels: MetricLabels, steps: number): VectorSeries {
  return { labels, values: new Float64Array(steps), present: new Uint8Array(steps) };
}

/** Each value by `change`, which keeps a step out by giving undefined. */
export function mapSeries(
  { labels, values, present }: VectorSeries,
  change: (value: number, step: number) => number | undefined,
  newLabels = withoutName(labels),
): VectorSeries {
  const made = newSeries(newLabels, values.length);
  for (let step = 0; step < values.length; step++) {
    if (present[step] === 0) continue;
    const value = change(values[step] ?? Number.NaN, step);
    if (value === undefined) continue;
    made.values[step] = value;
    made.present[step] = 1;
  }
  return made;
}

/** No two with the same labels at the same step; those that share their labels at different steps become one. */
export function distinct(series: readonly VectorSeries[]): readonly VectorSeries[] {
  const byKey = new Map<string, VectorSeries>();
  for (const one of series) {
    const key = keyOf(one.labels);
    const other = byKey.get(key);
    byKey.set(key, other === undefined ? one : merged(other, one));
  }
  return byKey.size === series.length ? series : [...byKey.values()];
}

function merged(a: VectorSeries, b: VectorSeries): VectorSeries {
  const made = { labels: a.labels, values: a.values.slice(), present: a.present.slice() };
  for (let step = 0; step < b.values.length; step++) {
    if (b.present[step] === 0) continue;
    if (made.present[step] !== 0) throw new PromQlError('the result would have two series with the same labels');
    made.present[step] = 1;
    made.values[step] = b.values[step] ?? Number.NaN;
  }
  return made;
}
