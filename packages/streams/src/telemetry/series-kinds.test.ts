import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { BatchBuilder, type Boxed, Quality } from '../contract/index.ts';
import { nodeStore } from '../edge/node-store.ts';
import { serveSeries } from '../edge/serve-series.ts';
import { type Labels, openSeriesStore, type SeriesStore, type StoredType } from '../store/index.ts';
import { answerSeriesQuery } from './answer-query.ts';
import type { NodePostDialer } from './ask-node.ts';
import { type AnsweredSeries, askNode, type SeriesQuery, type SeriesQuerySpec, seriesKinds } from './index.ts';

const NOON = Date.UTC(2026, 0, 1, 12);
const { signal } = new AbortController();

type Point = readonly [secondsAgo: number, value: number | Boxed, quality?: number];

function put(store: SeriesStore, labels: Labels, type: StoredType, points: readonly Point[]): void {
  const builder = new BatchBuilder();
  const id = store.series(labels, type);
  for (const [ago, value, quality = Quality.good] of points) builder.add(id, NOON - ago * 1000, value, quality);
  const batch = builder.take();
  if (batch !== undefined) store.append(batch);
}

const LOAD = { namespace: 'hall', device: 'press', property: 'load' };
const FULL = { namespace: 'hall', device: 'tank', property: 'isFull' };
const OTHER = { namespace: 'office', device: 'press', property: 'load' };

function fill(store: SeriesStore): void {
  put(store, LOAD, 'float64', [
    [120, 1],
    [90, 3],
    [60, Number.NaN],
    [30, 8, Quality.bad],
  ]);
  put(store, FULL, 'bool', [
    [7200, 1],
    [5400, 0],
  ]);
  put(store, OTHER, 'float64', [[60, 100]]);
}

interface World {
  readonly ask: (spec: SeriesQuerySpec, namespace?: string) => Promise<readonly AnsweredSeries[]>;
  readonly list: (read: { readonly namespace?: string; readonly name?: string }) => Promise<readonly KubeObject[]>;
}

function over(kinds: ReturnType<typeof seriesKinds>): World {
  const [series, queries] = kinds;
  return {
    ask: async (spec, namespace = 'hall') => {
      const object = { apiVersion: 'telemetry.skerry.io/v1alpha1', kind: 'SeriesQuery', metadata: { namespace }, spec };
      const answered = (await queries?.create?.({ object, signal })) as SeriesQuery | undefined;
      return answered?.status?.series ?? [];
    },
    list: async (read) => (await series?.read({ ...read, matches: () => true, signal })) ?? [],
  };
}

const NOBODY: NodePostDialer = { open: async (node) => assert.fail(`${node} is asked`) };

/** The kinds over a store of the cloud, at noon. */
async function check(story: (world: World) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-series-'));
  const clock = fakeClock({ start: NOON });
  const store = await openSeriesStore({ directory, clock, log: silentLogger });
  fill(store);
  try {
    await story(over(seriesKinds({ here: (asked) => answerSeriesQuery(store, asked, clock.now()), dialer: NOBODY })));
  } finally {
    await store.close();
    rmSync(directory, { recursive: true });
  }
}

const ago = (seconds: number) => NOON - seconds * 1000;
const iso = (seconds: number) => new Date(ago(seconds)).toISOString();

test('a selector gives the rows of the last hour as they came, of one namespace', () =>
  check(async ({ ask }) => {
    const load = {
      labels: LOAD,
      type: 'float64',
      times: [120, 90, 60, 30].map(ago),
      values: [1, 3, 'NaN', 8],
      qualities: [192, 192, 192, 0],
    };
    assert.deepEqual(await ask({ selector: 'load' }), [load]);
    assert.deepEqual(await ask({}), [load]);
    assert.deepEqual(
      (await ask({ selector: '{device=~"press|tank"}', start: iso(7200), end: iso(90) })).map(({ values }) => values),
      [
        [1, 3],
        [true, false],
      ],
    );
    assert.deepEqual(await ask({ selector: 'load{device="none"}' }), []);
  }));

test('with a step there is one value for each, of what is good', () =>
  check(async ({ ask }) => {
    const [one] = await ask({ selector: 'load', step: '10m', aggregate: 'max', end: iso(0) });
    assert.deepEqual([one?.times, one?.values], [[ago(600)], [3]]);
  }));

test('the last row of each series is told, however old it is', () =>
  check(async ({ ask }) => {
    const rows = (await ask({ last: true })).map(({ labels, times, values }) => [labels['device'], times, values]);
    assert.deepEqual(rows, [
      ['press', [ago(30)], [8]],
      ['tank', [ago(5400)], [false]],
    ]);
  }));

test('PromQL is evaluated now or over a range, and sees one namespace whatever it says', () =>
  check(async ({ ask }) => {
    assert.deepEqual(await ask({ promql: 'sum(last_over_time({__name__=~".+"}[1h]))', end: iso(80) }), [
      { labels: {}, times: [ago(80)], values: [3] },
    ]);
    assert.deepEqual(await ask({ promql: 'load{namespace="office"}' }), []);
    assert.deepEqual(await ask({ promql: 'label_replace(load, "namespace", "office", "", "")', end: iso(90) }), [
      { labels: { __name__: 'load', device: 'press', namespace: 'office' }, times: [ago(90)], values: [3] },
    ]);
    const [range] = await ask({ promql: 'load', start: iso(120), end: iso(90), step: '15s' });
    assert.deepEqual([range?.times, range?.values], [[120, 105, 90].map(ago), [1, 1, 3]]);
    assert.deepEqual(await ask({ promql: '1 / 0' }), [{ labels: {}, times: [NOON], values: ['Infinity'] }]);
  }));

test('what is asked wrongly is said in words', () =>
  check(async ({ ask }) => {
    for (const [spec, words] of [
      [{ selector: 'sum(load)' }, /is a selector such as/],
      [{ selector: 'load offset 1h' }, /is a selector such as/],
      [{ selector: 'load', promql: 'load' }, /stands alone/],
      [{ promql: 'sum(' }, /unexpected/],
      [{ start: 'yesterday' }, /spec.start is a time/],
      [{ step: 'often' }, /spec.step is a duration/],
      [{ start: iso(0), end: iso(60) }, /ends before it begins/],
      [{ promql: 'load', start: iso(86_400), step: '1s' }, /make the step longer/],
    ] as const)
      await assert.rejects(ask(spec), { code: 400, message: words }, JSON.stringify(spec));
    for (const spec of [{ aggregate: 'middle' }, { step: 5 }, { selector: {} }, { last: 'no' }])
      await assert.rejects(ask(spec as SeriesQuerySpec), { code: 422 }, JSON.stringify(spec));
  }));

test('series are objects with a name of their own, found by namespace and name', () =>
  check(async ({ list }) => {
    const all = await list({});
    assert.deepEqual(
      all.map(({ metadata }) => `${metadata.namespace}/${metadata.name?.replace(/-[0-9a-f]{10}$/, '')}`).sort(),
      ['hall/press-load', 'hall/tank-isfull', 'office/press-load'],
    );
    const [press] = await list({
      namespace: 'hall',
      name: all.find(({ metadata }) => metadata.namespace === 'hall')?.metadata.name ?? '',
    });
    assert.deepEqual(press?.metadata.labels, LOAD);
    assert.deepEqual([press?.['value'], press?.['time'], press?.['quality']], [8, iso(30), 0]);
    assert.deepEqual(await list({ namespace: 'hall', name: 'none' }), []);
  }));

/** A node with series of its own, asked as the link would. */
async function checkNode(story: (dialer: NodePostDialer, store: () => Promise<SeriesStore>) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-series-'));
  const clock = fakeClock({ start: NOON });
  const context = { clock, log: silentLogger };
  const store = nodeStore({ folder, ...context });
  const serve = serveSeries({ store, ...context });
  const socketPath = join(folder, 'values.sock');
  const server = createServer((asked, response) => void serve(asked, response)).listen(socketPath);
  const dialer: NodePostDialer = {
    open: async (_node, { path }) => {
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const asked = request({ socketPath, path, method: 'POST' }, resolve).once('error', reject);
      return {
        incoming: (async function* () {
          yield* await promise;
        })(),
        send: async (message) => void asked.write(message),
        end: () => void asked.end(),
        abort: () => {},
      };
    },
  };
  try {
    await story(dialer, () => store.open());
  } finally {
    server.close();
    server.closeAllConnections();
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

test('a node that is named answers from what it has recorded', () =>
  checkNode(async (dialer, open) => {
    const { ask } = over(seriesKinds({ here: async () => assert.fail('the cloud is asked'), dialer }));
    assert.deepEqual(await ask({ node: 'edge-1' }), []);
    fill(await open());
    const [load, ...more] = await ask({ node: 'edge-1', promql: 'sum by (namespace) (last_over_time(load[1h]))' });
    assert.deepEqual([load?.labels, load?.values, more], [{ namespace: 'hall' }, ['NaN'], []]);
    await assert.rejects(ask({ node: 'edge-1', promql: 'sum(' }), {
      code: 400,
      message: /node "edge-1": .*unexpected/,
    });
    const { list } = over(seriesKinds({ here: askNode(dialer, 'edge-1'), dialer: NOBODY }));
    assert.equal((await list({})).length, 3);
    assert.equal((await list({ namespace: 'office' })).length, 1);
  }));

test('what a node says of other namespaces is not passed on, and neither is a question that is too long', async () => {
  const told = {
    answer: {
      series: [
        { labels: OTHER, times: [1], values: [1] },
        { labels: LOAD, times: [1], values: [2] },
      ],
    },
  };
  const liar: NodePostDialer = {
    open: async () => ({
      incoming: (async function* () {
        yield Buffer.from(JSON.stringify(told));
      })(),
      send: async () => {},
      end: () => {},
      abort: () => {},
    }),
  };
  const { ask } = over(seriesKinds({ here: askNode(liar, 'edge-1'), dialer: NOBODY }));
  assert.deepEqual(
    (await ask({})).map(({ values }) => values),
    [[2]],
  );
  await assert.rejects(ask({ selector: 'x'.repeat(100_000) }), { code: 413 });
});
