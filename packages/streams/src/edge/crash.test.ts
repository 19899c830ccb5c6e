/** Rules whose process is killed again and again, at any moment: their results are those of an undisturbed run. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import { connectAsync } from 'mqtt';
import { replay } from '../engine/rule/run-test.ts';
import { prepared, STREAM } from '../engine/testing/run-query.ts';
import type { RuleSpec } from '../kinds/rule.ts';
import type { RulesProcess } from './testing/rules-process.ts';
import { scratchBroker } from './testing/scratch-broker.ts';

/** In everyday runs, and at most: a long one is no longer than it needs to be. */
const [KILLS, MOST_KILLS] = [10, 100];
const kills = Math.min(runs(KILLS), MOST_KILLS);
/** Enough for something to come after each kill. */
const ROWS_A_KILL = 150;

const WATERMARK = { outOfOrder: '200ms' };

/** Of each kind of state; by what they are called. */
const STATEMENTS: Readonly<Record<string, string>> = {
  hopping:
    'SELECT id, count(*) AS c, sum(v) AS s, collect(v) AS every, window_end() AS e FROM demo GROUP BY id, HOPPINGWINDOW(ms, 150, 50)',
  tumbling: 'SELECT id, avg(v) AS a, last_value(v, true) AS l FROM demo GROUP BY id, TUMBLINGWINDOW(ms, 90)',
  session: 'SELECT count(*) AS c, sum(v) AS s FROM demo WHERE v % 50 < 30 GROUP BY SESSIONWINDOW(ms, 500, 40)',
  sliding: 'SELECT sum(v) AS s, count(*) AS c FROM demo GROUP BY SLIDINGWINDOW(ms, 100) OVER (WHEN v % 5 = 0)',
  count: 'SELECT sum(v) AS s FROM demo GROUP BY COUNTWINDOW(7, 3)',
  state: 'SELECT count(*) AS c, max(v) AS top FROM demo GROUP BY STATEWINDOW(v % 20 = 3, v % 20 = 11)',
  analytic: 'SELECT v, lag(v) OVER (PARTITION BY id) AS p, acc_sum(v) AS total, had_changed(true, id) AS h FROM demo',
  rows: 'SELECT id, v FROM demo WHERE v % 3 = 0',
};

/** Rules on rules, by the rule that they read. */
const CHAINED: Readonly<Record<string, readonly [string, string]>> = {
  ofTumbling: ['tumbling', 'SELECT max(a) AS top, count(*) AS n FROM of_tumbling GROUP BY TUMBLINGWINDOW(ms, 450)'],
  ofRows: ['rows', 'SELECT v, lag(v) AS before FROM of_rows'],
  ofThat: ['ofRows', 'SELECT sum(before) AS s FROM of_ofRows GROUP BY COUNTWINDOW(5)'],
};

/** Times go forward, with some that are behind, and some too far behind; the last row ends every window that counts. */
function rowsOf(count: number): readonly { readonly ts: number; readonly id: string; readonly v: number }[] {
  const rows = Array.from({ length: count }, (_, at) => ({
    ts: at * 3 - (at % 7 === 0 ? 90 : 0) - (at % 97 === 96 ? 1000 : 0),
    id: 'abc'[(at * 7) % 3] ?? '',
    v: at,
  }));
  return [...rows, { ts: count * 3 + 10_000, id: 'a', v: 0 }];
}

/** Each rule writes a file of its name. */
function told(interval: string | undefined): RulesProcess {
  const file = { path: 'in.jsonl', ...(interval === undefined ? {} : { interval }) };
  const ruleOf = (name: string, sql: string, stream: string): RuleSpec => ({
    sql,
    streams: [stream],
    options: { checkpointInterval: '20ms' },
    sinks: [
      { name: 'out', file: { path: `${name}.jsonl` } },
      { name: 'late', output: 'Late', file: { path: `${name}-late.jsonl` } },
    ],
  });
  const streams = Object.values(CHAINED).map(([rule]) => [`of_${rule}`, { source: { rule: { name: rule } } }] as const);
  const rules = [
    ...Object.entries(STATEMENTS).map(([name, sql]) => [name, ruleOf(name, sql, 'demo')] as const),
    ...Object.entries(CHAINED).map(([name, [rule, sql]]) => [name, ruleOf(name, sql, `of_${rule}`)] as const),
  ];
  return {
    streams: {
      demo: { source: { file }, timestamp: { field: 'ts' }, watermark: WATERMARK },
      ...Object.fromEntries(streams),
    },
    rules: Object.fromEntries(rules),
  };
}

const NAMES = [...Object.keys(STATEMENTS), ...Object.keys(CHAINED)];
const OUTPUTS = NAMES.flatMap((name) => [name, `${name}-late`]);

function linesOf(folder: string, output: string): readonly unknown[] {
  try {
    const text = readFileSync(join(folder, 'files', `${output}.jsonl`), 'utf8');
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  } catch {
    return [];
  }
}

/** A folder, and whatever runs in it. */
async function scratchProcess() {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-crash-'));
  mkdirSync(join(folder, 'files'), { recursive: true });
  let child: ChildProcess | undefined;
  const kill = async () => {
    if (child === undefined) return;
    const exit = once(child, 'exit');
    if (child.kill('SIGKILL')) await exit;
    child = undefined;
  };
  return {
    folder,
    kill,
    /** Ends it in peace. */
    stop: async () => {
      assert.ok(child !== undefined);
      const exit = once(child, 'exit');
      child.send('stop');
      assert.deepEqual(await exit, [0, null]);
      child = undefined;
    },
    start: async (what: RulesProcess) => {
      child = fork(new URL('testing/rules-process.ts', import.meta.url), [folder, JSON.stringify(what)], {
        execArgv: ['--conditions=source'],
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      assert.ok(child.stdout !== null);
      const [said] = (await once(child.stdout, 'data')) as [Buffer];
      assert.equal(said.toString(), 'running\n');
    },
    [Symbol.asyncDispose]: async () => {
      await kill();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A process is killed while it is at work, not when it has rested. */
const SOON = { everyMs: 5 };

const upTo = (most: number) => Math.floor(Math.random() * (most + 1));

test('killed at any moment, rules from a file to files give each result once, and each late row once', async () => {
  await using undisturbed = await scratchProcess();
  await using disturbed = await scratchProcess();
  const rows = rowsOf(ROWS_A_KILL * kills);
  for (const { folder } of [undisturbed, disturbed])
    writeFileSync(join(folder, 'files', 'in.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const resultsIn = (folder: string) => Object.fromEntries(OUTPUTS.map((output) => [output, linesOf(folder, output)]));
  const replayed = Object.entries(STATEMENTS).map(([name, sql]) => {
    const rule = prepared(sql, { streams: { demo: { ...STREAM, watermark: WATERMARK } } });
    const given = rows.map((row) => ({ at: 0, row }));
    const { results, late } = replay(rule, given);
    return { name, results: JSON.parse(JSON.stringify(results)), late: JSON.parse(JSON.stringify(late)) };
  });
  const isWhole = (folder: string) =>
    replayed.every(({ name, results }) => linesOf(folder, name).length >= results.length);
  await undisturbed.start(told(undefined));
  await eventually('the undisturbed run', () => isWhole(undisturbed.folder));
  await undisturbed.stop();
  const expected = resultsIn(undisturbed.folder);
  for (const { name, results, late } of replayed)
    assert.deepEqual([expected[name], expected[`${name}-late`]], [results, late], name);
  for (let killed = 0; killed < kills; killed++) {
    await disturbed.start(told('1ms'));
    const output = NAMES[upTo(NAMES.length - 1)] ?? '';
    const whole = expected[output]?.length ?? 0;
    const enough = linesOf(disturbed.folder, output).length + 1 + upTo(Math.ceil(whole / kills));
    await eventually('some results', () => linesOf(disturbed.folder, output).length >= Math.min(enough, whole), SOON);
    await disturbed.kill();
  }
  await disturbed.start(told(undefined));
  await eventually('all results', () => isWhole(disturbed.folder));
  await disturbed.stop();
  const results = resultsIn(disturbed.folder);
  for (const output of OUTPUTS) assert.deepEqual(results[output], expected[output], output);
});

test('messages of quality 1 that rules pass on arrive at least once, whenever the process is killed', async () => {
  await using broker = await scratchBroker();
  await using disturbed = await scratchProcess();
  await using stack = new AsyncDisposableStack();
  const client = await connectAsync(broker.url);
  stack.defer(() => client.endAsync(true));
  const seen = new Set<number>();
  client.on('message', (_topic, body) => seen.add((JSON.parse(body.toString()) as { readonly v: number }).v));
  await client.subscribeAsync('out', { qos: 1 });
  const mqtt = (topic: string) => ({ server: broker.url, topic, qos: 1 });
  const what: RulesProcess = {
    streams: { meters: { source: { mqtt: mqtt('in') } }, of_first: { source: { rule: { name: 'first' } } } },
    rules: {
      first: { sql: 'SELECT v FROM meters', streams: ['meters'], options: { checkpointInterval: '20ms' } },
      second: {
        sql: 'SELECT v FROM of_first',
        streams: ['of_first'],
        options: { checkpointInterval: '20ms' },
        sinks: [{ name: 'out', mqtt: mqtt('out') }],
      },
    },
  };
  let sent = 0;
  const send = () => client.publishAsync('in', JSON.stringify({ v: sent++ }), { qos: 1 });
  for (let killed = 0; killed < kills; killed++) {
    await disturbed.start(what);
    // The first one shows that the broker keeps messages for it from now on.
    const before = seen.size;
    await eventually('a result', async () => (await send()) && seen.size > before, SOON);
    for (let more = upTo(40); more > 0; more--) await send();
    await disturbed.kill();
    for (let more = upTo(5); more > 0; more--) await send();
  }
  await disturbed.start(what);
  // What was sent before anybody listened is nobody’s.
  const first = Math.min(...seen);
  await eventually('all results', () => seen.size >= sent - first);
  assert.equal(seen.size, sent - first);
});
