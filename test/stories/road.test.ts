/** Values on their way from devices to the cloud's time series, while everything between is cut off, killed, or full. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, suite, test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { openSeriesStore } from '@skerry/streams/store';
import { runs } from '@skerry/testkit';
import { eventually, skipWithout, TcpProxy, TestCloud, TestEdge } from '@skerry/testkit/processes';
import { dice } from './chaos/dice.ts';
import { Numbers, TOPIC } from './road/numbers.ts';
import { SmallDisks } from './road/small-disks.ts';

const STREAMS = 'streams.skerry.io/v1alpha1';
const PLACEMENT = { nodeName: 'edge-1' };
const PROPERTIES = ['a', 'b', 'c', 'd'];

const MODEL = {
  apiVersion: 'devices.skerry.io/v1alpha1',
  kind: 'DeviceModel',
  metadata: { name: 'press' },
  spec: { version: '1.0.0', properties: PROPERTIES.map((name) => ({ name, type: 'float64' })) },
};

/** It is asked, so that nobody knows what it said to a worker that was killed: its values count from the queue on. */
const PRESS = {
  apiVersion: 'devices.skerry.io/v1alpha1',
  kind: 'Device',
  metadata: { name: 'press-1', namespace: 'default' },
  spec: {
    model: { name: 'press' },
    protocol: 'simulator',
    placement: PLACEMENT,
    visitors: PROPERTIES.map((property) => ({
      property,
      address: { signal: 'Sine', minimum: 0, maximum: 10, period: '2s' },
      scanClass: '50ms',
    })),
  },
};

const object = (kind: string, name: string, spec: object) => ({
  apiVersion: STREAMS,
  kind,
  metadata: { name, namespace: 'default' },
  spec: { placement: PLACEMENT, ...spec },
});

const route = (name: string, device: string) =>
  object('Route', name, { series: [{ device }], batch: { maxDelay: '100ms' } });

const numbersOf = (server: string) =>
  object('Stream', 'numbers', { source: { mqtt: { server, topic: TOPIC, qos: 1 } } });

const NUMBERED = object('Rule', 'numbered', {
  sql: 'SELECT n, ts FROM numbers',
  options: { checkpointInterval: '500ms' },
  sinks: [{ name: 'series', bus: { timeField: 'ts' } }],
});

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

interface Answer {
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

/** What happens, and how it is undone. */
type Trouble = () => Promise<() => Promise<void>>;

const MEGABYTES = 64;
/** More would only take longer. */
const MOST_ROUNDS = 100;

suite('the road to the cloud', { skip: skipWithout('root', 'mosquitto', 'mosquitto-clients') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-road-'));
  const dirs = { cloud: join(folder, 'c'), edge: join(folder, 'e') };
  const seriesFolder = join(dirs.cloud, 'cloud', 'series');
  const queueFolder = join(dirs.edge, 'edge', 'edge-1', 'streams');
  let disks: SmallDisks;
  let numbers: Numbers;
  let cable: TcpProxy;
  let cloud: TestCloud;
  let edge: TestEdge;

  before(async () => {
    disks = await SmallDisks.mount([seriesFolder, queueFolder], MEGABYTES);
    numbers = await Numbers.open();
    const { wrapper } = disks;
    cloud = await TestCloud.start({ dir: dirs.cloud, wrapper });
    cable = await TcpProxy.start(cloud.linkAddress);
    edge = await TestEdge.join(cloud, { name: 'edge-1', dir: dirs.edge, wrapper, args: ['--join', cable.address] });
    const routes = [route('presses', 'press-*'), route('numbers', 'numbered')];
    for (const each of [MODEL, PRESS, ...routes, numbersOf(numbers.server), NUMBERED]) await cloud.apply(each);
    numbers.begin();
    // Before the node reads them, they go to nobody.
    await eventually('a number in the cloud', async () => (await newest()) !== undefined);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await cable?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    await numbers?.[Symbol.asyncDispose]();
    await disks?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The highest number that the cloud has. */
  async function newest(): Promise<number | undefined> {
    const time = String((numbers.start + numbers.count) / 1000 + 60);
    const path = `/telemetry/prometheus/api/v1/query?${new URLSearchParams({ query: 'n{device="numbered"}', time })}`;
    const { data } = JSON.parse(await cloud.kubectl(['get', '--raw', path])) as Answer;
    const [found] = data.result;
    return found === undefined ? undefined : Number(found.value[1]);
  }

  const worker = (): number => {
    const lines = readFileSync(join(edge.dir, 'edge.log'), 'utf8').split('\n');
    const last = lines.findLast((line) => line.includes('"worker":"data"') && line.includes('"msg":"worker started"'));
    return (JSON.parse(last ?? '{}') as { readonly pid?: number }).pid ?? assert.fail('no worker');
  };

  const troubles: Readonly<Record<'link' | 'worker' | 'agent' | 'cloud' | 'queue disk' | 'series disk', Trouble>> = {
    link: async () => {
      cable.cut();
      return async () => cable.mend();
    },
    worker: async () => {
      process.kill(worker(), 'SIGKILL');
      return async () => {};
    },
    agent: async () => {
      await edge.process.kill9();
      return async () => void (await edge.process.start());
    },
    cloud: async () => {
      await cloud.process.kill9();
      return async () => void (await cloud.process.start());
    },
    'queue disk': async () => {
      disks.fill(queueFolder);
      return async () => disks.clear(queueFolder);
    },
    'series disk': async () => {
      disks.fill(seriesFolder);
      return async () => disks.clear(seriesFolder);
    },
  };

  /** Alone, and two at once. */
  const rounds: readonly (readonly (keyof typeof troubles)[])[] = [
    ['link'],
    ['worker'],
    ['agent'],
    ['cloud'],
    ['queue disk'],
    ['series disk'],
    ['link', 'worker'],
    ['queue disk', 'worker'],
    ['link', 'cloud'],
    ['series disk', 'agent'],
  ];

  /** A copy that nobody writes to. */
  const copyOf = (seen: string): string => {
    const copy = mkdtempSync(join(folder, 'copy-'));
    cpSync(disks.seen(seen), copy, { recursive: true });
    return copy;
  };

  /** As the node's queue on disk counts. */
  const counts = (name: string): Counts => {
    using db = new DatabaseSync(join(copyOf(queueFolder), 'road.db'));
    const row = db.prepare(`SELECT counts FROM queue WHERE name = ?`).get(`default/${name}`);
    return JSON.parse(String(row?.['counts'])) as Counts;
  };

  test('values go on after whatever was cut, killed or full', async () => {
    // Another one in a long run.
    const chance = dice(runs(1));
    for (let round = 0; round < Math.min(runs(rounds.length), MOST_ROUNDS); round++) {
      const names = rounds[round % rounds.length] ?? [];
      await numbers.more(1 + chance.roll(300));
      const undo: (() => Promise<void>)[] = [];
      for (const name of names) {
        undo.push(await troubles[name]());
        await numbers.more(1 + chance.roll(200));
      }
      for (const each of undo) await each();
      const { count } = numbers;
      await eventually(
        `numbers that were told after ${names.join(' and ')} in round ${round}`,
        async () => Number(await newest()) >= count,
        { timeoutMs: 60_000 },
      );
    }
  });

  test('the status of a route says how it goes', async () => {
    await eventually('a status', async () => {
      const { status } = await cloud.get<Told>(['route.streams.skerry.io', 'presses']);
      const own = status?.onNodes?.['edge-1'];
      return own?.state === 'Running' && (own.acknowledgedRows ?? 0) > 0;
    });
  });

  test('every number is in the cloud once, and every value that the node took, under its name', async () => {
    await numbers.finish();
    await eventually('the last number', async () => (await newest()) === numbers.count - 1);
    await cloud.kubectl(['delete', 'device.devices.skerry.io', 'press-1']);
    await eventually('the node has no device', async () => {
      return (await edge.kubectl(['get', 'devices.devices.skerry.io', '-A', '-o', 'name'])).trim() === '';
    });
    // What is collected when the worker ends is on disk; the next one makes no more, and brings it.
    await edge.process.stop();
    await edge.process.start();
    await eventually('the queue is empty', () => counts('presses').taken === counts('presses').delivered);
    await edge.stopWithPods();
    await cloud.process.stop();
    const directory = copyOf(seriesFolder);
    await using store = await openSeriesStore({ directory, clock: systemClock, log: silentLogger });
    const all = { from: 0, to: Number.MAX_SAFE_INTEGER / 1000 };
    const storedOf = async (device: string) => {
      const matchers = [
        { label: 'node', op: '=' as const, value: 'edge-1' },
        { label: 'device', op: '=' as const, value: device },
      ];
      return (await store.query({ matchers, ...all })).series;
    };
    const [numbered, ...more] = await storedOf('numbered');
    assert.ok(numbered !== undefined && more.length === 0);
    const [first = 0] = numbered.rows.values;
    const values = [...numbered.rows.values];
    assert.deepEqual(missing(values, first, numbers.count), []);
    assert.equal(values.length, numbers.count - first, 'none is there twice');
    assert.deepEqual(
      values.map((n) => numbers.start + n),
      [...numbered.rows.times],
    );
    const presses = await storedOf('press-1');
    const stored = presses.reduce((sum, { rows }) => sum + rows.length, 0);
    const { taken, delivered, dropped } = counts('presses');
    assert.deepEqual({ stored, delivered, dropped }, { stored: taken, delivered: taken, dropped: {} });
    assert.deepEqual(new Set(presses.map((each) => each.series.labels['property'])), new Set(PROPERTIES));
  });
});

/** Which are not there, from the first up to the end. */
function missing(values: readonly number[], first: number, end: number): readonly number[] {
  const there = new Set(values);
  return Array.from({ length: end - first }, (_, at) => first + at).filter((n) => !there.has(n));
}
