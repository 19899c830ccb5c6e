/**
 * Prometheus' HTTP API on the series store, as far as Grafana and other readers use it.
 * https://prometheus.io/docs/prometheus/latest/querying/api/
 */
import type { Clock } from '@skerry/base';
import { formatNumber } from '../promql/aggregate.ts';
import { type LabelMatcher, PromQlError } from '../promql/ast.ts';
import { parseDuration } from '../promql/duration.ts';
import { evaluatePromQl, type PromQlResult } from '../promql/evaluate.ts';
import { metricsOf, type SeriesSource } from '../promql/select.ts';
import { keyOf, METRIC_NAME, type MetricLabels } from '../promql/vector.ts';
import { jsonAnswer, parametersOf, type QueryAnswer, type QueryRequest } from './answer.ts';
import { matchersOf, timeOf } from './parameters.ts';

const QUERY_TIMEOUT_MS = 60_000;
const MAX_MATCHES = 64;
const MAX_LISTED = 100_000;
const EVERYTHING: LabelMatcher = { label: METRIC_NAME, op: '=~', value: '.+' };

interface Context {
  readonly store: SeriesSource;
  readonly clock: Clock;
  readonly parameters: URLSearchParams;
  readonly signal: AbortSignal;
}

type Endpoint = (context: Context) => unknown;

/** `path`: what follows `/api/v1`. */
export async function answerPrometheus(
  path: string,
  request: QueryRequest,
  { store, clock }: Pick<Context, 'store' | 'clock'>,
): Promise<QueryAnswer> {
  const label = /^\/label\/([^/]+)\/values$/.exec(path)?.[1];
  const endpoint = label === undefined ? endpointAt(path) : labelValues(label);
  if (endpoint === undefined) return failed(404, 'not_found', `there is no ${path} here`);
  if (request.method !== 'GET' && request.method !== 'POST') return failed(405, 'bad_data', 'GET or POST');
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(QUERY_TIMEOUT_MS)]);
  try {
    const data = await endpoint({ store, clock, signal, parameters: parametersOf(request) });
    return jsonAnswer(200, { status: 'success', data });
  } catch (error) {
    if (error instanceof PromQlError) return failed(400, 'bad_data', error.message);
    if (signal.aborted) return failed(503, 'timeout', 'the query took too long');
    const { code, message } = error as { readonly code?: unknown; readonly message: string };
    if (typeof code === 'string' && code.startsWith('SERIES_')) return failed(422, 'execution', message);
    throw error;
  }
}

function failed(status: number, errorType: string, error: string): QueryAnswer {
  return jsonAnswer(status, { status: 'error', errorType, error });
}

function endpointAt(path: string): Endpoint | undefined {
  return Object.hasOwn(ENDPOINTS, path) ? ENDPOINTS[path] : undefined;
}

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  '/query': async ({ store, clock, parameters, signal }) => {
    const at = timeOf(parameters, 'time') ?? clock.now();
    const query = textOf(parameters, 'query');
    return instantOf(
      await evaluatePromQl(store, { query, start: at, end: at, step: 1, signal, ...lookbackOf(parameters) }),
    );
  },
  '/query_range': async ({ store, parameters, signal }) => {
    const [start, end] = [timeOf(parameters, 'start'), timeOf(parameters, 'end')];
    if (start === undefined || end === undefined) throw new PromQlError('start and end are needed');
    const step = parseDuration(textOf(parameters, 'step'));
    if (step === undefined) throw new PromQlError('step must be seconds, or a duration such as 30s');
    const query = textOf(parameters, 'query');
    return rangeOf(await evaluatePromQl(store, { query, start, end, step, signal, ...lookbackOf(parameters) }));
  },
  '/labels': ({ store, parameters }) =>
    [...new Set(selected(store, parameters).flatMap((labels) => [...labels.keys()]))].sort(),
  '/series': ({ store, parameters }) => {
    if (!parameters.has('match[]')) throw new PromQlError('match[] is needed');
    return selected(store, parameters).map((labels) => Object.fromEntries(labels));
  },
  '/metadata': () => ({}),
  '/rules': () => ({ groups: [] }),
  '/query_exemplars': () => [],
  // Readers choose by it what they may ask.
  '/status/buildinfo': () => ({ version: '2.50.0', application: 'Skerry' }),
};

function labelValues(escaped: string): Endpoint {
  let label = escaped;
  try {
    label = decodeURIComponent(escaped);
  } catch {
    // As it stands, it is the name of no label.
  }
  return ({ store, parameters }) =>
    [...new Set(selected(store, parameters).flatMap((labels) => labels.get(label) ?? []))].sort();
}

/** The metrics that one of the selectors takes; all without any. */
function selected(store: SeriesSource, parameters: URLSearchParams): MetricLabels[] {
  const matches = parameters.getAll('match[]');
  if (matches.length > MAX_MATCHES) throw new PromQlError(`at most ${MAX_MATCHES} match[] are allowed`);
  const selectors = matches.length === 0 ? [[EVERYTHING]] : matches.map(matchersOf);
  const found = selectors.flatMap((matchers) => metricsOf(store, matchers));
  if (found.length > MAX_LISTED)
    throw new PromQlError(`more than ${MAX_LISTED} series are meant: choose fewer with match[]`);
  return [...new Map(found.map((labels) => [keyOf(labels), labels])).values()];
}

function textOf(parameters: URLSearchParams, name: string): string {
  const text = parameters.get(name);
  if (text === null || text === '') throw new PromQlError(`${name} is needed`);
  return text;
}

function lookbackOf(parameters: URLSearchParams): { lookback?: number } {
  const text = parameters.get('lookback_delta');
  const lookback = text === null || text === '' ? undefined : parseDuration(text);
  return lookback === undefined ? {} : { lookback };
}

const seconds = (time: number | undefined): number => (time ?? 0) / 1000;

function instantOf({ times, value }: PromQlResult): unknown {
  const at = seconds(times[0]);
  if (value.type === 'string') return { resultType: 'string', result: [at, value.text] };
  if (value.type === 'scalar')
    return { resultType: 'scalar', result: [at, formatNumber(value.values[0] ?? Number.NaN)] };
  const result = value.series.map(({ labels, values }) => ({
    metric: Object.fromEntries(labels),
    value: [at, formatNumber(values[0] ?? Number.NaN)],
  }));
  return { resultType: 'vector', result };
}

function rangeOf({ times, value }: PromQlResult): unknown {
  if (value.type === 'string') throw new PromQlError('a text has no range');
  const all =
    value.type === 'scalar' ? [{ labels: new Map(), values: value.values, present: undefined }] : value.series;
  const result = all.map(({ labels, values, present }) => ({
    metric: Object.fromEntries(labels),
    values: [...times].flatMap((time, step) =>
      present?.[step] === 0 ? [] : [[seconds(time), formatNumber(values[step] ?? Number.NaN)]],
    ),
  }));
  return { resultType: 'matrix', result };
}
