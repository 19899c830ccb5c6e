/** Series of the store under the names that PromQL knows them by, and their points. */
import { isBad } from '../../contract/index.ts';
import { labelName, metricName, nameOf } from '../../outlets/names.ts';
import type { Labels, Matcher, SeriesRows, SeriesStore } from '../../store/index.ts';
import type { LabelMatcher } from './ast.ts';
import { testOf } from './matcher.ts';
import { labelsFrom, METRIC_NAME, type MetricLabels, type RangeSeries } from './vector.ts';

/** What of the store a query needs. */
export type SeriesSource = Pick<SeriesStore, 'query' | 'seriesOf' | 'labelNames' | 'labelValues'>;

export interface PointsRequest {
  readonly matchers: readonly LabelMatcher[];
  /** Milliseconds; both ends belong to the range. */
  readonly from: number;
  readonly to: number;
  /** What the whole query may still read. */
  readonly budget: Budget;
  readonly signal?: AbortSignal;
}

export interface Budget {
  points: number;
}

/** The same names as an outlet gives them. */
function metricOf(labels: Labels): MetricLabels {
  const { name, labels: rest } = nameOf(labels);
  return labelsFrom([
    [METRIC_NAME, metricName(name)],
    ...rest.map(([label, value]) => [labelName(label), value] as const),
  ]);
}

/** Which series of the store a selector means. */
export interface Selection {
  /** What the store is asked, each series in one query only. */
  readonly queries: readonly (readonly Matcher[])[];
  /** Of what comes, by the labels that the store has. */
  readonly accepts: (labels: Labels) => boolean;
}

export function selectionOf(
  store: Pick<SeriesSource, 'labelNames' | 'labelValues'>,
  matchers: readonly LabelMatcher[],
): Selection {
  const accepts = acceptanceOf(matchers);
  return { queries: queriesOf(store, matchers), accepts: (labels) => accepts(metricOf(labels)) };
}

/** Numbers whose quality is not bad, of the series that all matchers accept. */
export async function pointsOf(
  store: SeriesSource,
  { matchers, from, to, budget, signal }: PointsRequest,
): Promise<RangeSeries[]> {
  const accepts = acceptanceOf(matchers);
  const found: RangeSeries[] = [];
  for (const query of queriesOf(store, matchers)) {
    const limit = { maxPoints: budget.points, ...(signal === undefined ? {} : { signal }) };
    const { series } = await store.query({ matchers: query, from, to: to + 1, ...limit });
    for (const { series: stored, rows } of series) {
      budget.points -= rows.length;
      const labels = metricOf(stored.labels);
      if (accepts(labels)) found.push({ labels, ...numbersOf(rows) });
    }
  }
  return found;
}

/** The metrics that all matchers accept. */
export function metricsOf(store: SeriesSource, matchers: readonly LabelMatcher[]): MetricLabels[] {
  const accepts = acceptanceOf(matchers);
  return queriesOf(store, matchers)
    .flatMap((query) => store.seriesOf(query))
    .map(({ labels }) => metricOf(labels))
    .filter(accepts);
}

function acceptanceOf(matchers: readonly LabelMatcher[]): (labels: MetricLabels) => boolean {
  const tests = matchers.map((matcher) => ({ label: matcher.label, accepts: testOf(matcher) }));
  return (labels) => tests.every(({ label, accepts }) => accepts(labels.get(label) ?? ''));
}

/** Labels that may give a series its name, each before the next; see `nameOf`. */
const NAMING = ['__name__', 'property', 'name', 'field'];

/**
 * What the store is asked, each series in one query only. Names were made fit for PromQL, so they are looked for among those that are
 * there; matchers of labels that are the same in both worlds narrow the search, and what comes is judged again.
 */
function queriesOf(
  store: Pick<SeriesSource, 'labelNames' | 'labelValues'>,
  matchers: readonly LabelMatcher[],
): Matcher[][] {
  const names = matchers.filter(({ label }) => label === METRIC_NAME).map((matcher) => testOf(matcher));
  const known = new Set(store.labelNames());
  const narrowing = matchers.filter(
    ({ label }) => label !== METRIC_NAME && known.has(label) && !NAMING.includes(label),
  );
  const absent = (labels: readonly string[]): Matcher[] => labels.map((label) => ({ label, op: '=', value: '' }));
  const byName = NAMING.flatMap((label, index) =>
    store
      .labelValues(label)
      .filter((value) => value !== '' && names.every((accepts) => accepts(metricName(value))))
      .map((value): Matcher[] => [{ label, op: '=', value }, ...absent(NAMING.slice(0, index)), ...narrowing]),
  );
  if (!names.every((accepts) => accepts(metricName('value')))) return byName;
  const others = [...known].filter((label) => !NAMING.includes(label));
  const nameless = others.map((label, index): Matcher[] => [
    { label, op: '!=', value: '' },
    ...absent([...NAMING, ...others.slice(0, index)]),
    ...narrowing,
  ]);
  return [...byName, ...nameless];
}

function numbersOf({ length, times, values, qualities, boxed }: SeriesRows): Pick<RangeSeries, 'times' | 'values'> {
  const ownTimes = new Float64Array(length);
  const ownValues = new Float64Array(length);
  let kept = 0;
  for (let row = 0; row < length; row++) {
    const large = boxed?.get(row);
    if (isBad(qualities[row] ?? 0) || (large !== undefined && typeof large !== 'bigint')) continue;
    ownTimes[kept] = Math.floor(times[row] ?? 0);
    ownValues[kept] = large === undefined ? (values[row] ?? Number.NaN) : Number(large);
    kept += 1;
  }
  return { times: ownTimes.subarray(0, kept), values: ownValues.subarray(0, kept) };
}
