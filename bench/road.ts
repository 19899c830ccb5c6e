/** The factory's points from a node's queue on disk to the cloud's store, through the agent's link on loopback; then a backlog (50 million points; `--backlog 5` for fewer) that drains while live values come. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { silentLogger, systemClock } from '@skerry/base';
import { openThroughDoor } from '@skerry/link/door';
import type { Batch } from '@skerry/streams/contract';
import { openRoad, type Road, type RoadRoute, type RouteSettings } from '@skerry/streams/road';
import { factorySeries } from '@skerry/testkit';
import { factoryBatches, rowsIn } from './support/factory-data.ts';
import { percentile, report, round } from './support/figures.ts';
import { type CloudAddress, type CloudCounts, type Peer, PROBE, startPeer } from './support/road-peers.ts';

const SERIES = 1000;
const SECONDS = 2000;
/** Values that are on disk and not yet in the cloud, while they are made as fast as they go. */
const AHEAD_ROWS = 500_000;
const PROBE_EVERY_MS = 20;
/** What waited for less is still live. */
const OLD_MS = 3000;
const SAY_EVERY_MS = 5000;
/** Of filling and of draining each. */
const MAX_PART_MS = 110_000;
/** More than the first agent can have had. */
const MANY_SESSIONS = 1000;

const { values } = parseArgs({ options: { backlog: { type: 'string', default: '50' } } });

const ROUTE: RouteSettings = {
  priority: 'Live',
  maxRows: 8192,
  maxDelayMs: 250,
  maxBytes: 64 * 1024 ** 3,
  maxAgeMs: 30 * 86_400_000,
  windows: [],
};

class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'skerry-bench-'));
  readonly #door = { socket: join(this.folder, 'link.sock'), token: 'bench' };
  readonly road: Road;
  isCut = false;
  cloud: Peer | undefined;
  #agent: Peer | undefined;

  constructor() {
    this.road = openRoad({
      file: join(this.folder, 'road.db'),
      open: (signal) => (this.isCut ? Promise.reject(new Error('cut')) : openThroughDoor(this.#door, 'road', signal)),
      clock: systemClock,
      log: silentLogger,
      random: Math.random,
    });
  }

  async start(): Promise<void> {
    this.cloud = await startPeer('cloud', { folder: this.folder });
    this.#agent = await this.#startAgent(0);
  }

  counts(): Promise<CloudCounts> {
    if (this.cloud === undefined) throw new Error('there is no cloud');
    return this.cloud.ask();
  }

  async cut(): Promise<void> {
    this.isCut = true;
    await this.#agent?.stop();
  }

  async mend(): Promise<void> {
    this.#agent = await this.#startAgent(MANY_SESSIONS);
    this.isCut = false;
  }

  #startAgent(sessionNumber: number): Promise<Peer> {
    return startPeer('agent', { ...(this.cloud?.said as CloudAddress), ...this.#door, sessionNumber });
  }

  async stop(): Promise<void> {
    await this.road.close();
    await this.#agent?.stop();
    await this.cloud?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The factory, with the road's numbers of series. */
function factoryOf(route: RoadRoute, seconds: number): Batch[] {
  const numbers = Array.from({ length: SERIES }, (_, index) => {
    const { labels, type } = factorySeries(index);
    return route.series(type, labels) ?? 0;
  });
  // The past of today: the cloud's store takes nothing from the future.
  const start = Date.now() - 86_400_000;
  return factoryBatches({ series: SERIES, seconds, start }, (series) => numbers[series] ?? 0);
}

function addAll(route: RoadRoute, { length, series, times, values: column, qualities }: Batch, laterMs = 0): void {
  for (let row = 0; row < length; row++)
    route.add(series[row] ?? 0, (times[row] ?? 0) + laterMs, column[row] ?? 0, qualities[row] ?? 0);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number) => systemClock.sleep(ms);

async function delivered(route: RoadRoute, rows: number, everyMs = 20): Promise<void> {
  while (route.report().delivered < rows) await pause(everyMs);
}

async function throughput(bench: Bench): Promise<void> {
  const route = bench.road.route('bench/all', ROUTE);
  const batches = factoryOf(route, SECONDS);
  const rows = rowsIn(batches);
  const started = performance.now();
  for (const batch of batches) {
    addAll(route, batch);
    await turn();
    while (route.report().taken - route.report().delivered > AHEAD_ROWS) await pause(1);
  }
  route.flush();
  await delivered(route, rows);
  const seconds = (performance.now() - started) / 1000;
  const { wireBytes } = await bench.counts();
  report(
    {
      name: 'points from the queue on disk to the cloud’s disk',
      value: Math.round(rows / seconds),
      unit: '/s',
      atLeast: 200_000,
    },
    { name: 'a point on the wire', value: round(wireBytes / rows, 2), unit: 'bytes', atMost: 1.3 },
  );
}

/** A part again and again, each time later, so that memory holds one. */
async function fillQueue(route: RoadRoute, wanted: number): Promise<number> {
  const said = new Progress('in the queue', wanted);
  const seconds = SECONDS / 2;
  const part = factoryOf(route, seconds);
  let rows = 0;
  for (let pass = 0; rows < wanted; pass++) {
    for (const batch of part) {
      addAll(route, batch, pass * seconds * 1000);
      rows += batch.length;
      said.look(rows);
      await turn();
    }
  }
  route.flush();
  return rows;
}

/** Says on the terminal how far a long part is, and ends what would never. */
class Progress {
  readonly #what: string;
  readonly #rows: number;
  readonly #began = performance.now();
  #saidAt = this.#began;

  constructor(what: string, rows: number) {
    this.#what = what;
    this.#rows = rows;
  }

  look(rows: number): void {
    const now = performance.now();
    if (now - this.#began > MAX_PART_MS)
      throw new Error(`only ${rows} of ${this.#rows} points are ${this.#what} in time`);
    if (now - this.#saidAt < SAY_EVERY_MS) return;
    this.#saidAt = now;
    process.stderr.write(`${round(rows / 1e6)} of ${round(this.#rows / 1e6)} million points are ${this.#what}\n`);
  }
}

async function backlog(bench: Bench, millions: number): Promise<void> {
  const route = bench.road.route('bench/all', ROUTE);
  await bench.cut();
  const before = route.report().delivered;
  const rows = await fillQueue(route, millions * 1e6);
  await pause(OLD_MS);
  const { live, late } = route.report();
  await bench.mend();
  while (!bench.road.isConnected) await pause(1);
  const said = new Progress('in the cloud', rows);
  const started = performance.now();
  const probe = route.series('float64', { namespace: 'factory', device: 'bench', property: PROBE }) ?? 0;
  let probes = 0;
  while (route.report().delivered < before + rows) {
    route.add(probe, Date.now() + probes / 1000, Date.now(), 192);
    probes++;
    said.look(route.report().delivered - before);
    await pause(PROBE_EVERY_MS);
  }
  const seconds = (performance.now() - started) / 1000;
  await delivered(route, before + rows + probes);
  const sorted = (await bench.counts()).probes.toSorted((a, b) => a - b);
  const note = `${round((live.bytes + late.bytes) / (live.rows + late.rows), 2)} bytes a point on disk in ${live.blocks + late.blocks} blocks`;
  report(
    {
      name: `backlog of ${round(rows / 1e6)} million points drains`,
      value: Math.round(rows / seconds),
      unit: '/s',
      note,
    },
    { name: 'a live value meanwhile, 99 of 100', value: percentile(sorted, 0.99), unit: 'ms', atMost: 1000 },
    {
      name: 'the slowest live value meanwhile',
      value: sorted.at(-1) ?? 0,
      unit: 'ms',
      note: `${sorted.length} values; collected for up to ${ROUTE.maxDelayMs} ms of it`,
    },
  );
}

const bench = new Bench();
await bench.start();
await throughput(bench);
await backlog(bench, Number(values.backlog));
await bench.stop();
