import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { realDisk } from './log.ts';
import { openOn } from './series-store.ts';
import { ALL, append, batchOf, ground, START, ticks, valuesOf } from './testing/store-ground.ts';

const DAY_MS = 86_400_000;

test('a copy has all that was there when it was asked for, whatever comes and goes meanwhile', async () => {
  await using at = await ground({ limits: { aheadMs: 9 * DAY_MS } });
  const { store, clock } = at;
  const ids = ['a', 'b', 'c'].map((p) => store.series({ p }, 'float64'));
  for (const id of ids) await append(store, [...ticks(id, 8000), ...ticks(id, 8000, 1000, START + 2 * DAY_MS)]);
  store.append(batchOf([[ids[0] ?? 0, START, -1]]), { key: 'k', value: new Uint8Array([1]) });
  const directory = join(at.directory, 'copy');
  const copying = store.copyTo(directory);
  const late = store.series({ p: 'late' }, 'float64');
  for (let round = 0; round < 20; round++) {
    store.append(batchOf([[late, START + round, round]]), { key: 'k', value: new Uint8Array([2, round]) });
    await store.seal();
  }
  await copying;
  await clock.advance(5 * DAY_MS);
  await using copy = await openOn({ directory, clock, log: silentLogger }, realDisk);
  const { series } = await copy.query(ALL);
  const found = new Map(series.map((each) => [each.series.labels['p'], valuesOf(each)]));
  const expected = Array.from({ length: 8000 }, (_, row) => row);
  assert.deepEqual(found.get('a'), [-1, ...expected.slice(1), ...expected]);
  for (const p of ['b', 'c']) assert.deepEqual(found.get(p), [...expected, ...expected]);
  // A sender brings again what was not marked: all that was is there.
  const marked = copy.mark('k')?.[1] ?? -1;
  const lateOnes = found.get('late') ?? [];
  assert.deepEqual(
    lateOnes.slice(0, marked + 1),
    Array.from({ length: marked + 1 }, (_, round) => round),
  );
  assert.ok(!ids.includes(copy.series({ p: 'new' }, 'float64')), 'no number is given twice');
  await copy.maintain();
  assert.equal((await copy.query({ ...ALL, step: 60_000, aggregate: 'count' })).damaged, 0);
});

test('a copy of what was removed meanwhile is whole without it', async () => {
  await using at = await ground({ limits: { aheadMs: 9 * DAY_MS } });
  const id = at.store.series({ p: 'a' }, 'float64');
  await append(at.store, ticks(id, 5, DAY_MS));
  await at.store.seal();
  const directory = join(at.directory, 'copy');
  const copying = at.store.copyTo(directory);
  at.store.setRetention({ rawFor: 0, secondFor: 0, minuteFor: 0, hourFor: 0 });
  await at.clock.advance(9 * DAY_MS);
  await at.store.maintain();
  await copying;
  await using copy = await openOn({ directory, clock: at.clock, log: silentLogger }, realDisk);
  for (const value of (await copy.query(ALL)).series.flatMap(valuesOf))
    assert.ok([0, 1, 2, 3, 4].includes(Number(value)));
});
