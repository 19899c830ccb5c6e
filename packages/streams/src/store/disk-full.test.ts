/** On a file system of three megabytes that is really full. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { skipWithout } from '@skerry/testkit/processes';
import { START } from './testing/store-ground.ts';

/** Fills the disk, makes room, goes on, and prints what it saw. */
const PROGRAM = `
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger, systemClock } from '@skerry/base';
import { openSeriesStore } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
const [directory] = process.argv.slice(1);
const options = { directory: directory + '/store', clock: systemClock, log: silentLogger, limits: { headRows: 20_000 } };
writeFileSync(directory + '/ballast', Buffer.alloc(1_200_000));
let store = await openSeriesStore(options);
const id = store.series({ property: 'count' }, 'float64');
let next = 0;
async function appendSome() {
  const rows = Array.from({ length: 1000 }, (_, row) => next + row);
  const batch = {
    length: rows.length,
    series: new Uint32Array(rows.length).fill(id),
    times: Float64Array.from(rows, (row) => ${START} + row * 100),
    values: Float64Array.from(rows, (row) => Math.sin(row)),
    qualities: new Uint8Array(rows.length).fill(192),
  };
  for (;;) {
    try {
      store.append(batch);
      break;
    } catch (error) {
      if (error.code !== 'SERIES_BEHIND') throw error;
      await store.sync();
    }
  }
  next += rows.length;
  await store.sync();
}
async function valuesAreWhole(atLeast) {
  const { series } = await store.query({ matchers: [], from: 0, to: ${START} * 2 });
  const { values } = series[0].rows;
  return values.length >= atLeast && values.every((value, row) => value === Math.sin(row));
}
async function untilItWorks(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.code !== 'SERIES_DISK') throw error;
      await sleep(20);
    }
  }
}
let acknowledged = 0;
let refusal;
while (refusal === undefined) {
  try {
    await appendSome();
    acknowledged = next;
  } catch (error) {
    refusal = error;
  }
}
const whole = await valuesAreWhole(acknowledged);
rmSync(directory + '/ballast');
await untilItWorks(() => store.sync());
await untilItWorks(() => store.seal());
await untilItWorks(() => appendSome());
const wholeAfter = await valuesAreWhole(next);
await store.close();
store = await openSeriesStore(options);
const wholeAgain = await valuesAreWhole(next);
await store.close();
console.log(JSON.stringify({ code: refusal.code, acknowledged, whole, wholeAfter, wholeAgain }));
`;

test('a full disk is refused in words; nothing acknowledged is lost, and with space it goes on', {
  skip: skipWithout('root'),
}, () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-full-'));
  try {
    const mount = `mount -t tmpfs -o size=3m none '${directory}' && exec "$@"`;
    const node = [process.execPath, '--conditions=source', '--input-type=module', '-e', PROGRAM, directory];
    const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', mount, 'sh', ...node], { encoding: 'utf8' });
    assert.equal(stderr, '');
    const { acknowledged, ...seen } = JSON.parse(stdout) as { acknowledged: number };
    assert.deepEqual(seen, { code: 'SERIES_DISK', whole: true, wholeAfter: true, wholeAgain: true });
    assert.ok(acknowledged > 10_000, `${acknowledged}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
