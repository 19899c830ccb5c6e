import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { silentLogger, systemClock } from '@skerry/base';
import { runs } from '@skerry/testkit';
import type { SeriesStore } from './contract.ts';
import { openSeriesStore } from './index.ts';
import { batchOf, type Ground, ground, START } from './testing/store-ground.ts';

const ALL = { matchers: [], from: START, to: START + 86_400_000 } as const;

/** The values of the only series, in order. */
async function valuesIn(store: SeriesStore): Promise<number[]> {
  const { series, damaged } = await store.query(ALL);
  assert.equal(damaged, 0);
  return series.flatMap(({ rows }) => [...rows.values]);
}

async function sumsIn(store: SeriesStore): Promise<(number | undefined)[]> {
  const { series } = await store.query({ ...ALL, step: 86_400_000, aggregate: 'sum' });
  return series.map(({ rows }) => rows.values[0]);
}

/** Batches of three rows each, with a mark that counts them; returns how many bytes the log has after each. */
async function fill({ store }: Ground, batches: number): Promise<number[]> {
  const id = store.series({ property: 'count' }, 'uint32');
  const sizes: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const rows = [0, 1, 2].map((row) => [id, START + (batch * 3 + row) * 1000, batch * 3 + row] as const);
    store.append(batchOf(rows), { key: 'sender', value: Uint8Array.of(batch) });
    await store.sync();
    sizes.push(store.stats().logBytes);
  }
  return sizes;
}

function logFile({ directory }: Ground): string {
  const [name = ''] = readdirSync(join(directory, 'log'));
  return join(directory, 'log', name);
}

test('wherever the log is cut off, every whole batch is there with its mark, and no part of another', async () => {
  await using at = await ground();
  const sizes = await fill(at, 5);
  const bytes = readFileSync(logFile(at));
  for (let length = bytes.length; length >= 0; length -= 5) {
    writeFileSync(logFile(at), bytes);
    truncateSync(logFile(at), length);
    const store = await at.crash();
    const whole = sizes.filter((size) => size <= length).length;
    assert.deepEqual(
      await valuesIn(store),
      Array.from({ length: whole * 3 }, (_, value) => value),
    );
    assert.deepEqual(store.mark('sender'), whole === 0 ? undefined : Uint8Array.of(whole - 1));
  }
});

test('what comes after a torn end is found again', async () => {
  await using at = await ground();
  await fill(at, 3);
  truncateSync(logFile(at), readFileSync(logFile(at)).length - 5);
  const store = await at.crash();
  store.append(batchOf([[0, START + 50_000, 50]]));
  await store.sync();
  assert.deepEqual(await valuesIn(await at.crash()), [0, 1, 2, 3, 4, 5, 50]);
});

test('a record of the log that is not what was written is lost alone, and said', async () => {
  const said: string[] = [];
  const log = { ...silentLogger, error: (_: unknown, message: string) => said.push(message) };
  await using at = await ground({ log });
  const sizes = await fill(at, 3);
  const bytes = readFileSync(logFile(at));
  const place = (sizes[0] ?? 0) + 30;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(logFile(at), bytes);
  assert.deepEqual(await valuesIn(await at.crash()), [0, 1, 2, 6, 7, 8]);
  assert.deepEqual(said, ['records of the append log are damaged; their rows are lost']);
});

test('a crash at any moment of a sealing loses nothing and doubles nothing', async () => {
  const series = 40;
  const each = 5000;
  for (let moment = 0; moment < 8; moment++) {
    await using at = await ground({ limits: { headRows: series * each * 2 } });
    const ids = Array.from({ length: series }, (_, index) => at.store.series({ property: `p${index}` }, 'float64'));
    for (let start = 0; start < each; start += 100) {
      for (const id of ids) {
        at.store.append(
          batchOf(Array.from({ length: 100 }, (_, row) => [id, START + (start + row) * 1000, start + row])),
        );
      }
      if (start % 1000 === 0) await at.store.sync();
    }
    await at.store.sync();
    const sealing = at.store.seal();
    for (let count = 0; count < moment; count++) await turn();
    const store = await at.crash();
    await sealing;
    const sums = ids.map(() => (each * (each - 1)) / 2);
    assert.deepEqual(await sumsIn(store), sums);
    assert.deepEqual(await sumsIn(await at.reopen()), sums);
  }
});

/** Appends batches of ten rows, their numbers as values, and says how many are on disk; until it is killed. */
const WRITER = `
import { silentLogger, systemClock } from '@skerry/base';
import { openSeriesStore } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
const [directory] = process.argv.slice(1);
const limits = { headRows: 2000 };
const store = await openSeriesStore({ directory, clock: systemClock, log: silentLogger, limits });
const id = store.series({ property: 'count' }, 'uint32');
const mark = store.mark('next');
for (let next = mark === undefined ? 0 : Number(Buffer.from(mark).toString()); ; next += 10) {
  const rows = Array.from({ length: 10 }, (_, row) => next + row);
  const batch = {
    length: 10,
    series: new Uint32Array(10).fill(id),
    times: Float64Array.from(rows, (row) => ${START} + row * 100),
    values: Float64Array.from(rows),
    qualities: new Uint8Array(10).fill(192),
  };
  for (;;) {
    try {
      store.append(batch, { key: 'next', value: Buffer.from(String(next + 10)) });
      break;
    } catch (error) {
      if (error.code !== 'SERIES_BEHIND') throw error;
      await store.sync();
    }
  }
  await store.sync();
  console.log(next + 10);
}
`;

test('a process that is killed again and again has lost nothing that it said was on disk', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-series-'));
  try {
    let said = 0;
    for (let kill = 0; kill < runs(4); kill++) {
      const flags = ['--conditions=source', '--input-type=module', '-e', WRITER, directory];
      const writer = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
      const lines = createInterface({ input: writer.stdout });
      const enough = said + 700 + kill * 450;
      for await (const line of lines) {
        said = Math.max(said, Number(line));
        if (said >= enough) writer.kill('SIGKILL');
      }
      if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
      assert.equal(writer.signalCode, 'SIGKILL');
      await using store = await openSeriesStore({ directory, clock: systemClock, log: silentLogger });
      const values = await valuesIn(store);
      assert.ok(values.length >= said, `${values.length} of ${said}`);
      assert.deepEqual(
        values,
        Array.from({ length: values.length }, (_, value) => value),
      );
      assert.equal(Buffer.from(store.mark('next') ?? []).toString(), String(values.length));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
