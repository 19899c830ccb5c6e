/** Answers a SeriesQuery from a store of time series: that of the cloud, or that of a node. */
import { StatusError } from '@skerry/api';
import type { Boxed, Scalar } from '../contract/index.ts';
import { plainOf } from '../outlets/values.ts';
import { type LabelMatcher, PromQlError } from '../query/promql/ast.ts';
import { parseDuration } from '../query/promql/duration.ts';
import { evaluatePromQl, type PromQlResult } from '../query/promql/evaluate.ts';
import { parsePromQl } from '../query/promql/parse.ts';
import { type SeriesSource, selectionOf } from '../query/promql/select.ts';
import type { Aggregate, Matcher, SeriesResult, SeriesStore, StoredType } from '../store/index.ts';
import type { AnsweredSeries, AskedSeries, SeriesQueryStatus } from './series-query.ts';

export type SeriesReader = SeriesSource & Pick<SeriesStore, 'last'>;

/** So much is said at once; there is always a longer step, or a narrower selector. */
const MAX_SERIES = 10_000;
const MAX_POINTS = 200_000;
const HOUR_MS = 3_600_000;
const TIMEOUT_MS = 60_000;

/** Rejects with a StatusError. */
export async function answerSeriesQuery(
  store: SeriesReader,
  { namespace, spec, signal: asking }: AskedSeries,
  now: number,
): Promise<SeriesQueryStatus> {
  const signal = AbortSignal.any([asking, AbortSignal.timeout(TIMEOUT_MS)]);
  const own = namespace === undefined ? store : inNamespace(store, namespace);
  const { promql, selector, last } = spec;
  try {
    if (promql !== undefined && (selector !== undefined || last === true))
      throw new PromQlError('spec.promql stands alone, without spec.selector and spec.last');
    const query = readQuery(spec, now);
    // In the order that PromQL gives them, which `sort` makes.
    if (promql !== undefined) return { series: await evaluated(own, { ...query, promql, signal }) };
    const matchers = selector === undefined ? [] : matchersOf(selector);
    const found = last === true ? lastRows(own, matchers) : await selected(own, { ...query, matchers, signal });
    return { series: found.toSorted(byLabels) };
  } catch (error) {
    throw signal.aborted ? tookTooLong(error) : refusalOf(error);
  }
}

/** Whatever is asked of it, it knows the series of one namespace only. */
function inNamespace(store: SeriesReader, namespace: string): SeriesReader {
  const narrowed = (matchers: readonly Matcher[]): readonly Matcher[] => [
    ...matchers,
    { label: 'namespace', op: '=', value: namespace },
  ];
  return {
    query: (query) => store.query({ ...query, matchers: narrowed(query.matchers) }),
    seriesOf: (matchers) => store.seriesOf(narrowed(matchers)),
    last: (matchers) => store.last(narrowed(matchers)),
    labelNames: () => store.labelNames(),
    labelValues: (label) => store.labelValues(label),
  };
}

function byLabels(one: AnsweredSeries, other: AnsweredSeries): number {
  return textOf(one.labels) < textOf(other.labels) ? -1 : 1;
}

/** The same for the same labels. */
function textOf(labels: AnsweredSeries['labels']): string {
  const names = Object.keys(labels).toSorted((one, other) => (one < other ? -1 : 1));
  return JSON.stringify(names.map((name) => [name, labels[name]]));
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly step?: number;
  readonly aggregate: Aggregate;
}

function readQuery({ start, end, step, aggregate = 'avg' }: AskedSeries['spec'], now: number): Range {
  const to = timeOf('spec.end', end) ?? now;
  const millis = step === undefined ? undefined : parseDuration(step);
  if (step !== undefined && !(millis !== undefined && millis > 0))
    throw new PromQlError('spec.step is a duration such as 30s');
  return {
    start: timeOf('spec.start', start) ?? to - HOUR_MS,
    end: to,
    ...(millis === undefined ? {} : { step: millis }),
    aggregate,
  };
}

function timeOf(field: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new PromQlError(`${field} is a time such as 2026-01-01T00:00:00Z`);
  return time;
}

function matchersOf(selector: string): readonly LabelMatcher[] {
  const expr = parsePromQl(selector);
  if (expr.kind !== 'vector' || expr.offset !== 0 || expr.at !== undefined)
    throw new PromQlError('spec.selector is a selector such as temperature{device="oven-1"}');
  return expr.matchers;
}

interface SelectedQuery extends Range {
  readonly matchers: readonly LabelMatcher[];
  readonly signal: AbortSignal;
}

async function selected(
  store: SeriesReader,
  { matchers, start, end, step, aggregate, signal }: SelectedQuery,
): Promise<AnsweredSeries[]> {
  const found: AnsweredSeries[] = [];
  const { queries, accepts } = queriesOf(store, matchers);
  let room = MAX_POINTS;
  for (const query of queries) {
    const range = { matchers: query, from: start, to: end + 1, maxSeries: MAX_SERIES, maxPoints: room, signal };
    const { series } = await store.query(step === undefined ? range : { ...range, step, aggregate });
    for (const result of series.filter((each) => accepts(each.series.labels))) {
      room -= result.rows.length;
      found.push(answeredOf(result));
    }
    if (room <= 0 || found.length > MAX_SERIES) throw tooMuch();
  }
  return found;
}

/** Without matchers everything is meant, whatever it is called. */
function queriesOf(store: SeriesReader, matchers: readonly LabelMatcher[]): ReturnType<typeof selectionOf> {
  return matchers.length === 0 ? { queries: [[]], accepts: () => true } : selectionOf(store, matchers);
}

function answeredOf({ series: { labels, type }, rows }: SeriesResult): AnsweredSeries {
  const { length, times, values, qualities, boxed } = rows;
  return {
    labels,
    type,
    times: [...times.subarray(0, length)],
    values: Array.from({ length }, (_none, row) => jsonOf(boxed?.get(row) ?? values[row] ?? Number.NaN, type)),
    qualities: [...qualities.subarray(0, length)],
  };
}

function jsonOf(value: Scalar | Boxed, type: StoredType): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : plainOf(value, type);
}

function lastRows(store: SeriesReader, matchers: readonly LabelMatcher[]): AnsweredSeries[] {
  const { queries, accepts } = queriesOf(store, matchers);
  const found = queries.flatMap((query) => store.last(query)).filter(({ series }) => accepts(series.labels));
  if (found.length > MAX_SERIES) throw tooMuch();
  return found.map(({ series: { labels, type }, time, value, quality }) => ({
    labels,
    type,
    times: [time],
    values: [jsonOf(value, type)],
    qualities: [quality],
  }));
}

interface EvaluatedQuery extends Range {
  readonly promql: string;
  readonly signal: AbortSignal;
}

async function evaluated(
  store: SeriesReader,
  { promql: query, start, end, step, signal }: EvaluatedQuery,
): Promise<AnsweredSeries[]> {
  const range = step === undefined ? { start: end, end, step: 1 } : { start, end, step };
  const series = columnsOf(await evaluatePromQl(store, { query, ...range, signal }));
  const points = series.reduce((sum, { times }) => sum + times.length, 0);
  if (series.length > MAX_SERIES || points > MAX_POINTS) throw tooMuch();
  return series;
}

function columnsOf({ times, value }: PromQlResult): AnsweredSeries[] {
  if (value.type === 'string') return [{ labels: {}, times: [times[0] ?? 0], values: [value.text] }];
  const all =
    value.type === 'scalar'
      ? [{ labels: new Map<string, string>(), values: value.values, present: undefined }]
      : value.series;
  return all.map(({ labels, values, present }) => {
    const steps = Array.from(times.keys()).filter((step) => present?.[step] !== 0);
    return {
      labels: Object.fromEntries(labels),
      times: steps.map((step) => times[step] ?? 0),
      values: steps.map((step) => jsonOf(values[step] ?? Number.NaN, 'float64')),
    };
  });
}

function tooMuch(): PromQlError {
  return new PromQlError(
    `the answer would have more than ${MAX_SERIES} series or ${MAX_POINTS} values: choose fewer series, a shorter time or a longer step`,
  );
}

function tookTooLong(cause: unknown): StatusError {
  return new StatusError(504, 'Timeout', 'the query took too long', undefined, { cause });
}

/** What the store and PromQL refuse is the query's; everything else is nobody's who asks. */
function refusalOf(error: unknown): unknown {
  const { code, message } = error as { readonly code?: unknown; readonly message: string };
  const isQuery = error instanceof PromQlError || code === 'SERIES_QUERY' || code === 'SERIES_LIMIT';
  return isQuery ? new StatusError(400, 'BadRequest', message, undefined, { cause: error }) : error;
}
