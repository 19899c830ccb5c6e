/** What becomes of results that the node's time series cannot take. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import { openSeriesStore } from '../../store/index.ts';
import { sinkContext } from '../testing/sink-context.ts';
import { storeSink } from './store.ts';

test('a row that the store refuses is dropped and counted; those beside it and after it are taken', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-sink-'));
  const store = await openSeriesStore({ directory, clock: fakeClock(), log: silentLogger });
  try {
    const sink = storeSink(
      sinkContext({ sink: { name: 'out', store: { object: '{id}' } }, store: () => Promise.resolve(store) }),
    );
    const refused = { id: 'x'.repeat(2000), v: 1 };
    sink.take([{ id: 'a', v: 1 }, refused, { id: 'b', v: 1 }], 1000);
    sink.take([refused], 2000);
    sink.take([{ id: 'c', v: 2 }], 3000);
    await eventually('the row after it', async () => sink.status().waiting === 0);
    assert.deepEqual([sink.dropped(), sink.status().rows], [2, 3]);
    assert.equal(store.last([{ label: 'property', op: '=', value: 'v' }]).length, 3);
    await sink.close();
  } finally {
    await store.close();
    rmSync(directory, { recursive: true });
  }
});

test('rows that come one after the other faster than a disk keeps each of them share its writes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-sink-'));
  const store = await openSeriesStore({ directory, clock: fakeClock(), log: silentLogger });
  let syncs = 0;
  const sync = store.sync.bind(store);
  store.sync = () => {
    syncs++;
    return sync();
  };
  try {
    const sink = storeSink(
      sinkContext({ sink: { name: 'out', store: {} }, store: () => Promise.resolve(store), maxWaiting: 5000 }),
    );
    for (let v = 0; v < 2500; v++) sink.take([{ v }], v);
    await eventually('all of them', async () => sink.status().rows === 2500);
    assert.deepEqual([sink.dropped(), syncs], [0, 4]);
    await sink.close();
  } finally {
    await store.close();
    rmSync(directory, { recursive: true });
  }
});
