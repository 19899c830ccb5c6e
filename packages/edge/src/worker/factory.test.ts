/** A factory's points from its devices to the cloud: at each station there are as many as there should be, and their sums are right. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { systemClock } from '@skerry/base';
import { type Device, protocols } from '@skerry/devices';
import { createPublisher, Pipeline, planDevice } from '@skerry/devices/worker';
import { type Bus, SeriesTable } from '@skerry/streams/contract';
import type { NodeDevice } from '@skerry/streams/edge';
import type { SeriesStore } from '@skerry/streams/store';
import { type FactoryBatch, factoryPoints, factorySeries, runs } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import { HIGH, high, means, PlainFactory, type Sums, storedSums, sumsOf, WINDOW_MS } from './testing/plain-factory.ts';
import { NAMESPACE, type Objects, wholeWay } from './testing/whole-way.ts';

const SERIES = 1000;
const SERIES_A_DEVICE = 10;
/** In a long run five million points. */
const SECONDS = Math.min(runs(300), 5000);
/** Of the road behind all others, on a machine that has more to do. */
const PATIENCE = { timeoutMs: 240_000 };
/** Between the last point and one that ends every window. */
const END_MS = 600_000;
/** Rows that may wait for somebody on the bus. */
const MOST_WAITING = 20_000;
const GOOD = 192;

const isFloat = (series: number) => factorySeries(series).labels.property.startsWith('float-');
/** Of counters and floats every value counts. */
const isChangeOnly = (series: number) => /^(bool|enum|setpoint)-/.test(factorySeries(series).labels.property);

const OBJECTS: Objects = [
  { kind: 'Route', name: 'all', spec: { batch: { maxDelay: '200ms' } } },
  { kind: 'Retention', name: 'all', spec: { keep: '30d' } },
  {
    kind: 'Stream',
    name: 'points',
    spec: { source: { devices: { rows: 'Value' } }, watermark: { outOfOrder: '45s', idleAfter: '1h' } },
  },
  {
    kind: 'Rule',
    name: 'high',
    spec: {
      sql: `SELECT device, property, value AS high, time FROM points WHERE property LIKE 'float-%' AND value > ${HIGH}`,
      sinks: [{ name: 'out', fields: ['high', 'time'], bus: { object: '{device}/{property}', timeField: 'time' } }],
    },
  },
  {
    kind: 'Rule',
    name: 'means',
    spec: {
      sql: `SELECT device, property, avg(value) AS mean, count(*) AS n, window_end() AS at FROM points
        WHERE property LIKE 'float-%' GROUP BY device, property, TUMBLINGWINDOW(ss, ${WINDOW_MS / 1000})`,
      sinks: [{ name: 'out', fields: ['mean', 'n', 'at'], bus: { object: '{device}/{property}', timeField: 'at' } }],
    },
  },
];

const MODEL = {
  apiVersion: 'devices.skerry.io/v1alpha1',
  kind: 'DeviceModel',
  metadata: { name: 'machine', namespace: NAMESPACE },
  spec: {
    version: '1.0.0',
    properties: Array.from({ length: SERIES_A_DEVICE }, (_, index) => {
      const { labels, type } = factorySeries(index);
      return { name: labels.property, type };
    }),
  },
};

function deviceOf(index: number): Device {
  const own = Array.from({ length: SERIES_A_DEVICE }, (_, at) => index * SERIES_A_DEVICE + at);
  return {
    apiVersion: 'devices.skerry.io/v1alpha1',
    kind: 'Device',
    metadata: { name: factorySeries(index * SERIES_A_DEVICE).labels.device, namespace: NAMESPACE },
    spec: {
      model: { name: 'machine' },
      protocol: 'simulator',
      visitors: own.map((series) => ({
        property: factorySeries(series).labels.property,
        address: { signal: 'Constant' },
        ...(isChangeOnly(series) ? { cleaning: { changeOnly: true } } : {}),
      })),
    },
  };
}

function planAll(series: SeriesTable) {
  const protocol = (name: string) => protocols().find((each) => each.name === name);
  return Array.from({ length: SERIES / SERIES_A_DEVICE }, (_, index) => {
    const plan = planDevice(deviceOf(index), { models: () => MODEL, protocol, series });
    return typeof plan === 'string' ? assert.fail(plan) : plan;
  });
}

type Plans = ReturnType<typeof planAll>;

function nodeDevicesOf(plans: Plans): readonly NodeDevice[] {
  return plans.map(({ namespace, name, points }) => ({
    namespace,
    name,
    model: 'machine',
    labels: {},
    points: points.map((point) => ({ property: point.property.name, series: point.series })),
  }));
}

/** Lets all points come as the devices tell them. */
async function runDevices(plans: Plans, bus: Bus, batches: Iterable<FactoryBatch>): Promise<readonly Pipeline[]> {
  const publisher = createPublisher(systemClock, bus);
  const pipelines = plans.map(({ points }) => new Pipeline({ clock: systemClock, publisher, points }));
  const sinks = plans.map(({ points }, at) => pipelines[at]?.sinkFor(points));
  const isTooMuch = () => bus.subscriptions().some(({ waiting }) => waiting > MOST_WAITING);
  for (const { length, series, times, values } of batches) {
    for (let row = 0; row < length; row++) {
      const id = series[row] ?? 0;
      const isBool = factoryTypes[id % SERIES_A_DEVICE] === 'bool';
      const value = values[row] ?? 0;
      sinks[Math.floor(id / SERIES_A_DEVICE)]?.value(id % SERIES_A_DEVICE, isBool ? value === 1 : value, times[row]);
    }
    publisher.flush();
    do await turn();
    while (isTooMuch());
  }
  return pipelines;
}

const factoryTypes = Array.from({ length: SERIES_A_DEVICE }, (_, index) => factorySeries(index).type);

/** The points, and at last one that ends every window. */
function* pointsFrom(start: number): Generator<FactoryBatch> {
  yield* factoryPoints({ series: SERIES, seconds: SECONDS, start });
  const times = Float64Array.of(start + SECONDS * 1000 + END_MS);
  yield { length: 1, series: new Uint32Array(1), times, values: Float64Array.of(1), qualities: Uint8Array.of(GOOD) };
}

/** By series, as `device property`. */
type BySeries = ReadonlyMap<string, Sums>;

async function sumsIn(store: SeriesStore, start: number): Promise<BySeries> {
  const range = { matchers: [], from: start - WINDOW_MS, to: start + SECONDS * 1000 + 2 * END_MS };
  const ask = async (aggregate: 'count' | 'sum') => {
    const { series } = await store.query({ ...range, step: 86_400_000, aggregate });
    return new Map(
      series.map((each) => [
        `${each.series.labels['device']} ${each.series.labels['property']}`,
        each.rows.values.reduce((sum, value) => sum + value, 0),
      ]),
    );
  };
  const [counts, sums] = [await ask('count'), await ask('sum')];
  return new Map([...counts].map(([name, count]) => [name, { count, sum: sums.get(name) ?? Number.NaN }]));
}

/** What the stores should have: values as they were cleaned, and results of both rules. */
function expectedSums({ cleaned }: PlainFactory): BySeries {
  const expected = new Map<string, Sums>();
  for (const [series, rows] of cleaned.entries()) {
    const { device, property } = factorySeries(series).labels;
    expected.set(`${device} ${property}`, storedSums(rows));
    if (!isFloat(series)) continue;
    const object = `${device}/${property}`;
    const above = high(rows);
    if (above.length > 0) expected.set(`${object} high`, storedSums(above));
    // The last window is still open.
    const windows = series === 0 ? means(rows).slice(0, -1) : means(rows);
    expected.set(`${object} mean`, storedSums(windows));
    expected.set(`${object} n`, storedSums(windows.map(({ time, n }) => ({ time, value: n }))));
  }
  return expected;
}

/** Sums are added up in another order. */
function check(found: BySeries, expected: BySeries, station: string): void {
  const wrong = [...expected].filter(([name, { count, sum }]) => {
    const there = found.get(name);
    return there?.count !== count || Math.abs(there.sum - sum) > 1e-9 * Math.max(1, Math.abs(sum));
  });
  assert.deepEqual(
    wrong.slice(0, 5).map(([name, sums]) => [name, found.get(name), sums]),
    [],
    station,
  );
  assert.equal(found.size, expected.size, station);
}

test('of a factory’s points none is lost and none is added: cleaned, ruled, recorded, brought to the cloud', async () => {
  const start = Math.floor((Date.now() - SECONDS * 1000 - 2 * END_MS) / 1000) * 1000;
  const series = new SeriesTable();
  const plans = planAll(series);
  await using way = await wholeWay(OBJECTS, nodeDevicesOf(plans), series);
  const { bus } = way.values;
  await eventually('everybody listens', async () => bus.subscriptions().length === 3 && (await way.areRulesRunning()));
  const published = bus.published;
  const plain = new PlainFactory(SERIES, isChangeOnly);
  for (const batch of pointsFrom(start)) plain.add(batch);
  const pipelines = await runDevices(plans, bus, pointsFrom(start));
  await eventually('all is read', () => bus.subscriptions().every(({ waiting }) => waiting === 0), PATIENCE);
  assert.deepEqual(
    bus.subscriptions().map(({ dropped }) => dropped),
    [0, 0, 0],
  );

  const raw = sumsOf(plain.raw.flat());
  const cleaned = sumsOf(plain.cleaned.flat());
  const counters = pipelines.map((pipeline) => pipeline.counters());
  const total = (count: (each: (typeof counters)[number]) => number) =>
    counters.reduce((sum, each) => sum + count(each), 0);
  assert.deepEqual(
    {
      in: total((each) => each.in ?? 0),
      out: total((each) => each.out ?? 0),
      duplicates: total((each) => each.dropped?.['Duplicate'] ?? 0),
      unchanged: total((each) => each.dropped?.['Unchanged'] ?? 0),
    },
    { in: raw.count, out: cleaned.count, duplicates: plain.duplicates, unchanged: plain.unchanged },
    'cleaning',
  );

  const floats = plain.cleaned.filter((_, at) => isFloat(at));
  const highs = floats.flatMap(high).length;
  const windows = floats.flatMap(means).length - 1;
  const onBus = cleaned.count + highs + 2 * windows;
  await eventually('all is in the cloud', () => way.road('all').delivered >= onBus, PATIENCE);
  assert.equal(bus.published - published, onBus, 'rules');
  const { taken, delivered, dropped } = way.road('all');
  assert.deepEqual({ taken, delivered, dropped }, { taken: onBus, delivered: onBus, dropped: {} }, 'road');
  const expected = expectedSums(plain);
  check(await way.inCloud((store) => sumsIn(store, start)), expected, 'cloud store');
  check(await way.atNode((store) => sumsIn(store, start)), expected, 'store at the node');
});
