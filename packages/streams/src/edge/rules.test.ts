import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RuleSpec } from '../kinds/rule.ts';
import type { StreamSpec } from '../kinds/stream.ts';
import { type ScratchStreams, scratchStreams } from './testing/scratch-streams.ts';

const TICKS: StreamSpec = {
  source: {
    simulator: {
      interval: '100ms',
      rows: [
        { id: 'a', v: 1 },
        { id: 'b', v: 2 },
        { id: 'a', v: 3 },
      ],
    },
  },
};
const FILE: StreamSpec = { source: { file: { path: 'in.jsonl', follow: true } }, timestamp: { field: 'ts' } };
const OUT: NonNullable<RuleSpec['sinks']> = [{ name: 'out', file: { path: 'out.jsonl' } }];

function linesIn(scratch: ScratchStreams, file = 'out.jsonl'): readonly unknown[] {
  try {
    const text = readFileSync(join(scratch.files, file), 'utf8');
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  } catch {
    return [];
  }
}

/** Rows in a file, and what a rule makes of them. */
async function check(
  rows: readonly object[],
  spec: RuleSpec,
  expected: readonly object[],
  stream = FILE,
): Promise<void> {
  await using scratch = await scratchStreams();
  writeFileSync(join(scratch.files, 'in.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await scratch.stream('demo', stream);
  await scratch.rule('r', { sinks: OUT, ...spec });
  await scratch.until('all results', () => linesIn(scratch).length >= expected.length);
  assert.deepEqual(linesIn(scratch), expected);
}

test('results become values of series, and the status says how much there was', async () => {
  await using scratch = await scratchStreams();
  await scratch.stream('demo', TICKS);
  await scratch.rule('doubled', {
    sql: 'SELECT id, v * 2 AS w FROM demo WHERE v > 2',
    sinks: [{ name: 'series', bus: { object: '{id}' } }],
  });
  await scratch.until('a value', () => scratch.last('a', 'w') === 6);
  const status = await scratch.until('counters', async () => {
    const told = await scratch.status('doubled');
    return told?.state === 'Running' && (told.rowsOut ?? 0) > 0 && told;
  });
  assert.ok((status.rowsIn ?? 0) > (status.rowsOut ?? 0));
  assert.equal(
    status.operators?.some(({ operator }) => operator.includes('v > 2')),
    true,
  );
});

test('windows on the clock are given out when it is time, also when nothing comes any more', async () => {
  await using scratch = await scratchStreams();
  await scratch.stream('demo', {
    source: { simulator: { interval: '100ms', loop: false, rows: [{ v: 1 }, { v: 2 }] } },
  });
  await scratch.rule('sum', {
    sql: 'SELECT sum(v) AS s FROM demo GROUP BY TUMBLINGWINDOW(ss, 5)',
    sinks: [{ name: 'series', bus: {} }],
  });
  await scratch.until('the sum', () => scratch.last('sum', 's') === 3);
});

test('a rule reads the results of another, and what came too late for it', async () => {
  await using scratch = await scratchStreams();
  const rows = [
    { ts: 1000, v: 1 },
    { ts: 6000, v: 2 },
    { ts: 500, v: 9 },
    { ts: 12_000, v: 3 },
  ];
  writeFileSync(join(scratch.files, 'in.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await scratch.stream('demo', { ...FILE, source: { file: { path: 'in.jsonl' } } });
  await scratch.stream('sums', { source: { rule: { name: 'first' } } });
  await scratch.stream('missed', { source: { rule: { name: 'first', output: 'Late' } } });
  const sink = (path: string) => [{ name: 'out', file: { path } }];
  await scratch.rule('second', {
    sql: 'SELECT max(s) AS top FROM sums GROUP BY TUMBLINGWINDOW(ss, 10)',
    sinks: sink('top.jsonl'),
  });
  await scratch.rule('third', { sql: 'SELECT v FROM missed', sinks: sink('late.jsonl') });
  await scratch.until('both read', async () => (await scratch.status('third'))?.state === 'Running');
  await scratch.rule('first', { sql: 'SELECT sum(v) AS s FROM demo GROUP BY TUMBLINGWINDOW(ss, 5)', sinks: [] });
  await scratch.until(
    'all',
    () => linesIn(scratch, 'top.jsonl').length === 2 && linesIn(scratch, 'late.jsonl').length === 1,
  );
  assert.deepEqual(linesIn(scratch, 'top.jsonl'), [{ top: 2 }, { top: 3 }]);
  assert.deepEqual(linesIn(scratch, 'late.jsonl'), [{ v: 9 }]);
});

test('a window on what merely passes through another rule is given out, also when nothing comes any more', async () => {
  await using scratch = await scratchStreams();
  await scratch.stream('demo', {
    source: { simulator: { interval: '100ms', loop: false, rows: [{ v: 1 }, { v: 2 }, { v: 3 }] } },
  });
  await scratch.stream('high', { source: { rule: { name: 'filter' } } });
  await scratch.rule('sum', {
    sql: 'SELECT sum(v) AS s FROM high GROUP BY TUMBLINGWINDOW(ss, 5)',
    sinks: [{ name: 'series', bus: {} }],
  });
  await scratch.until('it runs', async () => (await scratch.status('sum'))?.state === 'Running');
  await scratch.rule('filter', { sql: 'SELECT v FROM demo WHERE v > 1', sinks: [] });
  await scratch.until('the sum', () => scratch.last('sum', 's') === 5);
});

test('a table in the spec gives rows their partners', async () => {
  await using scratch = await scratchStreams();
  writeFileSync(join(scratch.files, 'in.jsonl'), '{"ts":1,"id":1}\n{"ts":2,"id":2}\n');
  await scratch.table('names', {
    source: { rows: [{ id: 1, name: 'north' }] },
    schema: [
      { name: 'id', type: 'Bigint' },
      { name: 'name', type: 'String' },
    ],
  });
  await scratch.stream('demo', FILE);
  await scratch.rule('r', {
    sql: 'SELECT demo.id, names.name FROM demo LEFT JOIN names ON demo.id = names.id',
    sinks: OUT,
  });
  await scratch.until('results', () => linesIn(scratch).length === 2);
  assert.deepEqual(linesIn(scratch), [{ id: 1, name: 'north' }, { id: 2 }]);
});

test('a function in JavaScript is called with values of rows; what it throws is counted', async () => {
  await using scratch = await scratchStreams();
  writeFileSync(join(scratch.files, 'in.jsonl'), '{"ts":1,"v":2}\n{"ts":2,"v":-1}\n{"ts":3,"v":3}\n');
  await scratch.stream('demo', FILE);
  await scratch.rule('r', {
    sql: 'SELECT squared(v) AS s FROM demo',
    sinks: OUT,
    functions: [
      {
        name: 'squared',
        names: ['v'],
        parameters: ['Any'],
        returns: 'Any',
        javascript: 'if (v < 0) throw new Error("negative"); return v * v',
      },
    ],
    tests: [{ name: 'three', input: [{ row: { ts: 1, v: 3 } }], expected: [{ s: 9 }] }],
  });
  await scratch.until('results', () => linesIn(scratch).length === 2);
  assert.deepEqual(linesIn(scratch), [{ s: 4 }, { s: 9 }]);
  const status = await scratch.until('the error', async () => {
    const told = await scratch.status('r');
    return told?.errors === 1 && told;
  });
  assert.match(status.lastError ?? '', /squared: Error: negative/);
});

test('a rule whose functions fail its own case does not start, and says how its results differ', async () => {
  await using scratch = await scratchStreams();
  await scratch.stream('demo', TICKS);
  await scratch.rule('r', {
    sql: 'SELECT f(v) AS s FROM demo',
    functions: [{ name: 'f', parameters: ['Any'], javascript: 'return a + 1' }],
    tests: [{ name: 'one', input: [{ row: { v: 1 } }], expected: [{ s: 1 }] }],
  });
  const status = await scratch.until('the failure', async () => {
    const told = await scratch.status('r');
    return told?.state === 'Failed' && told;
  });
  assert.match(status.lastError ?? '', /test "one" fails: result 1 is \{"s":2\}, not \{"s":1\}/);
});

test('values of devices are rows: of a device at a time, with all that is known of it then', async () => {
  await using scratch = await scratchStreams();
  const { series } = scratch.values;
  const point = (property: string, type: string) => ({
    property,
    series: series.register({ namespace: 'default', object: 'press', property, type }),
  });
  scratch.device({
    namespace: 'default',
    name: 'press',
    model: 'press',
    labels: { hall: 'north' },
    points: [point('force', 'float64'), point('isOpen', 'bool')],
  });
  await scratch.stream('presses', { source: { devices: { matchLabels: { hall: 'north' } } } });
  await scratch.rule('r', {
    sql: 'SELECT device, force, isOpen FROM presses WHERE force > 1',
    sinks: [...OUT, { name: 'stop', device: { device: '{device}', values: { limit: 'force' } } }],
  });
  await scratch.until('it runs', async () => (await scratch.status('r'))?.state === 'Running');
  scratch.publish('press', 1000, { force: 2, isOpen: 1 });
  scratch.publish('press', 2000, { force: 3 });
  await scratch.until('results', () => linesIn(scratch).length === 2 && scratch.writes.length === 2);
  assert.deepEqual(linesIn(scratch), [
    { device: 'press', force: 2, isOpen: true },
    { device: 'press', force: 3, isOpen: true },
  ]);
  assert.deepEqual(scratch.writes[1], { namespace: 'default', device: 'press', by: 'rule/r', values: { limit: 3 } });
});

test('after a restart, a row of a device has what was known of it before', async () => {
  await using scratch = await scratchStreams();
  const { series } = scratch.values;
  const points = ['force', 'speed'].map((property) => ({
    property,
    series: series.register({ namespace: 'default', object: 'press', property, type: 'float64' }),
  }));
  scratch.device({ namespace: 'default', name: 'press', model: 'press', labels: {}, points });
  await scratch.stream('presses', { source: { devices: {} } });
  await scratch.rule('r', { sql: 'SELECT force, speed FROM presses', sinks: OUT });
  await scratch.until('it runs', async () => (await scratch.status('r'))?.state === 'Running');
  scratch.publish('press', 1000, { force: 1, speed: 2 });
  await scratch.until('the first result', () => linesIn(scratch).length === 1);
  await scratch.restart();
  await scratch.until('another result', () => {
    scratch.publish('press', 2000, { speed: 3 });
    return linesIn(scratch).length > 1;
  });
  assert.deepEqual(linesIn(scratch)[1], { force: 1, speed: 3 });
});

test('a row from the future is dropped and counted: it would make all others late', async () => {
  await using scratch = await scratchStreams();
  const series = scratch.values.series.register({ namespace: 'default', object: 'a', property: 'v', type: 'float64' });
  scratch.device({ namespace: 'default', name: 'a', model: 'm', labels: {}, points: [{ property: 'v', series }] });
  await scratch.stream('values', { source: { devices: { rows: 'Value' } } });
  await scratch.rule('r', { sql: 'SELECT max(value) AS top FROM values GROUP BY TUMBLINGWINDOW(ss, 5)', sinks: OUT });
  await scratch.until('it runs', async () => (await scratch.status('r'))?.state === 'Running');
  const now = scratch.clock.now();
  scratch.publish('a', now + 86_400_000, { v: 9 });
  scratch.publish('a', now, { v: 1 });
  await scratch.until('a result', () => linesIn(scratch).length === 1);
  assert.deepEqual(linesIn(scratch), [{ top: 1 }]);
  await scratch.until('the count', async () => (await scratch.status('r'))?.dropped?.['AheadOfClock'] === 1);
});

test('a rule that is changed keeps what is unchanged in it; one that is restarted keeps all', async () => {
  await using scratch = await scratchStreams();
  const input = join(scratch.files, 'in.jsonl');
  writeFileSync(input, '{"ts":1000,"v":1}\n');
  await scratch.stream('demo', FILE);
  await scratch.rule('r', { sql: 'SELECT sum(v) AS s FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)', sinks: OUT });
  await scratch.until('the first row', async () => ((await scratch.status('r'))?.rowsIn ?? 0) === 1);
  await scratch.patchRule('r', {
    sql: 'SELECT sum(v) AS s FROM demo GROUP BY TUMBLINGWINDOW(ss, 10) HAVING sum(v) > 0',
  });
  appendFileSync(input, '{"ts":2000,"v":2}\n');
  await scratch.until('the second row', async () => ((await scratch.status('r'))?.rowsIn ?? 0) === 2);
  await scratch.restart();
  appendFileSync(input, '{"ts":3000,"v":4}\n{"ts":11000,"v":8}\n');
  await scratch.until('a result', () => linesIn(scratch).length === 1);
  assert.deepEqual(linesIn(scratch), [{ s: 7 }]);
});

test('a rule that is taken away stops, and begins anew when it comes back', async () => {
  await using scratch = await scratchStreams();
  writeFileSync(join(scratch.files, 'in.jsonl'), '{"ts":1000,"v":1}\n');
  await scratch.stream('demo', FILE);
  const spec: RuleSpec = { sql: 'SELECT v FROM demo', sinks: OUT };
  await scratch.rule('r', spec);
  await scratch.until('a result', () => linesIn(scratch).length === 1);
  await scratch.remove('r');
  await scratch.clock.advance(1000);
  await scratch.rule('r', spec);
  await scratch.until('the result again', () => linesIn(scratch).length === 2);
});

test('what is not a row is counted at the stream, and the others go on', () =>
  check([{ ts: 1, v: 1 }, [1, 2], { ts: 'no time', v: 2 }, { ts: 3, v: 3 }], { sql: 'SELECT v FROM demo' }, [
    { v: 1 },
    { v: 3 },
  ]));

test('rows are posted by others, and results are posted on; while the other side is away they wait', async () => {
  const bodies: string[] = [];
  let isAway = true;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (!isAway) bodies.push(Buffer.concat(chunks).toString());
      response.writeHead(isAway ? 503 : 204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await using scratch = await scratchStreams();
    await scratch.stream('demo', TICKS);
    await scratch.rule('r', {
      sql: 'SELECT v FROM demo WHERE v = 2',
      sinks: [{ name: 'post', template: 'v is {v}', http: { url: `http://127.0.0.1:${port}/` } }],
    });
    await scratch.until('failures', async () => ((await scratch.status('r'))?.sinks?.['post']?.failures ?? 0) > 0);
    isAway = false;
    await scratch.until('what waited', () => bodies.length > 0);
    assert.equal(bodies[0], 'v is 2');
  } finally {
    server.close();
  }
});

test('files outside of their folder are not read', async () => {
  await using scratch = await scratchStreams();
  await scratch.stream('demo', { source: { file: { path: '../checkpoints.db' } } });
  await scratch.rule('r', { sql: 'SELECT * FROM demo', sinks: OUT });
  const status = await scratch.until('the refusal', async () => {
    const told = await scratch.status('r');
    return told?.state === 'Waiting' && /outside/.test(told.lastError ?? '') && told;
  });
  assert.match(status.lastError ?? '', /outside of the folder/);
});
