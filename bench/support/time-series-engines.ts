/** VictoriaMetrics and InfluxDB 1.x of Debian, started on loopback with a directory that goes away, with the factory's points in them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch } from '@skerry/streams/contract';
import { factorySeries } from '@skerry/testkit';

export interface Engine {
  readonly name: string;
  /** Takes all of it, and makes its files as small as it does by itself in quiet hours. */
  load(batches: readonly Batch[]): Promise<void>;
  /** Average of each series and minute; returns how many values came. */
  averages(from: number, to: number): Promise<number>;
  /** Ends it; how much its files take. */
  stop(): Promise<number>;
}

const MINUTE_S = 60;
const LINES_A_REQUEST = 10_000;
const PATIENCE_MS = 60_000;

export async function startVictoriaMetrics(directory: string): Promise<Engine> {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const data = join(directory, 'victoria-metrics');
  const child = await start(`${base}/health`, 'victoria-metrics', [
    `-storageDataPath=${data}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    '-retentionPeriod=100y',
    '-search.disableCache',
  ]);
  return {
    name: 'VictoriaMetrics',
    load: async (batches) => {
      for (const line of linesOfSeries(batches)) await post(`${base}/api/v1/import`, line);
      await get(`${base}/internal/force_flush`);
      await get(`${base}/internal/force_merge`);
      await stableSize(() => bytesIn(join(data, 'data')));
    },
    averages: async (from, to) => {
      const query = encodeURIComponent('avg_over_time({__name__="v"}[1m])');
      const range = `start=${from / 1000}&end=${to / 1000}&step=${MINUTE_S}s`;
      const answer = await get(`${base}/api/v1/query_range?query=${query}&${range}&nocache=1`);
      const { data: found } = JSON.parse(answer) as { data: { result: { values: unknown[] }[] } };
      return found.result.reduce((sum, { values }) => sum + values.length, 0);
    },
    stop: async () => {
      await end(child);
      return bytesIn(join(data, 'data')) + bytesIn(join(data, 'indexdb'));
    },
  };
}

export async function startInfluxDb(directory: string): Promise<Engine> {
  const [port, other] = [await freePort(), await freePort()];
  const base = `http://127.0.0.1:${port}`;
  const data = join(directory, 'influxdb');
  mkdirSync(data);
  writeFileSync(join(data, 'influxdb.conf'), influxConfig(data, port, other));
  const child = await start(`${base}/ping`, 'influxd', ['-config', join(data, 'influxdb.conf')]);
  const stored = () => bytesIn(join(data, 'data')) + bytesIn(join(data, 'wal'));
  return {
    name: 'InfluxDB 1.6',
    load: async (batches) => {
      await post(`${base}/query?q=${encodeURIComponent('CREATE DATABASE bench')}`, '');
      for (const lines of lineProtocol(batches)) await post(`${base}/write?db=bench&precision=ms`, lines);
      await stableSize(stored);
    },
    averages: async (from, to) => {
      const range = `time >= ${from}ms AND time < ${to}ms GROUP BY time(1m), * fill(none)`;
      const query = `SELECT mean(value) FROM /^[fi]$/ WHERE ${range}`;
      const answer = await get(`${base}/query?db=bench&epoch=ms&q=${encodeURIComponent(query)}`);
      const { results } = JSON.parse(answer) as { results: { series: { values: unknown[] }[] }[] };
      return (results[0]?.series ?? []).reduce((sum, { values }) => sum + values.length, 0);
    },
    stop: async () => {
      await end(child);
      return stored();
    },
  };
}

function bytesIn(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

/** A series a line, as `/api/v1/import` takes it. */
function* linesOfSeries(batches: readonly Batch[]): Generator<string> {
  const columns = new Map<number, { timestamps: number[]; values: number[] }>();
  for (const { length, series, times, values } of batches) {
    for (let row = 0; row < length; row++) {
      const id = series[row] ?? 0;
      const column = columns.get(id) ?? { timestamps: [], values: [] };
      columns.set(id, column);
      column.timestamps.push(times[row] ?? 0);
      column.values.push(values[row] ?? 0);
    }
  }
  for (const [id, column] of columns) {
    yield JSON.stringify({ metric: { __name__: 'v', ...factorySeries(id).labels }, ...column });
  }
}

function* lineProtocol(batches: readonly Batch[]): Generator<string> {
  let lines: string[] = [];
  for (const { length, series, times, values } of batches) {
    for (let row = 0; row < length; row++) {
      lines.push(lineOf(series[row] ?? 0, times[row] ?? 0, values[row] ?? 0));
      if (lines.length < LINES_A_REQUEST) continue;
      yield lines.join('\n');
      lines = [];
    }
  }
  yield lines.join('\n');
}

/** In the type that suits it best. */
function lineOf(series: number, time: number, value: number): string {
  const { labels, type } = factorySeries(series);
  const tags = `namespace=${labels.namespace},device=${labels.device},property=${labels.property}`;
  if (type === 'float64') return `f,${tags} value=${value} ${time}`;
  if (type === 'bool') return `b,${tags} value=${value === 1} ${time}`;
  return `i,${tags} value=${value}i ${time}`;
}

function influxConfig(directory: string, port: number, other: number): string {
  return `reporting-disabled = true
bind-address = "127.0.0.1:${other}"
[meta]
dir = "${directory}/meta"
[data]
dir = "${directory}/data"
wal-dir = "${directory}/wal"
cache-snapshot-write-cold-duration = "2s"
compact-full-write-cold-duration = "4s"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:${port}"
log-enabled = false
[monitor]
store-enabled = false
`;
}

async function start(probe: string, command: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: 'ignore' });
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`${command} does not start`);
    const isThere = await fetch(probe).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isThere) return child;
    await sleep(100);
  }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  await ended;
}

/** Until it has not changed for a while. */
async function stableSize(size: () => number): Promise<void> {
  let before = -1;
  let quiet = 0;
  for (const deadline = performance.now() + PATIENCE_MS; quiet < 10 && performance.now() < deadline; ) {
    await sleep(500);
    const now = sizeOrNothing(size);
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
}

/** Files come and go while it is measured. */
function sizeOrNothing(size: () => number): number {
  try {
    return size();
  } catch {
    return -1;
  }
}

async function get(url: string): Promise<string> {
  const answer = await fetch(url);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return text;
}

async function post(url: string, body: string): Promise<void> {
  const answer = await fetch(url, { method: 'POST', body });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
