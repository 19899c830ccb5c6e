import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { SeriesStore } from './contract.ts';
import { ALL, append, batchOf, chunkFiles, ground, listening, START, ticks, valuesOf } from './testing/store-ground.ts';

const DAY_MS = 86_400_000;

async function answers(store: SeriesStore) {
  const { series } = await store.query(ALL);
  const rows = series.map((each) => [JSON.stringify(each.series.labels), each.series.type, valuesOf(each)] as const);
  const last = store.last([]).map(({ series: { labels }, time, value }) => [JSON.stringify(labels), time, value]);
  const byLabels = ([one]: readonly unknown[], [other]: readonly unknown[]) => (String(one) < String(other) ? -1 : 1);
  return { rows: rows.toSorted(byLabels), last: last.toSorted(byLabels) };
}

/** Overwrites all pages but the first, which says that the file is a database. */
function breakPages(file: string): void {
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0xa5, 1024));
}

for (const [how, lose, aside] of [
  ['removed', (file: string) => rmSync(file), false],
  ['empty', (file: string) => truncateSync(file), false],
  ['no database', (file: string) => writeFileSync(file, 'x'.repeat(9000)), true],
  ['cut short', (file: string) => truncateSync(file, 2048), true],
  ['broken', breakPages, true],
] as const)
  test(`a catalogue that is ${how} is made anew from the partitions and the log, and said`, async () => {
    const { said, log } = listening();
    await using at = await ground({ log, limits: { aheadMs: 9 * DAY_MS } });
    const [a, b, c] = [
      at.store.series({ namespace: 'n', p: 'a' }, 'float64'),
      at.store.series({ namespace: 'n', p: 'b' }, 'string'),
      at.store.series({ namespace: 'n', p: 'c' }, 'int64'),
    ];
    await append(at.store, [...ticks(a, 300), ...ticks(a, 3, 1000, START + 2 * DAY_MS)]);
    at.store.append(batchOf([[b, START, 'on']]), { key: 'k', value: new Uint8Array([1]) });
    await at.store.seal();
    // These are only in the log.
    await append(at.store, [
      [b, START + 1, 'off'],
      [c, START, 2n ** 63n - 1n],
    ]);
    const before = await answers(at.store);
    const store = await at.crash((directory) => lose(join(directory, 'catalog.db')));
    assert.deepEqual(await answers(store), before);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /catalogue .* made anew/);
    assert.equal(existsSync(join(at.directory, 'catalog.db.damaged')), aside);
    assert.equal(store.mark('k'), undefined);
    const d = store.series({ namespace: 'n', p: 'd' }, 'float64');
    assert.ok(![a, b, c].includes(d), 'no number is given twice');
    await append(store, [[d, START, 4]]);
    const after = await answers(store);
    assert.deepEqual(await answers(await at.reopen()), after);
    assert.equal(said.length, 1);
    assert.ok(!readdirSync(at.directory).includes('catalog.db.new'));
  });

test('rows whose labels are nowhere can still be found, and nobody else gets their number', async () => {
  const { said, log } = listening();
  await using at = await ground({ log });
  const [one, other] = ['one', 'other'].map((p) => at.store.series({ p }, 'float64'));
  await append(at.store, [
    [one ?? 0, START, 1],
    [other ?? 0, START, 2],
  ]);
  await at.store.seal();
  const [file = ''] = chunkFiles(at);
  const store = await at.crash((directory) => {
    rmSync(join(directory, 'catalog.db'));
    const database = new DatabaseSync(join(directory, 'chunks', file));
    database.prepare('DELETE FROM series WHERE id = ?').run(other ?? 0);
    database.close();
  });
  const { series } = await store.query(ALL);
  assert.deepEqual(
    series.map((each) => [each.series.labels, each.rows.values[0]]),
    [
      [{ p: 'one' }, 1],
      [{ lost: String(other) }, 2],
    ],
  );
  assert.notEqual(store.series({ p: 'another' }, 'float64'), other);
  assert.equal(said.length, 1);
});

test('labels are in a partition also after it was written anew', async () => {
  await using at = await ground();
  const id = at.store.series({ p: 'a' }, 'float64');
  await append(at.store, ticks(id, 100));
  await at.store.seal();
  await at.clock.advance(3 * DAY_MS);
  await at.store.maintain();
  assert.equal(chunkFiles(at).length, 1);
  const store = await at.crash((directory) => rmSync(join(directory, 'catalog.db')));
  assert.deepEqual(
    store.seriesOf([]).map(({ labels }) => labels),
    [{ p: 'a' }],
  );
});
