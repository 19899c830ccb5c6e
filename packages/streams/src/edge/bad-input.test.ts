/** What is wrong is told in words, costs only itself, and nothing else is lost. */
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { STREAMS } from '../kinds/index.ts';
import type { RuleNodeStatus, RuleSpec } from '../kinds/rule.ts';
import type { Stream, StreamSpec } from '../kinds/stream.ts';
import { type ScratchStreams, scratchStreams } from './testing/scratch-streams.ts';

const FILE: StreamSpec = { source: { file: { path: 'in.jsonl', follow: true } }, timestamp: { field: 'ts' } };
const OUT: NonNullable<RuleSpec['sinks']> = [{ name: 'out', file: { path: 'out.jsonl' } }];

function linesIn(scratch: ScratchStreams): readonly Readonly<Record<string, unknown>>[] {
  try {
    const text = readFileSync(join(scratch.files, 'out.jsonl'), 'utf8');
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  } catch {
    return [];
  }
}

interface Expected {
  readonly results: readonly object[];
  /** What the rule, or the stream, says of itself. */
  readonly error?: RegExp;
  readonly errors?: number;
  readonly unreadable?: number;
  readonly dropped?: Readonly<Record<string, number>>;
}

/** Lines of a file, some of which are bad, and all that becomes of them. */
async function check(
  lines: Iterable<string>,
  rule: Partial<RuleSpec>,
  expected: Expected,
  stream: Partial<StreamSpec> = {},
): Promise<void> {
  await using scratch = await scratchStreams();
  writeFileSync(join(scratch.files, 'in.jsonl'), [...lines].map((line) => `${line}\n`).join(''));
  await scratch.stream('demo', { ...FILE, ...stream });
  await scratch.rule('r', { sql: 'SELECT v FROM demo', sinks: OUT, ...rule });
  await scratch.until('all results', () => linesIn(scratch).length >= expected.results.length);
  const { errors = 0, unreadable = 0, dropped = {}, error } = expected;
  const said = await scratch.until('what went wrong', async () => {
    const [own, source] = [await scratch.status('r'), await streamStatus(scratch)];
    const isAll = own?.errors === errors && (source?.dropped?.['Unreadable'] ?? 0) === unreadable;
    return isAll && own.rowsOut === expected.results.length && { own, source };
  });
  assert.deepEqual([linesIn(scratch), said.own.dropped], [expected.results, dropped]);
  if (error !== undefined) assert.match(`${said.own.lastError} ${said.source?.lastError}`, error);
}

async function streamStatus(scratch: ScratchStreams) {
  const stream = await scratch.client.get<Stream>({ gvr: STREAMS, namespace: 'default', name: 'demo' });
  return stream.status?.onNodes?.['edge-1'];
}

async function failure(scratch: ScratchStreams): Promise<RuleNodeStatus> {
  return scratch.until('the failure', async () => {
    const told = await scratch.status('r');
    return told?.state === 'Failed' && told;
  });
}

const row = (ts: number, v: unknown) => JSON.stringify({ ts, v });

test('SQL that is wrong fails with its place and what to write', async () => {
  await using scratch = await scratchStreams();
  await scratch.stream('demo', { ...FILE, schema: [{ name: 'value', type: 'Float' }] });
  await scratch.rule('r', { sql: 'SELECT valeu FROM demo', sinks: OUT });
  assert.match((await failure(scratch)).lastError ?? '', /line 1, column 8: .*valeu.*value/s);
  await scratch.patchRule('r', { sql: 'SELEC value FROM demo' });
  await scratch.until('the other failure', async () => /SELECT/.test((await scratch.status('r'))?.lastError ?? ''));
});

test('a field of another type than the schema says makes no row, and is named', () =>
  check(
    [row(1, 1), row(2, 'two'), row(3, [3]), row(4, '4')],
    {},
    { results: [{ v: 1 }, { v: 4 }], unreadable: 2, error: /the field v must be Float, not \[3\]/ },
    {
      schema: [
        { name: 'ts', type: 'Bigint' },
        { name: 'v', type: 'Float' },
      ],
    },
  ));

test('a value that an expression cannot work on costs its row', () =>
  check(
    [row(1, 1), row(2, 'two'), row(3, { a: 1 }), row(4, null), row(5, 5)],
    { sql: 'SELECT v * 2 AS w FROM demo' },
    {
      results: [{ w: 2 }, {}, { w: 10 }],
      errors: 2,
      error: /v \* 2/,
    },
  ));

test('division by zero costs its row, in a window too', async () => {
  const lines = [row(1, 1), row(2, 0), row(3, 2)];
  await check(
    lines,
    { sql: 'SELECT 10 / v AS w FROM demo' },
    { results: [{ w: 10 }, { w: 5 }], errors: 1, error: /10 \/ v: division by zero/ },
  );
  await check(
    [...lines, row(20_000, 1)],
    { sql: 'SELECT sum(10 / v) AS s FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)' },
    { results: [{ s: 15 }], errors: 1, error: /division by zero/ },
  );
});

test('JSON that is deeper than can be kept, or none, makes no row', () => {
  const deep = `{"ts":2,"v":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
  return check(
    [row(1, 1), deep, '{"ts":3,', `{"ts":4,"v":${'{"a":'.repeat(100_000)}`, row(5, 5)],
    {},
    { results: [{ v: 1 }, { v: 5 }], unreadable: 3, error: /levels of arrays and objects/ },
  );
});

test('strings of megabytes pass whole through windows and checkpoints', async () => {
  const huge = 'é'.repeat(1_500_000);
  await using scratch = await scratchStreams();
  const input = join(scratch.files, 'in.jsonl');
  writeFileSync(input, `${row(1000, huge)}\n`);
  await scratch.stream('demo', FILE);
  const sql = 'SELECT upper(last_value(v, true)) AS v, count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)';
  await scratch.rule('r', { sql, sinks: OUT, options: { checkpointInterval: '250ms' } });
  await scratch.until('it is kept', async () => ((await scratch.status('r'))?.stateBytes ?? 0) > huge.length);
  await scratch.restart();
  appendFileSync(input, `${row(20_000, 1)}\n`);
  await scratch.until('the result', () => linesIn(scratch).length === 1);
  assert.deepEqual(linesIn(scratch), [{ v: huge.toUpperCase(), c: 1 }]);
});

const KEYS = 10_000;

test('10,000 groups are exact; what is beyond the bound of keys is dropped and counted', async () => {
  const lines = Array.from({ length: 2 * KEYS }, (_, at) => JSON.stringify({ ts: at, id: `k${at % KEYS}`, v: at }));
  const all = [...lines, JSON.stringify({ ts: 100_000, id: 'k0', v: 0 })];
  const sql = 'SELECT id, count(*) AS c, sum(v) AS s FROM demo GROUP BY id, TUMBLINGWINDOW(mi, 1)';
  const results = Array.from({ length: KEYS }, (_, at) => ({ id: `k${at}`, c: 2, s: 2 * at + KEYS }));
  await check(all, { sql }, { results });
  await check(
    all,
    { sql, options: { maxKeys: 100 } },
    { results: results.slice(0, 100), dropped: { TooManyKeys: 2 * KEYS - 200 } },
  );
});

test('a schema that changes in mid-stream loses no row: what fits goes on, and what does not is told until it does', async () => {
  await using scratch = await scratchStreams();
  const input = join(scratch.files, 'in.jsonl');
  const schema = (...fields: readonly (readonly [string, 'Float' | 'String'])[]) =>
    scratch.client.patch(
      { gvr: STREAMS, namespace: 'default', name: 'demo' },
      { spec: { schema: [{ name: 'ts', type: 'Bigint' }, ...fields.map(([name, type]) => ({ name, type }))] } },
      { type: 'merge' },
    );
  writeFileSync(input, `${row(1000, 1)}\n`);
  await scratch.stream('demo', {
    ...FILE,
    schema: [
      { name: 'ts', type: 'Bigint' },
      { name: 'v', type: 'Float' },
    ],
  });
  await scratch.rule('r', {
    sql: 'SELECT sum(v) AS s, count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)',
    sinks: OUT,
  });
  const rowsIn = (count: number) =>
    scratch.until(`row ${count}`, async () => (await scratch.status('r'))?.rowsIn === count);
  await rowsIn(1);
  await schema(['v', 'Float'], ['w', 'String']);
  appendFileSync(input, '{"ts":2000,"v":2,"w":"new"}\n');
  await rowsIn(2);
  await schema(['w', 'String']);
  assert.match((await failure(scratch)).lastError ?? '', /\bv\b/);
  appendFileSync(input, `${row(3000, 4)}\n`);
  await scratch.clock.advance(2000);
  await schema(['v', 'Float']);
  appendFileSync(input, `${row(20_000, 8)}\n`);
  await scratch.until('the sum', () => linesIn(scratch).length === 1);
  assert.deepEqual(linesIn(scratch), [{ s: 7, c: 3 }]);
});
