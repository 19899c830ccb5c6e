/** Stores for tests: in a directory that goes away, on a clock that stands still, and crashed as often as one likes. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger } from '@skerry/base';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { type Batch, BatchBuilder, type Boxed, Quality, type SeriesId, valueAt } from '../../contract/index.ts';
import type { RetentionPlan, SeriesQuery, SeriesResult, SeriesStore, StoreLimits } from '../contract.ts';
import { type LogDisk, realDisk } from '../log.ts';
import { openOn } from '../series-store.ts';

export const START: number = Date.UTC(2026, 0, 1);

export interface GroundOptions {
  readonly limits?: Partial<StoreLimits>;
  readonly retention?: RetentionPlan;
  readonly disk?: LogDisk;
  readonly log?: Logger;
}

export interface Ground extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly directory: string;
  readonly store: SeriesStore;
  /** Ends the store in good order and opens it again. */
  reopen(): Promise<SeriesStore>;
  /** Opens what the disk has at this moment, as after the end of the process; the store of before sees no more use. */
  crash(meanwhile?: (directory: string) => void): Promise<SeriesStore>;
}

export async function ground(options: GroundOptions = {}): Promise<Ground> {
  const root = mkdtempSync(join(tmpdir(), 'skerry-series-'));
  const clock = fakeClock({ start: START + 86_400_000 });
  const left: SeriesStore[] = [];
  let count = 0;
  let directory = join(root, '0');
  const open = () =>
    openOn({ ...options, directory, clock, log: options.log ?? silentLogger }, options.disk ?? realDisk);
  let store = await open();
  return {
    clock,
    get directory() {
      return directory;
    },
    get store() {
      return store;
    },
    reopen: async () => {
      await store.close();
      store = await open();
      return store;
    },
    crash: async (meanwhile) => {
      left.push(store);
      const copy = join(root, String(++count));
      cpSync(directory, copy, { recursive: true });
      directory = copy;
      meanwhile?.(copy);
      store = await open();
      return store;
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of [...left, store]) await each.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export type Row = readonly [series: SeriesId, time: number, value: number | Boxed, quality?: number];

export function batchOf(rows: readonly Row[]): Batch {
  const builder = new BatchBuilder();
  for (const [series, time, value, quality = Quality.good] of rows) builder.add(series, time, value, quality);
  const empty = { length: 0, series: new Uint32Array(), times: new Float64Array(), values: new Float64Array() };
  return builder.take() ?? { ...empty, qualities: new Uint8Array() };
}

/** Everything there is. */
export const ALL: SeriesQuery = { matchers: [], from: 0, to: START + 1000 * 86_400_000 };

export function valuesOf({ rows }: SeriesResult): (number | Boxed)[] {
  return Array.from({ length: rows.length }, (_, row) => valueAt({ ...rows, series: new Uint32Array() }, row));
}

export async function valuesIn(store: SeriesStore): Promise<(number | Boxed)[]> {
  return (await store.query(ALL)).series.flatMap(valuesOf);
}

/** Even ticks of one series: the value is the number of the row. */
export function ticks(id: number, count: number, stepMs = 1000, start = START): Row[] {
  return Array.from({ length: count }, (_, row) => [id, start + row * stepMs, row]);
}

export async function append(store: SeriesStore, rows: readonly Row[]): Promise<void> {
  for (let start = 0; start < rows.length; start += 8000) {
    store.append(batchOf(rows.slice(start, start + 8000)));
    await store.sync();
  }
}

export function chunkFiles({ directory }: Ground): string[] {
  return readdirSync(join(directory, 'chunks'))
    .filter((name) => name.endsWith('.db'))
    .sort();
}

/** Collects what is logged as errors. */
export function listening(): { readonly said: string[]; readonly log: typeof silentLogger } {
  const said: string[] = [];
  return { said, log: { ...silentLogger, error: (_, message) => said.push(message) } };
}
