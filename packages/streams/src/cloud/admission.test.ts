import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import type { Rule, RuleSpec } from '../kinds/rule.ts';
import type { Stream, StreamSpec } from '../kinds/stream.ts';
import type { Table } from '../kinds/table.ts';
import { runTrial } from '../trial/trial.ts';
import { TrialLimit } from '../trial/trials.ts';
import { checkStreamsWrite, type StreamsLookups } from './admission.ts';
import { createRehearsal } from './rehearsal.ts';

const METERS: StreamSpec = {
  source: { simulator: {} },
  schema: [
    { name: 'id', type: 'String' },
    { name: 'power', type: 'Float' },
  ],
};

const LIMITS = objectOf<Table>('Table', 'limits', { source: { file: { path: 'limits.csv' } } });

function objectOf<T extends KubeObject>(kind: string, name: string, spec: object): T {
  return {
    apiVersion: 'streams.skerry.io/v1alpha1',
    kind,
    metadata: { name, namespace: 'default' },
    spec,
  } as unknown as T;
}

const named = (name: string, spec: StreamSpec) => objectOf<Stream>('Stream', name, spec);

/** What is said against a write, by field; `verdict` says what a trial has come to. */
function refusals(
  object: KubeObject,
  rules: readonly Rule[] = [],
  verdict: StreamsLookups['verdict'] = () => ({ status: { cases: [] } }),
  warn: StreamsLookups['warn'] = () => {},
): readonly (readonly [string, string])[] {
  const errors = checkStreamsWrite(
    { operation: 'UPDATE', kind: object.kind, object },
    { streams: () => [named('meters', METERS)], tables: () => [LIMITS], rules: () => rules, verdict, warn },
  );
  return errors.map(({ path, message }) => [path, message]);
}

/** By a trial in this process, as soon as it is asked for. */
async function rehearsed(object: KubeObject): Promise<readonly (readonly [string, string])[]> {
  const rehearsal = createRehearsal({ run: (trial) => runTrial(trial, () => performance.now()) });
  for (;;) {
    const pending: Promise<void>[] = [];
    const found = refusals(object, [], (trial) => {
      const came = rehearsal.verdict(trial);
      if (!('ready' in came)) return came;
      pending.push(came.ready);
      return { status: {} };
    });
    if (pending.length === 0) return found;
    await Promise.all(pending);
  }
}

async function check(spec: RuleSpec, path?: string, message = /./): Promise<void> {
  const found = await rehearsed(objectOf('Rule', 'r', spec));
  if (path === undefined) {
    assert.deepEqual(found, []);
    return;
  }
  const [first] = found;
  assert.equal(first?.[0], path);
  assert.match(first?.[1] ?? '', message);
}

const SQL = 'SELECT id FROM meters WHERE power > 1';

test('a rule that is in order is taken, and is told which streams it names', () => {
  const rule = objectOf<Rule>('Rule', 'r', { sql: SQL });
  assert.deepEqual(refusals(rule), []);
  assert.deepEqual(rule.spec.streams, ['meters']);
});

test('a rule that comes before its stream is taken', () => check({ sql: 'SELECT whatever FROM unknown' }));

test('a rule that comes before the table that it joins is taken with a warning, and waits for either kind', () => {
  const rule = objectOf<Rule>('Rule', 'r', {
    sql: 'SELECT meters.id FROM meters INNER JOIN most ON meters.id = most.id WHERE power > most.power',
    tests: [{ name: 'one', input: [{ row: { id: 'a', power: 2 } }], expected: [] }],
  });
  const warnings: string[] = [];
  const found = refusals(rule, [], undefined, (message) => warnings.push(message));
  assert.deepEqual([found, rule.spec.streams, rule.spec.tables], [[], ['meters', 'most'], ['most']]);
  assert.deepEqual(warnings, [
    'there is no stream or table most yet: the rule waits for it',
    'the cases of the rule were not tried: there is no table most yet',
  ]);
});

test('cases that hold the rows of a table are tried before it comes', async () => {
  const sql = 'SELECT meters.id FROM meters INNER JOIN most ON meters.id = most.id';
  const one = { name: 'one', input: [{ row: { id: 'a', power: 2 } }], tables: [{ name: 'most', rows: [{ id: 'a' }] }] };
  await check({ sql, tests: [{ ...one, expected: [{ id: 'a' }] }] });
  await check({ sql, tests: [{ ...one, expected: [] }] }, 'spec.tests[0]', /there are 1 results, not 0/);
});

test('SQL that is wrong is refused with the place and a proposal', async () => {
  await check({ sql: 'SELECT powr FROM meters' }, 'spec.sql', /line 1, column 8: .*powr.*power/s);
  await check({ sql: 'SELECT id FORM meters' }, 'spec.sql', /column/);
});

test('a sink says one place', async () => {
  await check({ sql: SQL, sinks: [{ name: 'none' }] }, 'spec.sinks[0]', /must say one of log, bus/);
  await check({ sql: SQL, sinks: [{ name: 'two', log: {}, bus: {} }] }, 'spec.sinks[0]');
});

test('a rule whose own case fails is refused with the difference', async () => {
  const cases = (expected: readonly object[]) => [
    { name: 'one', input: [{ row: { id: 'a', power: 2 } }], expected: expected as { id: string }[] },
  ];
  await check({ sql: SQL, tests: cases([{ id: 'a' }]) });
  await check({ sql: SQL, tests: cases([{ id: 'b' }]) }, 'spec.tests[0]', /result 1 is \{"id":"a"\}, not \{"id":"b"\}/);
  await check({ sql: SQL, tests: cases([]) }, 'spec.tests[0]', /there are 1 results, not 0/);
});

test('cases with functions and tables are run before a rule is taken', async () => {
  const twice = { name: 'twice', parameters: ['Float' as const], javascript: 'return 2 * a' };
  const cases = (factor: number) => [
    { name: 'doubled', input: [{ row: { id: 'a', power: 2 } }], expected: [{ p: factor * 2 }] },
  ];
  const scripted = { sql: 'SELECT twice(power) AS p FROM meters', functions: [twice] };
  await check({ ...scripted, tests: cases(2) });
  await check({ ...scripted, tests: cases(3) }, 'spec.tests[0]', /result 1 is \{"p":4\}, not \{"p":6\}/);
  await check(
    { ...scripted, functions: [{ ...twice, javascript: 'return (' }], tests: cases(2) },
    'spec.functions',
    /twice: SyntaxError/,
  );
  const sql = 'SELECT meters.id FROM meters INNER JOIN limits ON meters.id = limits.id WHERE power > limits.most';
  const looked = { name: 'above', input: [{ row: { id: 'a', power: 2 } }], expected: [{ id: 'a' }] };
  await check({ sql, tests: [looked] }, 'spec.tests[0]', /rows of table limits must be given/);
  await check({ sql, tests: [{ ...looked, tables: [{ name: 'limits', rows: [{ id: 'a', most: 1 }] }] }] });
});

test('a rule is not taken when its cases cannot be tried within the limits', () => {
  const tests = [{ name: 'one', input: [], expected: [] }];
  const found = refusals(objectOf('Rule', 'r', { sql: SQL, tests }), [], () => ({ limit: 'it took too long' }));
  assert.deepEqual(found, [['spec.tests', 'spec.tests: Invalid value: the cases cannot be tried: it took too long']]);
});

test('what was tried is not tried again for the same rule; what had no time is', async () => {
  let runs = 0;
  const outcomes = [Promise.reject(new TrialLimit('too long')), Promise.resolve({ status: { cases: [] } })];
  const rehearsal = createRehearsal({ run: () => outcomes[runs++] ?? Promise.reject(new Error('once more')) });
  const trial = { rule: objectOf<Rule>('Rule', 'r', { sql: SQL }), streams: [], tables: [] };
  const next = async () => {
    const came = rehearsal.verdict(trial);
    if (!('ready' in came)) return came;
    await came.ready;
    return rehearsal.verdict(trial);
  };
  assert.deepEqual(await next(), { limit: 'too long' });
  assert.deepEqual(await next(), { status: { cases: [] } });
  assert.deepEqual(await next(), { status: { cases: [] } });
  assert.equal(runs, 2);
});

test('parameters are filled in for each node that has its own', async () => {
  const sql = 'SELECT id FROM meters WHERE power > {{limit}}';
  await check({ sql }, 'spec.parameters', /limit has no value/);
  await check({ sql, parameters: { limit: '5' } });
  await check({ sql, nodeParameters: [{ node: 'edge-1', values: { limit: '5' } }] });
  await check(
    { sql, parameters: { limit: '5' }, nodeParameters: [{ node: 'edge-1', values: { limit: '"x"' } }] },
    'spec.sql',
  );
});

test('a stream has one source', () =>
  assert.deepEqual(
    refusals(named('other', { source: { simulator: {}, file: { path: 'a' } } })).map(([path]) => path),
    ['spec.source'],
  ));

test('a table has one source, and a retention tiers that there are', () => {
  const paths = (kind: string, spec: object) => refusals(objectOf(kind, 'x', spec)).map(([path]) => path);
  assert.deepEqual(paths('Table', { source: {} }), ['spec.source']);
  assert.deepEqual(paths('Table', { source: { rows: [] } }), []);
  assert.deepEqual(paths('Retention', { tiers: [{ step: '5m', keep: '1d' }] }), ['spec.tiers']);
  assert.deepEqual(paths('Retention', { keep: '30d', tiers: [{ step: '1h', keep: '365d' }] }), []);
});

test('an outlet writes files in its folder, and nowhere else', () => {
  const outlet = (endpoint: string, type = 'Parquet') => refusals(objectOf('Outlet', 'o', { type, endpoint }));
  assert.deepEqual(outlet('training/press'), []);
  assert.deepEqual(outlet('http://engine:8428/write', 'Http'), []);
  for (const endpoint of ['/etc', 'file:///etc', '../..', 'a/../../b'])
    assert.equal(outlet(endpoint)[0]?.[0], 'spec.endpoint', endpoint);
});

test('an outlet exports Parquet only, at times that there are', () => {
  const refused = (more: object, type = 'Parquet') =>
    refusals(objectOf('Outlet', 'o', { type, endpoint: 'training', export: { schedule: '@daily', ...more } }));
  assert.deepEqual(refused({}), []);
  assert.deepEqual(refused({ schedule: '0 2 * * 1', timeZone: 'Europe/Berlin', range: '7d', keep: '90d' }), []);
  for (const wrong of [{ schedule: 'daily' }, { timeZone: 'Nowhere/City' }, { range: '0s' }])
    assert.equal(refused(wrong)[0]?.[0], 'spec.export', JSON.stringify(wrong));
  assert.equal(refused({}, 'Http')[0]?.[0], 'spec.export');
});

test('a change of a stream that would break a rule is refused and names it; one that breaks nothing is taken', () => {
  const rule = objectOf<Rule>('Rule', 'loud', { sql: SQL, streams: ['meters'] });
  const without = (name: string) =>
    named('meters', { ...METERS, schema: METERS.schema?.filter((field) => field.name !== name) ?? [] });
  const [[path, message] = []] = refusals(without('power'), [rule]);
  assert.equal(path, 'spec');
  assert.match(message ?? '', /would break rules that read it: loud \(/);
  const more = { ...METERS, schema: [...(METERS.schema ?? []), { name: 'more', type: 'Any' as const }] };
  assert.deepEqual(refusals(named('meters', more), [rule]), []);
});

test('a rule that was broken before hinders no change', () => {
  const rule = objectOf<Rule>('Rule', 'broken', { sql: 'SELECT nothing FROM meters', streams: ['meters'] });
  assert.deepEqual(refusals(named('meters', METERS), [rule]), []);
});
