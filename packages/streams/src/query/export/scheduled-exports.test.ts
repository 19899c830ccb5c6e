import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import type { FakeClock } from '@skerry/testkit';
import { parquetReadObjects } from 'hyparquet';
import type { Outlet, OutletExport } from '../../kinds/outlet.ts';
import type { SeriesStore } from '../../store/index.ts';
import { append, ground } from '../../store/testing/store-ground.ts';
import { ScheduledExports } from './scheduled-exports.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MIDNIGHT = Date.UTC(2026, 0, 2);

interface Scene {
  readonly clock: FakeClock;
  readonly store: SeriesStore;
  readonly files: () => readonly string[];
  readonly read: (name: string) => Promise<readonly Record<string, unknown>[]>;
  readonly directory: string;
  readonly exports: () => ScheduledExports;
  /** As after a new start of the process. */
  readonly restart: () => Promise<void>;
}

function outlet(more: Partial<OutletExport>, series?: Outlet['spec']['series']): Outlet {
  const spec = { type: 'Parquet', endpoint: 'training', ...(series && { series }) } as const;
  return {
    apiVersion: 'streams.skerry.io/v1alpha1',
    kind: 'Outlet',
    metadata: { namespace: 'plant', name: 'press', creationTimestamp: new Date(MIDNIGHT).toISOString() },
    spec: { ...spec, export: { schedule: '0 2 * * *', delay: '0s', ...more } },
  };
}

async function check(story: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-exports-'));
  await using at = await ground({ limits: { aheadMs: 99 * DAY_MS } });
  const { clock, store } = at;
  const open = () => new ScheduledExports({ clock, log: silentLogger, folder, store: async () => store });
  let exports = open();
  const directory = join(folder, 'plant', 'training');
  try {
    await story({
      clock,
      store,
      directory,
      exports: () => exports,
      files: () => readdirSync(directory).sort(),
      read: async (name) => {
        const bytes = readFileSync(join(directory, name));
        return await parquetReadObjects({ file: new Uint8Array(bytes).buffer });
      },
      restart: async () => {
        await exports.close();
        exports = open();
      },
    });
  } finally {
    await exports.close();
    rmSync(folder, { recursive: true });
  }
}

/** Of real time: files take it, whatever the clock of the test says. */
const PATIENCE_MS = 60_000;

/** Until the report says so; what the clock has passed meanwhile fires a little later. */
async function until(clock: FakeClock, isSo: () => boolean): Promise<void> {
  for (const began = performance.now(); !isSo(); await clock.advance(1))
    assert.ok(performance.now() - began < PATIENCE_MS, 'it never was so');
}

/** A value each hour for a day before the clock's time, and one after. */
async function fill({ store }: Scene): Promise<void> {
  const series = ['press', 'drill'].map((device) =>
    store.series({ namespace: 'plant', device, property: 'load' }, 'float64'),
  );
  const other = store.series({ namespace: 'other', device: 'press', property: 'load' }, 'float64');
  await append(
    store,
    [...series, other].flatMap((id) =>
      Array.from({ length: 30 }, (_, hour) => [id, MIDNIGHT - 24 * HOUR_MS + hour * HOUR_MS, hour] as const),
    ),
  );
}

test('at each time of its schedule an outlet exports what was recorded before it, of its series', () =>
  check(async (scene) => {
    await fill(scene);
    const { clock, exports, files, read } = scene;
    exports().set('o', outlet({ range: '3h' }, [{ device: 'p*' }]));
    await until(clock, () => exports().report('o')?.nextExport !== undefined);
    assert.deepEqual([files(), exports().report('o')], [[], { nextExport: '2026-01-02T02:00:00.000Z' }]);
    await clock.advance(2 * HOUR_MS);
    await until(clock, () => exports().report('o')?.lastExport !== undefined);
    const [file = ''] = files();
    assert.deepEqual(files(), ['plant.press-20260102T020000Z.parquet']);
    const rows = await read(file);
    assert.deepEqual(
      rows.map(({ device, namespace, value }) => [namespace, device, value]),
      [23, 24, 25].map((value) => ['plant', 'press', value]),
    );
    const { lastExport, nextExport } = exports().report('o') ?? {};
    const { time, rows: count } = lastExport ?? {};
    assert.deepEqual([time, count, nextExport], ['2026-01-02T02:00:00.000Z', 3, '2026-01-03T02:00:00.000Z']);
  }));

test('a file that is missing after a pause is made once, the last one; what was not finished goes', () =>
  check(async (scene) => {
    const { clock, exports, files, directory, restart } = scene;
    await fill(scene);
    const daily = outlet({});
    exports().set('o', daily);
    await clock.advance(2 * HOUR_MS);
    await until(clock, () => exports().report('o')?.lastExport !== undefined);
    writeFileSync(join(directory, 'plant.press-20260103T020000Z.parquet.new'), 'half');
    writeFileSync(join(directory, 'plant.press-2-20260103T020000Z.parquet'), 'of another outlet');
    await exports().close();
    await clock.advance(3 * DAY_MS);
    await restart();
    exports().set('o', daily);
    await until(clock, () => exports().report('o')?.lastExport !== undefined);
    assert.deepEqual(files(), [
      'plant.press-2-20260103T020000Z.parquet',
      'plant.press-20260102T020000Z.parquet',
      'plant.press-20260105T020000Z.parquet',
    ]);
    await restart();
    exports().set('o', daily);
    await until(clock, () => exports().report('o')?.nextExport !== undefined);
    // It was made before this start: what is known of it is its name.
    assert.deepEqual(exports().report('o')?.lastExport, {
      time: '2026-01-05T02:00:00.000Z',
      file: 'plant.press-20260105T020000Z.parquet',
    });
  }));

test('a file is made a while after its moment: what was on the road then is in it', () =>
  check(async ({ clock, store, exports, files, read }) => {
    const id = store.series({ namespace: 'plant', device: 'press', property: 'load' }, 'float64');
    exports().set('o', outlet({ delay: '5m' }));
    await clock.advance(2 * HOUR_MS + 60_000);
    await until(clock, () => exports().report('o')?.nextExport !== undefined);
    assert.deepEqual([files(), exports().report('o')], [[], { nextExport: '2026-01-02T02:05:00.000Z' }]);
    await append(store, [[id, MIDNIGHT + 2 * HOUR_MS - 1, 7]]);
    await clock.advance(4 * 60_000);
    await until(clock, () => exports().report('o')?.lastExport !== undefined);
    const [file = ''] = files();
    assert.equal(file, 'plant.press-20260102T020000Z.parquet');
    assert.deepEqual(
      (await read(file)).map(({ value }) => value),
      [7],
    );
  }));

test('a file whose name is dated ahead does not hold up the schedule', () =>
  check(async (scene) => {
    const { clock, exports, files, directory } = scene;
    await fill(scene);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'plant.press-20360101T020000Z.parquet'), '');
    exports().set('o', outlet({}));
    await clock.advance(2 * HOUR_MS);
    await until(clock, () => exports().report('o')?.lastExport !== undefined);
    assert.deepEqual(files(), ['plant.press-20260102T020000Z.parquet', 'plant.press-20360101T020000Z.parquet']);
  }));

for (const [why, more] of [
  ['older than they are kept for', { keep: '47h' }],
  ['more than are kept', { maxFiles: 2 }],
] as const)
  test(`files that are ${why} go`, () =>
    check(async (scene) => {
      const { clock, exports, files, directory } = scene;
      await fill(scene);
      mkdirSync(directory, { recursive: true });
      for (const day of [2, 3, 4]) writeFileSync(join(directory, `plant.press-2026010${day}T020000Z.parquet`), '');
      await clock.advance(3 * DAY_MS + 2 * HOUR_MS);
      exports().set('o', outlet(more));
      await until(clock, () => exports().report('o')?.lastExport !== undefined);
      assert.deepEqual(files(), ['plant.press-20260104T020000Z.parquet', 'plant.press-20260105T020000Z.parquet']);
    }));

test('an export that fails is told, leaves nothing behind, and is made when it can be', () =>
  check(async ({ clock, directory, files, store: whole }) => {
    let store: SeriesStore | undefined;
    const folder = join(directory, '../..');
    const exports = new ScheduledExports({ clock, log: silentLogger, folder, store: async () => store });
    exports.set('o', outlet({}));
    await clock.advance(2 * HOUR_MS);
    await until(clock, () => exports.report('o')?.problem !== undefined);
    assert.match(exports.report('o')?.problem ?? '', /nothing is recorded here/);
    assert.deepEqual(files(), []);
    store = whole;
    await clock.advance(60_000);
    await until(clock, () => exports.report('o')?.lastExport !== undefined);
    assert.deepEqual([exports.report('o')?.problem, files().length], [undefined, 1]);
    await exports.close();
  }));
