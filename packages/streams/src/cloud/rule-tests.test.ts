import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type KubeObject, StatusError } from '@skerry/api';
import { systemClock } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { createTrials, type TrialLimits } from '../trial/trials.ts';
import { type RuleTestRun, ruleTestsKind } from './rule-tests.ts';

const meta = (kind: string, name: string, spec: object): KubeObject => ({
  apiVersion: 'streams.skerry.io/v1alpha1',
  kind,
  metadata: { name, namespace: 'hall' },
  spec,
});

const OBJECTS = [
  meta('Stream', 'press', { source: { mqtt: { server: 'mqtt://broker', topic: 'press' } } }),
  meta('Table', 'limits', { source: { file: { path: 'limits.csv' } } }),
  meta('Table', 'sized', {
    source: { file: { path: '{{size}}.csv' } },
    schema: [{ name: 'most', type: 'Float' }],
    nodeParameters: [{ node: 'edge-1', values: { size: 'big' } }],
  }),
  meta('Rule', 'talkative', {
    sql: `SELECT ${Array.from({ length: 10 }, (_, at) => `rpad(id, 1000000) AS f${at}`).join(', ')} FROM press`,
    tests: [{ name: 'much', input: [{ row: { id: 'a' } }], expected: [{ id: 'a' }] }],
  }),
  meta('Rule', 'hot', {
    sql: 'SELECT force FROM press WHERE force > {{limit}}',
    parameters: { limit: 10 },
    nodeParameters: [{ node: 'edge-1', values: { limit: 5 } }],
    tests: [
      { name: 'more passes', input: [{ row: { force: 11 } }, { row: { force: 9 } }], expected: [{ force: 11 }] },
      { name: 'less does not', input: [{ row: { force: 7 } }], expected: [] },
    ],
  }),
  meta('Rule', 'scripted', {
    sql: 'SELECT twice(force) AS twice FROM press',
    functions: [{ name: 'twice', parameters: ['Float'], javascript: 'return 2 * a' }],
    tests: [{ name: 'twice', input: [{ row: { force: 3 } }], expected: [{ twice: 6 }] }],
  }),
  meta('Rule', 'limited', {
    sql: 'SELECT press.force FROM press INNER JOIN limits ON press.id = limits.id WHERE press.force > limits.most',
    tests: [
      {
        name: 'each has its limit',
        input: [{ row: { id: 1, force: 3 } }, { row: { id: 2, force: 3 } }],
        tables: [
          {
            name: 'limits',
            rows: [
              { id: 1, most: 2 },
              { id: 2, most: 4 },
            ],
          },
        ],
        expected: [{ force: 3 }],
      },
      { name: 'no rows', input: [{ row: { id: 1, force: 3 } }], expected: [] },
    ],
  }),
  meta('Rule', 'endless', {
    sql: 'SELECT f(force) AS f FROM press',
    functions: [{ name: 'f', parameters: ['Float'], javascript: 'for (;;);', timeout: '1h' }],
  }),
];

const KINDS: Readonly<Record<string, string>> = { rules: 'Rule', streams: 'Stream', tables: 'Table' };

const client = {
  get: async ({ gvr, namespace, name }) => {
    const found = OBJECTS.find(
      ({ kind, metadata }) =>
        kind === KINDS[gvr.resource] && metadata.name === name && metadata.namespace === namespace,
    );
    if (found === undefined) throw new StatusError(404, 'NotFound', `there is no ${name}`);
    return found;
  },
  list: async ({ resource }, { namespace } = {}) => ({
    apiVersion: 'v1',
    kind: 'List',
    metadata: {},
    items: OBJECTS.filter(({ kind, metadata }) => kind === KINDS[resource] && metadata.namespace === namespace),
  }),
} as Pick<Client, 'get' | 'list'>;

const BIN = join(import.meta.dirname, '../trial/bin.ts');
const trialsWith = (limits: Partial<TrialLimits>) =>
  createTrials({ program: BIN, execArgv: ['--conditions=source'], clock: systemClock, limits });
const trials = trialsWith({});
after(() => trials.close());

async function run(
  spec: RuleTestRun['spec'],
  { namespace = 'hall', by = trials } = {},
): Promise<RuleTestRun['status']> {
  const object = { apiVersion: 'telemetry.skerry.io/v1alpha1', kind: 'RuleTest', metadata: { namespace }, spec };
  const { signal } = new AbortController();
  return ((await ruleTestsKind(client, by).create({ object, signal })) as RuleTestRun).status;
}

const rows = [4, 7, 12].map((force) => ({ row: { force } }));

test("a rule's own cases are run, with the parameters of a node if one is named", async () => {
  assert.deepEqual(await run({ rule: 'hot' }), {
    cases: [
      { name: 'more passes', passed: true },
      { name: 'less does not', passed: true },
    ],
  });
  const [more, less] = (await run({ rule: 'hot', node: 'edge-1' }))?.cases ?? [];
  assert.deepEqual([more?.passed, less?.passed], [false, false]);
  assert.match(less?.failure ?? '', /there are 1 results, not 0/);
});

test('a rule is tried on rows that are given, and so is other SQL in its place, or SQL alone', async () => {
  assert.deepEqual((await run({ rule: 'hot', rows }))?.results, [{ force: 12 }]);
  assert.deepEqual((await run({ rule: 'hot', node: 'edge-1', rows }))?.results, [{ force: 7 }, { force: 12 }]);
  const sql = 'SELECT count(*) AS n FROM press WHERE force > {{limit}} GROUP BY TUMBLINGWINDOW(ss, 1)';
  assert.deepEqual((await run({ rule: 'hot', sql, rows }))?.results, [{ n: 1 }]);
  const alone = await run({ sql: 'SELECT force FROM press WHERE force < 5', rows });
  const { operators = [], ...rest } = alone ?? {};
  assert.deepEqual(rest, { results: [{ force: 4 }], late: [], errors: [], dropped: {}, isCut: false });
  assert.deepEqual(
    operators.map(({ kind, cost, counts }) => [kind, cost?.nanosecondsPerRow, counts?.rowsIn, counts?.rowsOut]),
    [
      ['project', 100, 1, 1],
      ['filter', 15, 3, 1],
      ['source', 15, 3, 3],
    ],
  );
});

test('what cannot be tried is refused in words', async () => {
  for (const [spec, code, words] of [
    [{}, 400, /spec.rule or spec.sql is needed/],
    [{ rule: 'none' }, 404, /there is no none/],
    [{ sql: 'SELECT force FORM press' }, 400, /spec.sql: /],
    [{ sql: 'SELECT force FROM elsewhere' }, 400, /elsewhere/],
    [{ rule: 'limited', rows }, 400, /rows of table limits must be given/],
    [{ rule: 'hot', rows: Array(10_001).fill({ row: {} }) }, 400, /more than 10000 rows .*skerry rule test/],
    [{ rule: 'hot', rows: [{ at: 'soon', row: {} }] }, 422, /at/],
    [{ rule: 'hot', rows: [{ force: 1 }] }, 422, /row/],
  ] as const)
    await assert.rejects(run(spec as RuleTestRun['spec']), { code, message: words }, JSON.stringify(spec));
  await assert.rejects(run({ rule: 'hot' }, { namespace: 'office' }), { code: 404 });
});

test('an answer is bounded, whatever windows make of the rows', async () => {
  const sql = 'SELECT collect(*) AS all FROM press GROUP BY SLIDINGWINDOW(ss, 1000)';
  const many = Array.from({ length: 600 }, (_, force) => ({ row: { force, text: 'x'.repeat(100) } }));
  const status = await run({ sql, rows: many });
  assert.equal(status?.isCut, true);
  assert.ok(JSON.stringify(status).length < 5 * 1024 * 1024);
});

test('what is said of a row is bounded, however large the row is', async () => {
  const [much] = (await run({ rule: 'talkative' }))?.cases ?? [];
  assert.match(much?.failure ?? '', /^result 1 is {"f0":"a {2}.*…, not {"id":"a"}$/);
  assert.ok(JSON.stringify(much).length < 5000);
});

test('tables that cannot be made of what is given are told in words', async () => {
  const sql = 'SELECT press.force FROM press INNER JOIN sized ON press.force = sized.most';
  const tables = (most: unknown) => [{ name: 'sized', rows: [{ most }] }];
  const wrong = { code: 400, message: /spec.tests: table sized: the field most must be Float, not "much"/ };
  await assert.rejects(run({ sql, node: 'edge-1', rows, tables: tables('much') }), wrong);
  await assert.rejects(run({ sql, rows, tables: tables(4) }), { code: 400, message: /sized: the parameter size has/ });
  assert.deepEqual((await run({ sql, node: 'edge-1', rows, tables: tables(4) }))?.results, [{ force: 4 }]);
});

test('rules with functions and tables are tried too, with the rows of tables that are given', async () => {
  assert.deepEqual(await run({ rule: 'scripted' }), { cases: [{ name: 'twice', passed: true }] });
  const [each, none] = (await run({ rule: 'limited' }))?.cases ?? [];
  assert.deepEqual([each?.passed, none?.passed], [true, false]);
  assert.match(none?.failure ?? '', /the rows of table limits must be given/);
  const given = [{ row: { id: 7, force: 1 } }, { row: { id: 7, force: 9 } }];
  const tables = [{ name: 'limits', rows: [{ id: 7, most: 5 }] }];
  assert.deepEqual((await run({ rule: 'limited', rows: given, tables }))?.results, [{ force: 9 }]);
});

test('a rule that never ends is given up in words, while others are tried', async () => {
  const hasty = trialsWith({ timeMs: 1500 });
  try {
    const endless = run({ rule: 'endless', rows }, { by: hasty });
    await Promise.all([
      assert.rejects(endless, { code: 400, message: /it was tried for 1.5 s, which is the limit of the cloud/ }),
      run({ rule: 'hot', rows }),
    ]);
  } finally {
    hasty.close();
  }
});

test('a rule that takes all memory is given up in words, and the next one is tried', async () => {
  const small = trialsWith({ heapMb: 64, processes: 1, timeMs: 60_000 });
  try {
    const sql = 'SELECT collect(sequence(1, 90000)) AS all FROM press GROUP BY COUNTWINDOW(1000)';
    const many = Array.from({ length: 1000 }, () => ({ row: {} }));
    const huge = run({ sql, rows: many }, { by: small });
    const next = run({ rule: 'hot', rows }, { by: small });
    await assert.rejects(huge, { code: 400, message: /more than 64 MiB of memory, which is the limit of the cloud/ });
    assert.deepEqual((await next)?.results, [{ force: 12 }]);
  } finally {
    small.close();
  }
});

test('bytes, which are no part of the heap, are memory too', async () => {
  const small = trialsWith({ heapMb: 64, timeMs: 60_000 });
  try {
    const sql = 'SELECT collect(cast(rpad(id, 1000000), "bytea")) AS all FROM press GROUP BY COUNTWINDOW(10000)';
    const many = Array.from({ length: 3000 }, () => ({ row: { id: 'a' } }));
    const huge = run({ sql, rows: many }, { by: small });
    await assert.rejects(huge, { code: 400, message: /more than 64 MiB of memory, which is the limit of the cloud/ });
  } finally {
    small.close();
  }
});

test('more trials than may wait are refused', async () => {
  const narrow = trialsWith({ processes: 1, waiting: 1 });
  try {
    const asked = await Promise.allSettled([1, 2, 3].map(() => run({ rule: 'hot', rows }, { by: narrow })));
    assert.deepEqual(
      asked.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
    );
    assert.match(String(asked[2]?.status === 'rejected' && asked[2].reason), /too many rules are being tried/);
  } finally {
    narrow.close();
  }
});
