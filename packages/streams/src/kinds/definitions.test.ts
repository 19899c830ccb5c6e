import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, Schema } from '@skerry/api';
import { customResources, validateDefinition } from '@skerry/api/crd';
import type { CustomResourceDefinition } from '@skerry/api/types';
import { applyDefaults, unknownFields, validate } from '@skerry/api/walker';
import { streamCrds } from './index.ts';

const asDefinition = (object: KubeObject) => object as unknown as CustomResourceDefinition;

function schemaOf(kind: string): Schema {
  const found = streamCrds()
    .flatMap((object) => customResources(asDefinition(object)))
    .find(({ row }) => row.gvk.kind === kind);
  assert.ok(found !== undefined);
  return found.schema;
}

/** What is wrong with a spec, by path. */
function check(kind: string, spec: object, expected: readonly string[] = []): void {
  const schema = schemaOf(kind);
  const object = { apiVersion: 'streams.skerry.io/v1alpha1', kind, metadata: { name: 'x' }, spec };
  applyDefaults(object, schema);
  const errors = [...validate(object, schema).map(({ path }) => path), ...unknownFields(object, schema)];
  assert.deepEqual(errors, expected);
}

for (const object of streamCrds()) {
  test(`${object.metadata.name} is a definition that an API server takes`, () =>
    assert.deepEqual(validateDefinition(asDefinition(object)), []));
}

test('a rule has its SQL at least', () => {
  check('Rule', { sql: 'SELECT * FROM a', sinks: [{ name: 'log', log: {} }] });
  check('Rule', { sinks: [] }, ['spec.sql']);
});

test('a stream has a source, with what it needs', () => {
  check('Stream', { source: { mqtt: { server: 'mqtt://127.0.0.1:1883', topic: 'a/+' } } });
  check('Stream', { source: { mqtt: { server: '127.0.0.1', topic: '' } } }, [
    'spec.source.mqtt.server',
    'spec.source.mqtt.topic',
  ]);
});

test('files are named within their folder', () => {
  check('Stream', { source: { file: { path: 'a/b.csv' } } });
  check('Stream', { source: { file: { path: '/etc/passwd' } } }, ['spec.source.file.path']);
});

test('how long something is kept may be said in days', () => {
  check('Retention', { keep: '7d', tiers: [{ step: '1m', keep: '90d' }] });
  check('Retention', { keep: 'a week' }, ['spec.keep']);
});

test('a budget holds from a time to a time', () => {
  check('Route', { budget: { windows: [{ name: 'night', from: '22:00', to: '06:00', bytesPerSecond: 0 }] } });
  check('Route', { budget: { windows: [{ name: 'night', from: '25:00', to: '6', bytesPerSecond: 0 }] } }, [
    'spec.budget.windows[0].from',
    'spec.budget.windows[0].to',
  ]);
});
