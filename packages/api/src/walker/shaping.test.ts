import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOfType } from '../facts/index.ts';
import type { Schema } from '../schema.ts';
import { applyDefaults, decodeError, normalize, prune, strictDecodingError, unknownFields } from './index.ts';

const schemaOf = (kind: string): Schema => schemaOfType(kind) ?? assert.fail(kind);
const pod = (spec: object) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec });

/** Unknown fields are named, and gone after pruning. */
function checkUnknown(value: object, schema: Schema, paths: readonly string[], pruned: object): void {
  assert.deepEqual(unknownFields(value, schema), paths);
  assert.deepEqual(prune(structuredClone(value), schema), pruned);
}

test('unknown fields of built-in kinds are named by path and dropped', () => {
  checkUnknown(
    pod({ foo: 1, containers: [{ name: 'c', imagee: 'x' }] }),
    schemaOf('core.v1.Pod'),
    ['spec.foo', 'spec.containers[0].imagee'],
    pod({ containers: [{ name: 'c' }] }),
  );
  const labelled = { metadata: { labels: { any: 'thing' } }, data: { key: 'value' } };
  checkUnknown(labelled, schemaOf('core.v1.ConfigMap'), [], labelled);
});

test('constructor, toString and __proto__ are unknown fields like any other', () => {
  const value = JSON.parse('{"constructor":1,"toString":2,"__proto__":{"x":1},"data":{"__proto__":"kept"}}') as object;
  assert.deepEqual(unknownFields(value, schemaOf('core.v1.ConfigMap')), ['constructor', 'toString', '__proto__']);
  const pruned = prune(value, schemaOf('core.v1.ConfigMap')) as { data: object };
  assert.deepEqual(Object.keys(pruned), ['data']);
  assert.equal(Object.getOwnPropertyDescriptor(pruned.data, '__proto__')?.value, 'kept');
});

test('schemas inside a definition are followed through lists and booleans', () => {
  const versions = (openAPIV3Schema: object) => ({ spec: { versions: [{ schema: { openAPIV3Schema } }] } });
  const value = versions({ properties: { a: { items: { typo: 1, type: 'string' }, additionalProperties: false } } });
  assert.deepEqual(unknownFields(value, schemaOf('apiextensions.v1.CustomResourceDefinition')), [
    'spec.versions[0].schema.openAPIV3Schema.properties.a.items.typo',
  ]);
});

test('what a custom schema preserves stays, and known fields inside it are still followed', () => {
  const schema: Schema = {
    type: 'object',
    properties: {
      closed: { type: 'object' },
      open: { type: 'object', preserveUnknownFields: true, properties: { inner: { type: 'object' } } },
      free: { type: 'object', additionalProperties: { type: 'object', properties: { a: { type: 'string' } } } },
    },
  };
  checkUnknown(
    { closed: { x: 1 }, open: { y: 1, inner: { z: 1 } }, free: { k: { a: '', b: 1 } } },
    schema,
    ['closed.x', 'open.inner.z', 'free.k.b'],
    { closed: {}, open: { y: 1, inner: {} }, free: { k: { a: '' } } },
  );
});

test('strict decoding names everything in one sentence', () => {
  assert.equal(strictDecodingError({}), undefined);
  assert.equal(
    strictDecodingError({ unknown: ['spec.foo'], duplicates: ['spec.replicas'] }),
    'strict decoding error: duplicate field "spec.replicas", unknown field "spec.foo"',
  );
});

test('defaults fill what is missing, also inside of defaults, and share nothing', () => {
  const schema: Schema = {
    type: 'object',
    properties: {
      a: { type: 'object', default: {}, properties: { b: { type: 'integer', default: 3 } } },
      list: { type: 'array', items: { type: 'object', properties: { on: { type: 'boolean', default: true } } } },
      nullable: { type: 'string', nullable: true, default: 'x' },
      strict: { type: 'string', default: 'y' },
    },
  };
  const value = applyDefaults({ list: [{}, { on: false }], nullable: null, strict: null } as object, schema);
  assert.deepEqual(value, { list: [{ on: true }, { on: false }], nullable: null, strict: 'y', a: { b: 3 } });
  const [first, second] = [applyDefaults({}, schema), applyDefaults({}, schema)] as { a?: object }[];
  assert.notEqual(first?.a, second?.a);
});

test('built-in kinds get the defaults of their markers', () => {
  const value = applyDefaults(
    pod({ containers: [{ name: 'c', ports: [{ containerPort: 80 }] }] }),
    schemaOf('core.v1.Pod'),
  );
  assert.deepEqual(value, pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, protocol: 'TCP' }] }] }));
});

function checkNormal(kind: string, value: object, expected: object): void {
  assert.deepEqual(normalize(value, schemaOf(kind)), expected);
}

test('nulls and zeros that say nothing are left out, zeros that are a choice stay', () => {
  checkNormal(
    'apps.v1.Deployment',
    {
      metadata: { creationTimestamp: null, labels: {} },
      spec: { replicas: 0, paused: false, strategy: {} },
      status: {},
    },
    { metadata: {}, spec: { replicas: 0, strategy: {} }, status: {} },
  );
  checkNormal(
    'core.v1.PersistentVolumeClaim',
    { spec: { storageClassName: '', volumeName: '' } },
    { spec: { storageClassName: '' } },
  );
  checkNormal(
    'core.v1.Pod',
    pod({ containers: [{ name: 'c', args: [] }], nodeName: '' }),
    pod({ containers: [{ name: 'c' }] }),
  );
});

test('quantities and times get their one spelling', () => {
  checkNormal(
    'core.v1.Container',
    { resources: { limits: { cpu: 0.5, memory: '1024Mi', pods: 3 } } },
    { resources: { limits: { cpu: '500m', memory: '1Gi', pods: '3' } } },
  );
  checkNormal(
    'meta.v1.ObjectMeta',
    { deletionTimestamp: '2026-01-02T03:04:05.678+02:00' },
    { deletionTimestamp: '2026-01-02T01:04:05Z' },
  );
});

test('wrong types in built-in kinds read as Go says it', () => {
  const says = (spec: object, message: string) =>
    assert.equal(decodeError({ spec }, schemaOf('apps.v1.Deployment')), message);
  says(
    { replicas: 'two' },
    'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  );
  says(
    { template: { spec: { containers: {} } } },
    'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
  );
  says(
    { replicas: 1.5 },
    'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
  );
  says(
    { replicas: 2 ** 40 },
    'json: cannot unmarshal number 1099511627776 into Go struct field DeploymentSpec.spec.replicas of type int32',
  );
  assert.match(
    decodeError({ limits: { cpu: 'lots' } }, schemaOf('core.v1.ResourceRequirements')) ?? '',
    /quantities must match/,
  );
  assert.match(decodeError({ data: { k: '!' } }, schemaOf('core.v1.Secret')) ?? '', /illegal base64/);
  assert.match(decodeError({ deletionTimestamp: 'soon' }, schemaOf('meta.v1.ObjectMeta')) ?? '', /parsing time "soon"/);
  assert.equal(decodeError({ spec: null, metadata: { labels: null } }, schemaOf('core.v1.Pod')), undefined);
});
