/** The road as a whole, over a real link, with queues on a real disk. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Clock, silentLogger, systemClock } from '@skerry/base';
import type { LinkStream } from '@skerry/link';
import type { HubOptions } from '@skerry/link/node';
import { Loopback, type LoopbackEdge } from '@skerry/link/testing';
import { eventually } from '@skerry/testkit/processes';
import { createIntake, type Intake, type IntakeLimits } from './cloud/intake.ts';
import type { RouteSettings } from './contract.ts';
import { openRoad, type Road, type RoadRoute } from './edge/road.ts';
import { MemoryStore } from './testing/memory-store.ts';

const ROUTE: RouteSettings = {
  priority: 'Live',
  maxRows: 1000,
  maxDelayMs: 10,
  maxBytes: 1e9,
  maxAgeMs: 1e12,
  windows: [],
};

interface Site {
  readonly store: MemoryStore;
  readonly file: string;
  readonly edge: LoopbackEdge;
  readonly intake: () => Intake;
  readonly open: (maxFileBytes?: number) => Road;
  /** Sets the node's clock, so much ahead of what it was. */
  /** Namespaces that have a Route on the node. */
  readonly routed: Set<string>;
  readonly setClock: (aheadMs: number) => void;
  /** The cloud's process begins anew, with what was on its disk. */
  readonly restartCloud: () => void;
}

const CROWDED_ROWS = 100;

async function check(use: (site: Site) => Promise<void>, limits: Partial<IntakeLimits> = {}): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-road-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true }));
  const store = new MemoryStore();
  const routed = new Set(['plant']);
  const begin = () =>
    createIntake({
      store: store.store,
      clock: systemClock,
      log: silentLogger,
      limits,
      mayBring: async (_node, namespace) => routed.has(namespace),
      crowdedRows: CROWDED_ROWS,
    });
  let intake = begin();
  const streams = new Set<LinkStream>();
  const streamHandler: HubOptions['streamHandler'] = (node, _header, stream, signal) => {
    streams.add(stream);
    return intake.serve(node, stream, signal);
  };
  const cloud = stack.use(await new Loopback({ hub: { streamHandler } }).start());
  const edge = cloud.edge('press');
  edge.link.start();
  await edge.until(({ connected }) => connected);
  const file = join(folder, 'road.db');
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  await use({
    store,
    file,
    edge,
    intake: () => intake,
    open: (maxFileBytes) =>
      openRoad({
        file,
        ...(maxFileBytes === undefined ? {} : { maxFileBytes }),
        open: (signal) => edge.link.openStream(Buffer.from('road'), signal),
        clock,
        log: silentLogger,
        random: Math.random,
      }),
    routed,
    setClock: (ms) => {
      aheadMs += ms;
    },
    restartCloud: () => {
      store.crash();
      intake = begin();
      for (const stream of streams) stream.abort('the cloud is gone');
      streams.clear();
    },
  });
}

function fill(route: RoadRoute, from: number, to: number): void {
  const series =
    route.series('float64', { namespace: 'plant', device: 'press', property: 'count' }) ?? assert.fail('no series');
  for (let count = from; count < to; count++) route.add(series, 1.7e12 + count, count, 192);
}

/** Every count once. Not in order: what waited comes behind what is new. */
async function arrived(store: MemoryStore, count: number): Promise<void> {
  await eventually('all values are in the cloud', () => store.rows.length >= count);
  const values = store.rows.map(({ value }) => Number(value)).sort((a, b) => a - b);
  assert.deepEqual(
    values,
    Array.from({ length: count }, (_, each) => each),
  );
}

test('values of any kind arrive with labels, types, times and qualities, under the name of the node', () =>
  check(async ({ store, open }) => {
    const road = open();
    const route = road.route('plant/all', ROUTE);
    const add = (type: 'float32' | 'string', property: string, value: number | string) =>
      route.add(route.series(type, { namespace: 'plant', property, node: 'other' }) ?? -1, 1.7e12, value, 192);
    add('float32', 'level', Math.fround(0.1));
    add('string', 'state', 'running');
    await eventually('both are there', () => store.rows.length === 2);
    await road.close();
    const labels = { namespace: 'plant', node: 'press' };
    assert.deepEqual(store.rows, [
      { labels: { ...labels, property: 'level' }, time: 1.7e12, value: Math.fround(0.1), quality: 192 },
      { labels: { ...labels, property: 'state' }, time: 1.7e12, value: 'running', quality: 192 },
    ]);
    assert.deepEqual(
      store.series.map(({ type }) => type),
      ['float32', 'string'],
    );
  }));

test('what is on disk comes once, however often edge, link and cloud begin anew', () =>
  check(async ({ store, open, restartCloud }) => {
    const total = 20_000;
    for (let count = 0, turn = 0; count < total; turn++) {
      const road = open();
      const route = road.route('plant/all', ROUTE);
      for (let part = 0; part < 4; part++, count += total / 20) {
        fill(route, count, count + total / 20);
        route.flush();
        if (part === turn % 4) restartCloud();
        await new Promise(setImmediate);
      }
      await road.close();
    }
    const road = open();
    await arrived(store, total);
    await road.close();
  }));

test('a cloud whose disk is full acknowledges nothing, and everything comes when it has room', () =>
  check(async ({ store, open }) => {
    store.trouble = 'the disk is full';
    const road = open();
    const route = road.route('plant/all', ROUTE);
    fill(route, 0, 3000);
    await eventually('the edge is told', () => road.problem?.includes('the disk is full') === true);
    fill(route, 3000, 5000);
    store.trouble = undefined;
    await arrived(store, 5000);
    await eventually('all is acknowledged', () => route.report().delivered === 5000);
    await road.close();
  }));

test('an edge whose disk is full keeps what it can in memory, and loses nothing when there is room again', () =>
  check(async ({ store, open }) => {
    store.trouble = 'closed for now';
    const road = open(300 * 1024);
    const route = road.route('plant/all', ROUTE);
    const series =
      route.series('float64', { namespace: 'plant', device: 'press', property: 'count' }) ?? assert.fail('no series');
    // Values that no codec makes small.
    const noise = (count: number) => count + Math.abs(Math.sin(count * 7919.123));
    for (let count = 0; count < 50_000; count++) route.add(series, 1.7e12 + count, noise(count), 192);
    await eventually('it says so', () => road.problem?.includes('takes nothing') === true);
    store.trouble = undefined;
    await eventually('all values are in the cloud', () => store.rows.length >= 50_000);
    const { dropped } = route.report();
    await road.close();
    assert.deepEqual(
      store.rows.map(({ value }) => Number(value)).sort((a, b) => a - b),
      Array.from({ length: 50_000 }, (_, count) => noise(count)),
    );
    assert.deepEqual(dropped, {});
  }));

test('a cloud whose memory is crowded takes what is new, and what waited later', () =>
  check(async ({ store, open, setClock, restartCloud }) => {
    store.trouble = 'closed for now';
    const road = open();
    const route = road.route('plant/all', ROUTE);
    const series =
      route.series('float64', { namespace: 'plant', device: 'press', property: 'noise' }) ?? assert.fail('no series');
    for (let count = 0; count < 50_000; count++) route.add(series, 1.7e12 + count, Math.sin(count), 192);
    await eventually('all are on disk', () => route.report().taken === 50_000);
    // They are no longer new then, to any session that begins from now on.
    setClock(10_000);
    restartCloud();
    store.headRows = CROWDED_ROWS + 1;
    store.trouble = undefined;
    const isNew = ({ value }: { readonly value: unknown }) => typeof value === 'number' && value > 1;
    let added = 1;
    await eventually('what is new', () => {
      route.add(series, 1.8e12 + added, ++added, 192);
      return store.rows.filter(isNew).length > 5;
    });
    assert.ok(store.rows.length < 40_000, 'not all of the others');
    store.headRows = 0;
    await eventually('all of it', () => store.rows.length >= 50_000);
    await road.close();
  }));

test('a cloud whose store is behind takes what comes a little later, and once', () =>
  check(async ({ store, open }) => {
    store.behind = 3;
    const road = open();
    const route = road.route('plant/all', ROUTE);
    fill(route, 0, 5000);
    await arrived(store, 5000);
    await eventually('all is acknowledged', () => route.report().delivered === 5000);
    assert.ok(store.behind < 0);
    await road.close();
  }));

test('what waits while the node’s clock is set by years, also over a new start, is not too old', () =>
  check(async ({ store, open, setClock }) => {
    setClock(-5 * 365 * 86_400_000);
    store.trouble = 'closed for now';
    const first = open();
    const settings = { ...ROUTE, maxAgeMs: 86_400_000 };
    fill(first.route('plant/all', settings), 0, 1000);
    first.route('plant/all', settings).flush();
    setClock(5 * 365 * 86_400_000);
    await first.close();
    const second = open();
    const route = second.route('plant/all', settings);
    fill(route, 1000, 2000);
    await eventually('it was looked at', () => route.report().taken === 2000);
    store.trouble = undefined;
    await arrived(store, 2000);
    assert.deepEqual(route.report().dropped, {});
    await second.close();
  }));

test('a node has no more series than it may, and is told what was refused', () =>
  check(
    async ({ store, open }) => {
      const road = open();
      const route = road.route('plant/all', ROUTE);
      for (const property of ['a', 'b', 'c'])
        route.add(route.series('bool', { namespace: 'plant', property }) ?? -1, 1.7e12, 1, 192);
      await eventually('it is told', () => route.report().dropped.Refused === 1);
      assert.deepEqual([store.rows.length, route.report().delivered], [2, 2]);
      assert.match(route.report().refusal ?? '', /beyond what a node may have/);
      await road.close();
    },
    { seriesPerNode: 2 },
  ));

test('a node brings values only of namespaces that have a Route there; others are refused, counted, and taken once they have one', () =>
  check(async ({ store, open, routed }) => {
    const road = open();
    const route = road.route('plant/all', ROUTE);
    const add = (labels: Readonly<Record<string, string>>, time: number) =>
      route.add(route.series('bool', { property: 'on', ...labels }) ?? -1, time, 1, 192);
    const namespaces = () => store.rows.map(({ labels }) => labels['namespace']);
    for (const labels of [{ namespace: 'plant' }, { namespace: 'other' }, {}]) add(labels, 1.7e12);
    await eventually('it is told', () => route.report().dropped.Refused === 2);
    assert.match(route.report().refusal ?? '', /2 of namespaces that have no Route on this node/);
    assert.deepEqual(namespaces(), ['plant']);
    routed.add('other');
    let time = 1.7e12;
    await eventually('the other one', () => {
      add({ namespace: 'other' }, ++time);
      return namespaces().includes('other');
    });
    // What a Route took before it went still comes.
    routed.delete('other');
    await road.close();
    const before = store.rows.length;
    const again = open();
    const next = again.route('plant/all', ROUTE);
    next.add(next.series('bool', { property: 'on', namespace: 'other' }) ?? -1, 1.8e12, 1, 192);
    await eventually('what is known', () => store.rows.slice(before).some(({ time: at }) => at === 1.8e12));
    await again.close();
  }));

test('of several sessions of a node the last one goes on', () =>
  check(async ({ edge, store, open }) => {
    const header = Buffer.from('road');
    // One that another one took the place of at once is refused.
    const opening = [1, 2, 3].map(() =>
      edge.link.openStream(header).then(
        ({ closed }) => closed,
        () => {},
      ),
    );
    const road = open();
    fill(road.route('plant/all', ROUTE), 0, 100);
    await arrived(store, 100);
    await Promise.all(opening);
    await road.close();
  }));

test('what speaks otherwise than the protocol says is cut off', () =>
  check(async ({ edge, store }) => {
    const stream = await edge.link.openStream(Buffer.from('road'));
    await stream.send(Uint8Array.of(99));
    await stream.closed;
    assert.equal(store.rows.length, 0);
  }));

test('where a source was is kept with its rows', () =>
  check(async ({ open }) => {
    const position = Buffer.from('offset 7');
    const first = open();
    const route = first.route('plant/all', ROUTE);
    fill(route, 0, 10);
    route.flush([{ name: 'rule', position }]);
    await first.close();
    const second = open();
    assert.deepEqual(Buffer.from(second.route('plant/all', ROUTE).origin('rule') ?? []), position);
    await second.close();
  }));

test('a file of queues that was restored from a copy loses nothing that comes after', () =>
  check(async ({ store, file, open }) => {
    const first = open();
    fill(first.route('plant/all', ROUTE), 0, 100);
    await arrived(store, 100);
    await first.close();
    copyFileSync(file, `${file}.copy`);
    const second = open();
    const blocks = second.route('plant/all', ROUTE);
    for (let count = 100; count < 110; count++) {
      fill(blocks, count, count + 1);
      blocks.flush();
    }
    await arrived(store, 110);
    await second.close();
    for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
    copyFileSync(`${file}.copy`, file);
    const third = open();
    const route = third.route('plant/all', ROUTE);
    for (let count = 110; count < 130; count++) {
      fill(route, count, count + 1);
      route.flush();
    }
    const seen = () => new Set(store.rows.map(({ value }) => value));
    await eventually('what came after', () => seen().size === 130);
    await third.close();
    assert.deepEqual(seen(), new Set(Array.from({ length: 130 }, (_, each) => each)));
  }));

test('a file of queues that is none is put aside, and values go on', () =>
  check(async ({ store, file, open }) => {
    writeFileSync(file, 'this is no database, whatever its name says'.repeat(100));
    const road = open();
    fill(road.route('plant/all', ROUTE), 0, 100);
    await arrived(store, 100);
    await road.close();
  }));

test('a file of queues is one process’s at a time', () =>
  check(async ({ open }) => {
    const road = open();
    assert.throws(() => open(), /another process/);
    await road.close();
    await open().close();
  }));

test('the queue of a route that is gone still empties, and then is forgotten', () =>
  check(async ({ store, open }) => {
    const road = open();
    fill(road.route('plant/all', ROUTE), 0, 100);
    road.retire('plant/all');
    await arrived(store, 100);
    await road.close();
  }));
