/** What travels beside rows stays with them wherever a flow keeps them, also over a crash. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { createContext, type Row } from '../sql/index.ts';
import { createFlow, type Flow, type SavedFlow } from './flow.ts';
import type { LookupTable } from './lookup.ts';
import { withMeta } from './meta.ts';
import { limitsOf, timingOf } from './rule/prepare.ts';
import { prepared, type QuerySettings, STREAM } from './testing/run-query.ts';

interface Open {
  readonly flow: Flow;
  readonly results: Row[];
}

function open(sql: string, settings: QuerySettings, table: LookupTable, saved?: SavedFlow): Open {
  const rule = prepared(sql, { tables: ['names'], ...settings });
  const results: Row[] = [];
  const flow = createFlow({
    plan: rule.plan,
    limits: limitsOf(rule.spec),
    createContext: (meta) => createContext({ ruleId: 'r', now: () => 0, meta }),
    timing: (stream) => timingOf(rule.spec, rule.streams.get(stream)),
    table: () => table,
    onRows: (rows) => results.push(...rows),
    onLate: () => {},
    onError: (_operator, error) => {
      throw error;
    },
  });
  if (saved !== undefined) flow.load(saved);
  return { flow, results };
}

const NO_TABLE: LookupTable = { find: () => [] };

/** Results for two rows of two topics, after a crash that comes before anything is given out. */
async function check(
  sql: string,
  expected: readonly object[],
  table: LookupTable = NO_TABLE,
  settings: QuerySettings = {},
): Promise<void> {
  const before = open(sql, settings, { find: () => new Promise(() => {}) });
  for (const [at, topic] of ['t/1', 't/2'].entries())
    before.flow.offer('demo', withMeta({ id: at + 1 }, { topic }), 1000 + at);
  assert.deepEqual(before.results, []);
  const saved = deserialize(serialize(before.flow.save())) as SavedFlow;
  const after = open(sql, settings, table, saved);
  after.flow.advance('demo', Number.POSITIVE_INFINITY);
  await new Promise(setImmediate);
  assert.deepEqual(JSON.parse(JSON.stringify(after.results)), expected);
}

const BOTH = [{ t: 't/1' }, { t: 't/2' }];
const SECOND: LookupTable = { find: async ({ id }) => [{ id: id ?? null, topic: 't/2' }] };

test('in a window that keeps its rows', () =>
  check('SELECT meta(topic) AS t FROM demo GROUP BY TUMBLINGWINDOW(ss, 5)', BOTH));

test('in the first row of a group', () =>
  check('SELECT meta(topic) AS t, count(*) AS c FROM demo GROUP BY id, TUMBLINGWINDOW(ss, 5)', [
    { t: 't/1', c: 1 },
    { t: 't/2', c: 1 },
  ]));

test('in a sliding window that waits', () =>
  check('SELECT meta(topic) AS t FROM demo GROUP BY SLIDINGWINDOW(ss, 1, 5) OVER (WHEN id = 2)', BOTH));

test('in rows that wait for earlier ones', () =>
  check('SELECT meta(topic) AS t, lag(id) AS l FROM demo', [{ t: 't/1' }, { t: 't/2', l: 1 }], NO_TABLE, {
    streams: { demo: { ...STREAM, watermark: { outOfOrder: '5s' } } },
  }));

test('in rows that wait for a table, also where the table answers late', async () => {
  const table: LookupTable = { find: ({ id }) => [{ id: id ?? null, name: `n${id}` }] };
  const sql = 'SELECT meta(demo.topic) AS t, name FROM demo INNER JOIN names ON demo.id = names.id';
  await check(
    sql,
    [
      { t: 't/1', name: 'n1' },
      { t: 't/2', name: 'n2' },
    ],
    table,
  );
  const filtered =
    'SELECT demo.id FROM demo INNER JOIN names ON demo.id = names.id AND meta(demo.topic) >= names.topic';
  await check(filtered, [{ id: 2 }], SECOND);
});
