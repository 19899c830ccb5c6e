/** The same points and queries here and in Debian's Prometheus. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireSystem } from '@skerry/testkit/processes';
import { openTarget } from '../../outlets/index.ts';
import { loopback, startPrometheus } from '../../outlets/testing/engines.ts';
import { rowsOf } from '../../outlets/testing/rows.ts';
import { formatNumber } from './aggregate.ts';
import { evaluatePromQl } from './evaluate.ts';
import { type Given, memorySource } from './testing/memory-source.ts';
import { keyOf, labelsFrom } from './vector.ts';

const SECOND = 1000;
/** An hour ago, on a full minute: Prometheus takes nothing that is much older. */
const BEGIN = Math.floor((Date.now() - 3_600_000) / 60_000) * 60_000;
const LENGTH = 40 * 60 * SECOND;
/** Not on a step of a subquery either. */
const [START, END] = [BEGIN + 7 * SECOND, BEGIN + LENGTH];

/** The same numbers each time. */
function randomFrom(seed: number): () => number {
  let state = Math.imul(seed, 2_654_435_761) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A point every 15 seconds with jitter and gaps; never on a full second, where older versions draw the line elsewhere. */
function series(labels: Given['labels'], seed: number, next: (before: number, random: number) => number): Given {
  const random = randomFrom(seed);
  const points: [number, number][] = [];
  let value = 50;
  for (let time = BEGIN; time < BEGIN + LENGTH; time += 15 * SECOND) {
    value = next(value, random());
    if (random() < 0.05) time += 8 * 60 * SECOND * (random() < 0.2 ? 1 : 0) + 15 * SECOND;
    points.push([time + 1 + Math.floor(random() * 900), value]);
  }
  return { labels, points };
}

const walk = (before: number, random: number): number => Math.round((before + random - 0.5) * 1000) / 1000;
const counter = (before: number, random: number): number => (random < 0.02 ? 3 : before + Math.floor(random * 20));

const GIVEN: readonly Given[] = [
  ...['a', 'b', 'c', 'd'].map((device, index) =>
    series({ property: 'load', device, line: `${index % 2}` }, index + 1, walk),
  ),
  ...['a', 'b', 'c'].map((device, index) =>
    series({ property: 'parts', device, line: `${index % 2}` }, index + 11, counter),
  ),
  ...['a', 'b'].map((device, index) => series({ property: 'limit', device }, index + 21, () => 40 + index)),
  series({ property: 'state', device: 'a' }, 31, (_before, random) => (random < 0.5 ? 0 : 1)),
  ...['0.1', '1', '10', '+Inf'].map((le, index) =>
    series({ property: 'took_bucket', le }, 41, (before, random) => before + Math.floor(random * 10) + index),
  ),
];

const QUERIES = [
  'load',
  'load{device=~"a|b"}',
  'load{device!="a",line="1"}',
  'load offset 5m',
  'load @ end()',
  'sum(load)',
  'avg by (line) (load)',
  'min without (device) (load)',
  'count(load > 50)',
  'stddev(load)',
  'stdvar by (line) (load)',
  'group(load)',
  'quantile(0.3, load)',
  'topk(2, load)',
  'bottomk by (line) (1, load)',
  'count_values("v", limit)',
  'rate(parts[5m])',
  'irate(parts[5m])',
  'increase(parts[10m])',
  'sum by (line) (rate(parts[3m]))',
  'delta(load[5m])',
  'idelta(load[5m])',
  'deriv(load[10m])',
  'predict_linear(load[10m], 600)',
  'predict_linear(load[10m] offset 5m, 600)',
  'changes(state[10m])',
  'resets(parts[20m])',
  'avg_over_time(load[5m])',
  'min_over_time(load[5m])',
  'max_over_time(load[5m])',
  'sum_over_time(load[5m])',
  'count_over_time(load[2m])',
  'stddev_over_time(load[5m])',
  'stdvar_over_time(load[5m])',
  'quantile_over_time(0.9, load[5m])',
  'last_over_time(load[1m])',
  'present_over_time(load[1m])',
  'absent(load{device="z"})',
  'absent_over_time(load{device="a"}[1m])',
  'max_over_time(rate(parts[2m])[10m:1m])',
  'avg_over_time(load[10m:30s] offset 2m)',
  'load / on (device) limit',
  'load - ignoring (line) limit',
  'load * on (device) group_left limit',
  'limit * on (device) group_right load',
  'load > on (device) limit',
  'load >= bool 50',
  'load and on (device) limit',
  'load or limit',
  'load unless on (device) limit',
  'load % 7',
  '-load ^ 2',
  '2 ^ 3 ^ 2 - 5 % 3',
  'load == load',
  'abs(load - 50)',
  'ceil(load)',
  'floor(load)',
  'round(load, 0.5)',
  'sqrt(load)',
  'exp(load / 100)',
  'ln(load)',
  'log2(load)',
  'log10(load)',
  'sgn(load - 50)',
  'clamp(load, 49, 51)',
  'clamp_min(load, 50)',
  'clamp_max(load, 50)',
  'timestamp(load)',
  'timestamp(load + 0)',
  'time()',
  'vector(1)',
  'scalar(limit{device="a"})',
  'hour()',
  'day_of_week(load * 1e7)',
  'days_in_month(load * 1e7)',
  'day_of_year(load * 1e7)',
  'minute(vector(time()))',
  'label_replace(load, "copy", "x-$1", "device", "(.*)")',
  'label_join(load, "both", "/", "device", "line")',
  'histogram_quantile(0.9, took_bucket)',
  'histogram_quantile(0.5, rate(took_bucket[5m]))',
  'sum(load) by (line) / ignoring (line) group_left sum(load)',
  'sin(load) + cos(load) + tan(load) + atan(load) + deg(load) + rad(load)',
];

type Answer = Map<string, readonly (readonly [number, number])[]>;

async function ours(query: string, step: number): Promise<Answer> {
  const source = memorySource(GIVEN);
  const { times, value } = await evaluatePromQl(source, { query, start: START, end: END, step });
  if (value.type === 'string') throw new Error('a text');
  const all =
    value.type === 'vector' ? value.series : [{ labels: labelsFrom([]), values: value.values, present: undefined }];
  return new Map(
    all.map(({ labels, values, present }) => [
      keyOf(labels),
      [...times].flatMap((time, index) =>
        present?.[index] === 0 ? [] : [[time / 1000, values[index] ?? Number.NaN] as const],
      ),
    ]),
  );
}

async function theirs(port: number, query: string, step: number): Promise<Answer> {
  const parameters = new URLSearchParams({
    query,
    start: `${START / 1000}`,
    end: `${END / 1000}`,
    step: `${step / 1000}`,
  });
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/query_range?${parameters}`);
  const { status, error, data } = (await response.json()) as {
    status: string;
    error?: string;
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  assert.equal(status, 'success', `${query}: ${error}`);
  return new Map(
    data.result.map(({ metric, values }) => [
      keyOf(labelsFrom(Object.entries(metric))),
      values.map(([time, text]) => [time, numberOf(text)] as const),
    ]),
  );
}

function numberOf(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}

function assertAlike(query: string, mine: Answer, other: Answer): void {
  assert.deepEqual([...mine.keys()].sort(), [...other.keys()].sort(), `${query}: the series`);
  for (const [key, points] of mine) {
    const wanted = other.get(key) ?? [];
    assert.deepEqual(
      points.map(([time]) => time),
      wanted.map(([time]) => time),
      `${query} ${key}: the steps`,
    );
    points.forEach(([time, value], index) => {
      const expected = wanted[index]?.[1] ?? Number.NaN;
      const isAlike =
        Object.is(value, expected) ||
        value === expected ||
        Math.abs(value - expected) <= 1e-9 * Math.max(1, Math.abs(expected));
      assert.ok(isAlike, `${query} ${key} at ${time}: ${formatNumber(value)}, and there ${formatNumber(expected)}`);
    });
  }
}

test('Prometheus gives the same answers', async (t) => {
  if (!requireSystem(t, 'prometheus')) return;
  await using engine = await startPrometheus();
  const endpoint = `http://127.0.0.1:${engine.port}/api/v1/write`;
  const target = await openTarget('PrometheusRemoteWrite', {
    endpoint,
    headers: {},
    credentials: {},
    options: {},
    folder: '',
    reach: loopback,
  });
  await target.send(
    GIVEN.map(({ labels, points }) => rowsOf(labels, 'float64', points)),
    new AbortController().signal,
  );
  for (const query of QUERIES)
    for (const step of [60, 90])
      assertAlike(query, await ours(query, step * SECOND), await theirs(engine.port, query, step * SECOND));
});
