/** The patch algebra with the facts of the built-in kinds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaFor } from '../facts/index.ts';
import type { KubeObject } from '../object.ts';
import { apply } from './apply/index.ts';
import { applyStrategicPatch } from './strategic-patch.ts';

function schemaOf(group: string, kind: string) {
  const schema = schemaFor({ group, version: 'v1', kind });
  assert.ok(schema !== undefined);
  return schema;
}

const deployment = schemaOf('apps', 'Deployment');

function patched(spec: object, patch: object): unknown {
  const result = applyStrategicPatch(
    { spec: { template: { spec } } },
    { spec: { template: { spec: patch } } },
    deployment,
  );
  return (result as { spec: { template: { spec: unknown } } }).spec.template.spec;
}

test('kubectl set image and set env change one container', () => {
  const containers = [
    { name: 'a', image: '1', env: [{ name: 'X', value: '1' }] },
    { name: 'b', image: '1' },
  ];
  assert.deepEqual(
    patched(
      { containers },
      {
        '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }],
        containers: [
          {
            name: 'a',
            image: '2',
            '$setElementOrder/env': [{ name: 'X' }, { name: 'Y' }],
            env: [{ name: 'Y', value: '2' }],
          },
        ],
      },
    ),
    {
      containers: [
        {
          name: 'a',
          image: '2',
          env: [
            { name: 'X', value: '1' },
            { name: 'Y', value: '2' },
          ],
        },
        { name: 'b', image: '1' },
      ],
    },
  );
});

test('a volume that changes its source keeps only the new one', () => {
  assert.deepEqual(
    patched(
      { volumes: [{ name: 'v', emptyDir: {} }] },
      { volumes: [{ $retainKeys: ['name', 'secret'], name: 'v', secret: { secretName: 's' } }] },
    ),
    { volumes: [{ name: 'v', secret: { secretName: 's' } }] },
  );
});

test('tolerations are replaced, finalizers are a set, a recreate strategy drops the rolling one', () => {
  assert.deepEqual(patched({ tolerations: [{ key: 'a' }] }, { tolerations: [{ key: 'b' }] }), {
    tolerations: [{ key: 'b' }],
  });
  assert.deepEqual(
    applyStrategicPatch({ metadata: { finalizers: ['a'] } }, { metadata: { finalizers: ['b'] } }, deployment),
    { metadata: { finalizers: ['b', 'a'] } },
  );
  assert.deepEqual(
    applyStrategicPatch(
      { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: {} } } },
      { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
      deployment,
    ),
    { spec: { strategy: { type: 'Recreate' } } },
  );
});

test('conditions of a pod are merged by type, as a kubelet sends them', () => {
  const conditions = [
    { type: 'Ready', status: 'False' },
    { type: 'Initialized', status: 'True' },
  ];
  const patch = {
    metadata: { uid: 'u' },
    status: {
      '$setElementOrder/conditions': [{ type: 'Initialized' }, { type: 'Ready' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
  assert.deepEqual(
    applyStrategicPatch({ metadata: { uid: 'u' }, status: { conditions } }, patch, schemaOf('', 'Pod')),
    {
      metadata: { uid: 'u' },
      status: {
        conditions: [
          { type: 'Initialized', status: 'True' },
          { type: 'Ready', status: 'True' },
        ],
      },
    },
  );
});

test('apply knows which lists have keys, which are atomic, and the default of a key', () => {
  const applied: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', finalizers: ['x/y'] },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        spec: {
          containers: [
            { name: 'c', ports: [{ containerPort: 80 }], command: ['a'], resources: { limits: { cpu: '1' } } },
          ],
          tolerations: [{ key: 'a' }],
          nodeSelector: { a: 'b' },
        },
      },
    },
  };
  const { object } = apply({ live: undefined, applied, schema: deployment, manager: 'ssa', now: 0 });
  assert.deepEqual(object?.metadata.managedFields?.[0]?.fieldsV1, {
    'f:metadata': { 'f:finalizers': { 'v:"x/y"': {} } },
    'f:spec': {
      'f:selector': {},
      'f:template': {
        'f:spec': {
          'f:containers': {
            'k:{"name":"c"}': {
              '.': {},
              'f:command': {},
              'f:name': {},
              'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
              'f:resources': { 'f:limits': { 'f:cpu': {} } },
            },
          },
          'f:nodeSelector': {},
          'f:tolerations': {},
        },
      },
    },
  });
});

test('fields of an unknown schema type still apply: an Event, a ConfigMap, a custom definition', () => {
  for (const [group, kind, body] of [
    ['', 'ConfigMap', { data: { a: '1' }, binaryData: { b: 'eA==' } }],
    ['', 'Event', { involvedObject: { kind: 'Pod' }, count: 1 }],
    [
      'apiextensions.k8s.io',
      'CustomResourceDefinition',
      {
        spec: {
          versions: [
            { name: 'v1', schema: { openAPIV3Schema: { type: 'object', properties: { a: { default: [1] } } } } },
          ],
        },
      },
    ],
  ] as const) {
    const applied = { apiVersion: 'v1', kind, metadata: { name: 'a' }, ...body };
    const first = apply({ live: undefined, applied, schema: schemaOf(group, kind), manager: 'm', now: 0 });
    const second = apply({ live: first.object, applied, schema: schemaOf(group, kind), manager: 'm', now: 9000 });
    assert.equal(second.object, first.object);
  }
});
