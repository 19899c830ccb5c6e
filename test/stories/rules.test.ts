/** A rule from its SQL to its results: refused when it is wrong, at work in the node's data worker, exact over a kill. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { CHECKOUT, eventually, runToEnd, TestCloud, TestEdge } from '@skerry/testkit/processes';

const API = 'streams.skerry.io/v1alpha1';
const PLACEMENT = { nodeName: 'edge-1' };

const object = (kind: string, name: string, spec: object) => ({
  apiVersion: API,
  kind,
  metadata: { name, namespace: 'default' },
  spec,
});

const METER = object('Stream', 'meter', {
  placement: PLACEMENT,
  source: {
    simulator: {
      interval: '50ms',
      rows: [
        { id: 'a', power: 10 },
        { id: 'b', power: 30 },
      ],
    },
  },
  schema: [
    { name: 'id', type: 'String' },
    { name: 'power', type: 'Float' },
  ],
});

const LOUD = object('Rule', 'loud', {
  placement: PLACEMENT,
  sql: 'SELECT id, power * 2 AS twice FROM meter WHERE power > {{limit}}',
  parameters: { limit: '20' },
  sinks: [
    { name: 'series', bus: {} },
    { name: 'log', log: {} },
  ],
  tests: [
    {
      name: 'above the limit',
      input: [{ row: { id: 'x', power: 21 } }, { row: { id: 'y', power: 20 } }],
      expected: [{ id: 'x', twice: 42 }],
    },
  ],
});

const REPLAY = object('Stream', 'replay', {
  source: { file: { path: 'readings.csv', interval: '1ms' } },
  format: 'Csv',
  timestamp: { field: 'ts' },
});

const SUMS = object('Rule', 'sums', {
  placement: PLACEMENT,
  sql: 'SELECT id, count(*) AS c, sum(v) AS s, window_start() AS at FROM replay GROUP BY id, TUMBLINGWINDOW(ss, 10)',
  options: { checkpointInterval: '300ms' },
  sinks: [{ name: 'file', file: { path: 'out/sums.jsonl' } }],
});

interface RuleStatus {
  readonly state?: string;
  readonly onNodes?: Readonly<
    Record<
      string,
      { readonly state?: string; readonly lastError?: string; readonly rowsIn?: number; readonly rowsOut?: number }
    >
  >;
}

suite('a rule', () => {
  let cloud: TestCloud;
  let edge: TestEdge;

  before(async () => {
    cloud = await TestCloud.start();
    edge = await TestEdge.join(cloud, { name: 'edge-1' });
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  const statusOf = async (rule: string) => (await cloud.get<{ readonly status?: RuleStatus }>(['rule', rule])).status;

  const log = () => readFileSync(join(edge.dir, 'edge.log'), 'utf8');

  const workerPid = () =>
    log()
      .split('\n')
      .filter((line) => line.includes('"msg":"worker started"'))
      .map((line) => (JSON.parse(line) as { readonly pid: number }).pid)
      .at(-1);

  const files = () => join(edge.dir, 'edge', 'edge-1', 'streams', 'files');

  test('rules are tried on their own cases and on recorded rows, without a cloud', async () => {
    const skerry = (...args: readonly string[]) => runToEnd(join(CHECKOUT, 'bin', 'skerry'), args, { env: {} });
    const file = join(edge.dir, 'rules.json');
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [METER, LOUD] }));
    const own = await skerry('rule', 'test', file);
    assert.deepEqual([own.code, own.stdout], [0, 'passed   loud: above the limit\n'], own.stderr);
    const data = join(edge.dir, 'data.csv');
    writeFileSync(data, 'id,power\na,10\nb,25.5\n');
    const recorded = await skerry('rule', 'test', file, '--input', data);
    assert.deepEqual([recorded.code, recorded.stdout], [0, '{"id":"b","twice":51}\n'], recorded.stderr);
    writeFileSync(
      file,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [METER, { ...LOUD, spec: { ...LOUD.spec, parameters: { limit: '1' } } }],
      }),
    );
    const failed = await skerry('rule', 'test', file);
    assert.equal(failed.code, 1);
    assert.match(failed.stdout, /FAILED {3}loud: above the limit: there are 2 results, not 1/);
  });

  test('SQL that is wrong is refused with the place and the fix', async () => {
    await cloud.apply(METER);
    const wrong = { ...LOUD, spec: { ...LOUD.spec, sql: 'SELECT id, pwer FROM meter' } };
    const { code, stderr } = await cloud.tryKubectl(['apply', '-f', '-'], { input: JSON.stringify(wrong) });
    assert.notEqual(code, 0);
    assert.match(stderr, /spec\.sql: Invalid value: line 1, column 12: .*pwer.*power/);
  });

  test('a rule that fails its own case is refused with the difference', async () => {
    const wrong = { ...LOUD, spec: { ...LOUD.spec, parameters: { limit: '10' } } };
    const { code, stderr } = await cloud.tryKubectl(['apply', '-f', '-'], { input: JSON.stringify(wrong) });
    assert.notEqual(code, 0);
    assert.match(stderr, /test "above the limit" fails: there are 2 results, not 1/);
  });

  test('its results are in the log, and its status says how many there were', async () => {
    await cloud.apply(LOUD);
    await eventually('results in the status', async () => {
      const status = await statusOf('loud');
      return status?.state === 'Running' && (status.onNodes?.['edge-1']?.rowsOut ?? 0) > 0;
    });
    await eventually('a result in the log', async () => log().includes('\\"twice\\":60'));
    const { spec } = await cloud.get<{ readonly spec: { readonly streams?: readonly string[] } }>(['rule', 'loud']);
    assert.deepEqual(spec.streams, ['meter']);
  });

  test('a change of the stream that would break it is refused and names it', async () => {
    const changed = { ...METER, spec: { ...METER.spec, schema: [{ name: 'id', type: 'String' }] } };
    const { code, stderr } = await cloud.tryKubectl(['apply', '-f', '-'], { input: JSON.stringify(changed) });
    assert.notEqual(code, 0);
    assert.match(stderr, /would break rules that read it: loud/);
  });

  test('a worker that is killed goes on: the results are those of an undisturbed run', async () => {
    const lines = ['ts,id,v'];
    for (let at = 0; at < 3000; at++) lines.push(`${at * 100},${'abc'[at % 3]},${at}`);
    mkdirSync(files(), { recursive: true });
    writeFileSync(join(files(), 'readings.csv'), `${lines.join('\n')}\n`);
    await cloud.apply(REPLAY);
    await cloud.apply(SUMS);
    const results = () => {
      try {
        return readFileSync(join(files(), 'out', 'sums.jsonl'), 'utf8')
          .split('\n')
          .filter((line) => line !== '');
      } catch {
        return [];
      }
    };
    for (const enough of [9, 30]) {
      await eventually(`${enough} results`, async () => results().length >= enough);
      const pid = workerPid();
      assert.ok(pid !== undefined);
      process.kill(pid, 'SIGKILL');
      await eventually('another worker', async () => workerPid() !== pid);
    }
    const expected = [];
    for (let window = 0; window < 30; window++) {
      const rows = Array.from({ length: 100 }, (_, at) => window * 100 + at);
      for (const id of new Set(rows.map((row) => 'abc'[row % 3]))) {
        const own = rows.filter((row) => 'abc'[row % 3] === id);
        expected.push({ id, c: own.length, s: own.reduce((sum, row) => sum + row, 0), at: window * 10_000 });
      }
    }
    await eventually('all results', async () => results().length >= expected.length);
    assert.deepEqual(
      results().map((line) => JSON.parse(line)),
      expected,
    );
  });
});
