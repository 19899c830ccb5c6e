/** The store of time series on the factory's points, beside VictoriaMetrics and InfluxDB 1.6 (Debian's) with the same points. */
import { mkdtempSync, rmSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@skerry/base';
import { type Batch, MAX_BATCH_ROWS } from '@skerry/streams/contract';
import { appendWhenReady, openSeriesStore, type SeriesStore, type StoreLimits } from '@skerry/streams/store';
import { factorySeries } from '@skerry/testkit';
import { factoryBatches, rebatched, rowsIn } from './support/factory-data.ts';
import { percentile, report, round } from './support/figures.ts';
import { type Engine, startInfluxDb, startVictoriaMetrics } from './support/time-series-engines.ts';

const SERIES = 1000;
const SECONDS = 5000;
const START = Date.UTC(2026, 0, 1);
const END = START + (SECONDS + 60) * 1000;
const MINUTE = 60_000;
const EVERY_MS = 100;
const REPEATS = 9;
const ALL = [{ label: 'namespace', op: '=', value: 'factory' }] as const;
const LARGE_BYTES = 1024 ** 3;

const root = mkdtempSync(join(tmpdir(), 'skerry-bench-'));

async function main(): Promise<void> {
  const batches = factoryBatches({ series: SERIES, seconds: SECONDS }, (series) => series);
  const rows = rowsIn(batches);
  const ours = await measureStore(batches, rows);
  await appendByBatch(batches);
  await lastValues();
  await coldOpen();
  const others = [await measureEngine(startVictoriaMetrics, batches), await measureEngine(startInfluxDb, batches)];
  compare(rows, ours, others);
}

interface Measured {
  readonly name: string;
  readonly bytes: number;
  readonly averagesMs: number;
}

async function measureStore(batches: readonly Batch[], rows: number): Promise<Measured> {
  await using store = await openWithSeries('all', { headRows: rows });
  const started = performance.now();
  await appendAll(store, batches);
  const appendMs = performance.now() - started;
  await store.seal();
  const sealMs = performance.now() - started;
  await store.maintain();
  const bareMs = await bareLog(batches, EVERY_MS);
  report(
    {
      name: 'into the head, an fsync each 100 ms',
      value: perSecond(rows, appendMs),
      unit: '/s',
      atLeast: 5_000_000,
      ratio: round(bareMs / appendMs, 2),
      of: 'writing the same columns to a file, an fsync each 100 ms',
    },
    { name: 'the same, and sealed in chunks', value: perSecond(rows, sealMs), unit: '/s' },
  );
  const averagesMs = await median(async () => {
    await store.query({ matchers: ALL, from: START, to: END, step: MINUTE, aggregate: 'avg' });
  });
  return { name: 'Skerry', bytes: store.stats().bytes, averagesMs };
}

async function measureEngine(
  start: (directory: string) => Promise<Engine>,
  batches: readonly Batch[],
): Promise<Measured> {
  const engine = await start(root);
  await engine.load(batches);
  const averagesMs = await median(async () => {
    await engine.averages(START, END);
  });
  return { name: engine.name, bytes: await engine.stop(), averagesMs };
}

function compare(rows: number, ours: Measured, others: readonly Measured[]): void {
  for (const { name, bytes, averagesMs } of others) {
    report(
      {
        name: `bytes a point, tiers included, beside ${name}`,
        value: round(ours.bytes / rows, 2),
        unit: 'bytes',
        ratio: round(ours.bytes / bytes, 2),
        ratioAtMost: name === 'VictoriaMetrics' ? 1.25 : 0.2,
        of: `${name}: ${round(bytes / rows, 2)}`,
      },
      {
        name: `average per series and minute, beside ${name}`,
        value: round(ours.averagesMs),
        unit: 'ms',
        atMost: 100,
        ratio: round(ours.averagesMs / averagesMs, 2),
        of: `${name}: ${round(averagesMs)} ms`,
      },
    );
  }
}

async function openWithSeries(name: string, limits: Partial<StoreLimits> = {}): Promise<SeriesStore> {
  const store = await openSeriesStore({ directory: join(root, name), clock: systemClock, log: silentLogger, limits });
  for (let series = 0; series < SERIES; series++) {
    const { labels, type } = factorySeries(series);
    store.series(labels, type);
  }
  return store;
}

async function appendAll(store: SeriesStore, batches: Iterable<Batch>): Promise<void> {
  let due = performance.now() + EVERY_MS;
  for (const batch of batches) {
    await appendWhenReady(store, batch);
    if (performance.now() < due) continue;
    await store.sync();
    due = performance.now() + EVERY_MS;
  }
  await store.sync();
}

async function appendByBatch(batches: readonly Batch[]): Promise<void> {
  await using store = await openWithSeries('batch');
  let rows = 0;
  const started = performance.now();
  for (const batch of rebatched(batches, 100)) {
    await appendWhenReady(store, batch);
    await store.sync();
    rows += batch.length;
    if (performance.now() - started > 3000) break;
  }
  const ms = performance.now() - started;
  const bareMs = await bareLog(firstRows(rebatched(batches, 100), rows), 0);
  report({
    name: 'in batches of 100, an fsync each',
    value: perSecond(rows, ms),
    unit: '/s',
    atLeast: 300_000,
    ratio: round(bareMs / ms, 2),
    of: 'writing the same columns to a file, an fsync each',
  });
}

function* firstRows(batches: Iterable<Batch>, rows: number): Generator<Batch> {
  let left = rows;
  for (const batch of batches) {
    if (left <= 0) return;
    left -= batch.length;
    yield batch;
  }
}

/** The columns as they are, without a head, checks or a reader; milliseconds. */
async function bareLog(batches: Iterable<Batch>, everyMs: number): Promise<number> {
  const file = await openFile(join(root, 'bare'), 'w');
  const started = performance.now();
  let due = started + everyMs;
  let waiting: Uint8Array[] = [];
  const write = async () => {
    await file.writev(waiting);
    await file.datasync();
    waiting = [];
    due = performance.now() + everyMs;
  };
  for (const { length, series, times, values } of batches) {
    const columns = [series, times, values].map((column) => column.subarray(0, length));
    waiting.push(
      ...columns.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)),
    );
    if (performance.now() >= due) await write();
  }
  if (waiting.length > 0) await write();
  await file.close();
  return performance.now() - started;
}

async function lastValues(): Promise<void> {
  await using store = await openSeriesStore({ directory: join(root, 'last'), clock: systemClock, log: silentLogger });
  const count = 10_000;
  const series = Uint32Array.from({ length: count }, (_, index) =>
    store.series({ namespace: 'factory', device: `machine-${index}`, property: 'speed' }, 'float64'),
  );
  const column = new Float64Array(count).fill(START);
  await appendWhenReady(store, {
    length: count,
    series,
    times: column,
    values: column,
    qualities: new Uint8Array(count),
  });
  const ms = await median(async () => {
    store.last(ALL);
  });
  report({ name: `the last row of ${count} series`, value: round(ms), unit: 'ms', atMost: 20 });
}

/** Of noise that nothing makes smaller; opened by another store object, with what the system has of the files in memory. */
async function coldOpen(): Promise<void> {
  const store = await openWithSeries('large', { headRows: 4_000_000 });
  await appendAll(store, noise());
  await store.close();
  const started = performance.now();
  await using again = await openSeriesStore({ directory: join(root, 'large'), clock: systemClock, log: silentLogger });
  const ms = performance.now() - started;
  const note = `${round(again.stats().bytes / LARGE_BYTES, 2)} GiB in ${again.stats().partitions} partitions`;
  report({ name: 'opening a store of 1 GB', value: round(ms), unit: 'ms', atMost: 300, note });
}

function* noise(): Generator<Batch> {
  const qualities = new Uint8Array(MAX_BATCH_ROWS).fill(192);
  for (let start = 0; start < LARGE_BYTES / 8; start += MAX_BATCH_ROWS) {
    const series = new Uint32Array(MAX_BATCH_ROWS);
    const times = new Float64Array(MAX_BATCH_ROWS);
    const values = new Float64Array(MAX_BATCH_ROWS);
    for (let row = 0; row < MAX_BATCH_ROWS; row++) {
      series[row] = (start + row) % SERIES;
      times[row] = START + Math.floor((start + row) / SERIES) * 1000;
      values[row] = Math.random();
    }
    yield { length: MAX_BATCH_ROWS, series, times, values, qualities };
  }
}

async function median(work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return percentile(
    times.sort((left, right) => left - right),
    0.5,
  );
}

function perSecond(rows: number, ms: number): number {
  return Math.round((rows * 1000) / ms);
}

try {
  await main();
} finally {
  rmSync(root, { recursive: true, force: true });
}
