import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KubeObject, StatusError } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
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
    sql: 'SELECT twice(force) FROM press',
    functions: [{ name: 'twice', parameters: ['Float'], source: 'return 2 * force' }],
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

async function run(spec: RuleTestRun['spec'], namespace = 'hall'): Promise<RuleTestRun['status']> {
  const object = { apiVersion: 'telemetry.skerry.io/v1alpha1', kind: 'RuleTest', metadata: { namespace }, spec };
  const { signal } = new AbortController();
  return ((await ruleTestsKind(client).create({ object, signal })) as RuleTestRun).status;
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
  assert.deepEqual(alone, { results: [{ force: 4 }], late: [], errors: [], dropped: {}, isCut: false });
});

test('what cannot be tried is refused in words', async () => {
  for (const [spec, code, words] of [
    [{}, 400, /spec.rule or spec.sql is needed/],
    [{ rule: 'none' }, 404, /there is no none/],
    [{ sql: 'SELECT force FORM press' }, 400, /spec.sql: /],
    [{ sql: 'SELECT force FROM elsewhere' }, 400, /elsewhere/],
    [{ rule: 'scripted', rows }, 400, /skerry rule test/],
    [{ rule: 'hot', rows: Array(1001).fill({ row: {} }) }, 400, /more than 1000 rows .*skerry rule test/],
    [{ rule: 'hot', rows: [{ at: 'soon', row: {} }] }, 422, /at/],
    [{ rule: 'hot', rows: [{ force: 1 }] }, 422, /row/],
  ] as const)
    await assert.rejects(run(spec as RuleTestRun['spec']), { code, message: words }, JSON.stringify(spec));
  await assert.rejects(run({ rule: 'hot' }, 'office'), { code: 404 });
});

test('an answer is bounded, whatever windows make of the rows', async () => {
  const sql = 'SELECT collect(*) AS all FROM press GROUP BY SLIDINGWINDOW(ss, 1000)';
  const many = Array.from({ length: 600 }, (_, force) => ({ row: { force, text: 'x'.repeat(100) } }));
  const status = await run({ sql, rows: many });
  assert.equal(status?.isCut, true);
  assert.ok(JSON.stringify(status).length < 5 * 1024 * 1024);
});
