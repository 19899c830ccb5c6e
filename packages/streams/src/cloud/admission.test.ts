import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import type { Rule, RuleSpec } from '../kinds/rule.ts';
import type { Stream, StreamSpec } from '../kinds/stream.ts';
import { checkStreamsWrite } from './admission.ts';

const METERS: StreamSpec = {
  source: { simulator: {} },
  schema: [
    { name: 'id', type: 'String' },
    { name: 'power', type: 'Float' },
  ],
};

function objectOf<T extends KubeObject>(kind: string, name: string, spec: object): T {
  return {
    apiVersion: 'streams.skerry.io/v1alpha1',
    kind,
    metadata: { name, namespace: 'default' },
    spec,
  } as unknown as T;
}

const named = (name: string, spec: StreamSpec) => objectOf<Stream>('Stream', name, spec);

/** What is said against a write, by field. */
function refusals(object: KubeObject, rules: readonly Rule[] = []): readonly (readonly [string, string])[] {
  const errors = checkStreamsWrite(
    { operation: 'UPDATE', kind: object.kind, object },
    { streams: () => [named('meters', METERS)], tables: () => [], rules: () => rules },
  );
  return errors.map(({ path, message }) => [path, message]);
}

function check(spec: RuleSpec, path?: string, message = /./): void {
  const found = refusals(objectOf('Rule', 'r', spec));
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

test('SQL that is wrong is refused with the place and a proposal', () => {
  check({ sql: 'SELECT powr FROM meters' }, 'spec.sql', /line 1, column 8: .*powr.*power/s);
  check({ sql: 'SELECT id FORM meters' }, 'spec.sql', /column/);
});

test('a sink says one place', () => {
  check({ sql: SQL, sinks: [{ name: 'none' }] }, 'spec.sinks[0]', /must say one of log, bus/);
  check({ sql: SQL, sinks: [{ name: 'two', log: {}, bus: {} }] }, 'spec.sinks[0]');
});

test('a rule whose own case fails is refused with the difference', () => {
  const cases = (expected: readonly object[]) => [
    { name: 'one', input: [{ row: { id: 'a', power: 2 } }], expected: expected as { id: string }[] },
  ];
  check({ sql: SQL, tests: cases([{ id: 'a' }]) });
  check({ sql: SQL, tests: cases([{ id: 'b' }]) }, 'spec.tests[0]', /result 1 is \{"id":"a"\}, not \{"id":"b"\}/);
  check({ sql: SQL, tests: cases([]) }, 'spec.tests[0]', /there are 1 results, not 0/);
});

test('parameters are filled in for each node that has its own', () => {
  const sql = 'SELECT id FROM meters WHERE power > {{limit}}';
  check({ sql }, 'spec.parameters', /limit has no value/);
  check({ sql, parameters: { limit: '5' } });
  check({ sql, nodeParameters: [{ node: 'edge-1', values: { limit: '5' } }] });
  check(
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
