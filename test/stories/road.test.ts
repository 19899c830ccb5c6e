/** Values on their way from a node to the cloud's time series, while everything between is killed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, suite, test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { openSeriesStore } from '@skerry/streams/store';
import { eventually, TestCloud, TestEdge } from '@skerry/testkit/processes';

const DEVICES = 'devices.skerry.io/v1alpha1';

const MODEL = {
  apiVersion: DEVICES,
  kind: 'DeviceModel',
  metadata: { name: 'press' },
  spec: { version: '1.0.0', properties: ['a', 'b', 'c', 'd'].map((name) => ({ name, type: 'float64' })) },
};

const PRESS = {
  apiVersion: DEVICES,
  kind: 'Device',
  metadata: { name: 'press-1', namespace: 'default' },
  spec: {
    model: { name: 'press' },
    protocol: 'simulator',
    placement: { nodeName: 'edge-1' },
    visitors: ['a', 'b', 'c', 'd'].map((property) => ({
      property,
      address: { signal: 'Sine', minimum: 0, maximum: 10, period: '2s' },
      scanClass: '50ms',
    })),
  },
};

const ROUTE = {
  apiVersion: 'streams.skerry.io/v1alpha1',
  kind: 'Route',
  metadata: { name: 'presses', namespace: 'default' },
  spec: {
    placement: { nodeName: 'edge-1' },
    series: [{ device: 'press-*' }],
    batch: { maxDelay: '100ms' },
  },
};

interface Counts {
  readonly taken: number;
  readonly delivered: number;
  readonly dropped: Readonly<Record<string, number>>;
}

interface Told {
  readonly status?: {
    readonly onNodes?: Readonly<Record<string, { readonly state?: string; readonly acknowledgedRows?: number }>>;
  };
}

suite('the road to the cloud', () => {
  let cloud: TestCloud;
  let edge: TestEdge;

  before(async () => {
    cloud = await TestCloud.start();
    edge = await TestEdge.join(cloud, { name: 'edge-1' });
    for (const object of [MODEL, PRESS, ROUTE]) await cloud.apply(object);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  /** As the node's queue on disk counts. */
  const counts = (): Counts => {
    using db = new DatabaseSync(join(edge.dir, 'edge', 'edge-1', 'streams', 'road.db'), { readOnly: true });
    const row = db.prepare(`SELECT counts FROM queue WHERE name = 'default/presses'`).get();
    return JSON.parse(String(row?.['counts'])) as Counts;
  };

  const deliveredMore = async (what: string): Promise<void> => {
    const { delivered } = await eventually('a queue', counts);
    await eventually(what, () => counts().delivered > delivered + 20);
  };

  const worker = (): number => {
    const lines = readFileSync(join(edge.dir, 'edge.log'), 'utf8').split('\n');
    const last = lines.findLast((line) => line.includes('"worker":"data"') && line.includes('"msg":"worker started"'));
    return (JSON.parse(last ?? '{}') as { readonly pid?: number }).pid ?? assert.fail('no worker');
  };

  test('values go on after the cloud, the worker and the agent were killed', async () => {
    await deliveredMore('first values');
    await cloud.process.kill9();
    const { taken } = counts();
    await eventually('values wait', () => counts().taken > taken + 20);
    await cloud.process.start();
    await deliveredMore('values after the cloud came back');
    process.kill(worker(), 'SIGKILL');
    await deliveredMore('values of another worker');
    await edge.process.kill9();
    await edge.process.start();
    await deliveredMore('values of another agent');
  });

  test('the status of the route says how it goes', async () => {
    await eventually('a status', async () => {
      const { status } = await cloud.get<Told>(['route.streams.skerry.io', 'presses']);
      const own = status?.onNodes?.['edge-1'];
      return own?.state === 'Running' && (own.acknowledgedRows ?? 0) > 0;
    });
  });

  test('whatever the node took is in the cloud, once and under its name', async () => {
    await cloud.kubectl(['delete', 'device.devices.skerry.io', 'press-1']);
    // What is collected when the worker ends is on disk; the next one makes no more, and brings it.
    await eventually('the node has no device', async () => {
      return (await edge.kubectl(['get', 'devices.devices.skerry.io', '-A', '-o', 'name'])).trim() === '';
    });
    await edge.process.stop();
    await edge.process.start();
    await eventually('the queue is empty', () => counts().taken === counts().delivered);
    await edge.stopWithPods();
    await cloud.process.stop();
    const { taken, delivered, dropped } = counts();
    const directory = join(cloud.dir, 'cloud', 'series');
    await using store = await openSeriesStore({ directory, clock: systemClock, log: silentLogger });
    const all = { from: 0, to: Number.MAX_SAFE_INTEGER / 1000 };
    const { series } = await store.query({ matchers: [{ label: 'node', op: '=', value: 'edge-1' }], ...all });
    const stored = series.reduce((sum, { rows }) => sum + rows.length, 0);
    assert.deepEqual({ stored, delivered, dropped }, { stored: taken, delivered: taken, dropped: {} });
    const names = series.map((each) => each.series.labels['property'] ?? '').toSorted((a, b) => (a < b ? -1 : 1));
    assert.deepEqual(names, ['a', 'b', 'c', 'd']);
  });
});
