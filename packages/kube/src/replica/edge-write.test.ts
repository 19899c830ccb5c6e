import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus, type KubeObject, type ResourceRow, type UserInfo } from '@skerry/api';
import { builtinRows } from '@skerry/api/facts';
import fc from 'fast-check';
import { parseKey } from '../store/key.ts';
import { decodeEdgeWrite, encodeEdgeWrite, mergeFields, planEdgeWrite } from './edge-write.ts';
import { edgeWritePolicy } from './write-policy.ts';

const NODE = 'n1';
const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop', uid: 'u1' }, spec: { a: 1 } };
const KEY = '/pods/shop/web';

function rowOf(key: string): ResourceRow {
  const { group, resource } = parseKey(key);
  const row = builtinRows().find(({ gvr }) => gvr.group === group && gvr.resource === resource);
  assert.ok(row !== undefined);
  return row;
}

interface Case {
  readonly key?: string;
  readonly row?: Partial<ResourceRow>;
  readonly before?: KubeObject | undefined;
  readonly after?: KubeObject | undefined;
}

/** The operations that the cloud is told, `refused` when the write is the cloud's. */
function check({ key = KEY, row, before, after }: Case, expected: string): void {
  const plan = () => planEdgeWrite({ node: NODE, row: { ...rowOf(key), ...row }, key, before, after });
  if (expected === 'refused') assert.throws(plan, (error) => isStatus(error, 'ServiceUnavailable'));
  else
    assert.equal(
      plan()
        .writes.map(({ op }) => op)
        .join(' '),
      expected,
    );
}

test('a status goes up, a spec does not', () => {
  check({ before: POD, after: { ...POD, status: { phase: 'Running' } } }, 'status');
  check({ before: POD, after: { ...POD, spec: { a: 2 } } }, 'refused');
  check({ before: POD, after: { ...POD, metadata: { ...POD.metadata, labels: { a: 'b' } } } }, 'refused');
  check({ before: POD, after: { ...POD, metadata: { ...POD.metadata, managedFields: [] } } }, '');
});

test('defaults that a server of another version adds with a status are not kept', () => {
  const after = { ...POD, spec: { a: 1, added: true }, status: { phase: 'Running' } };
  const { keep } = planEdgeWrite({ node: NODE, row: rowOf(KEY), key: KEY, before: POD, after });
  assert.deepEqual(keep, { ...POD, status: { phase: 'Running' } });
});

test('a pod can be ended at the edge once the cloud wants it ended', () => {
  check({ before: POD }, 'refused');
  check({ before: { ...POD, metadata: { ...POD.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } } }, 'delete');
});

test('events, the node’s own lease and mirror pods are the edge’s as a whole', () => {
  for (const key of ['/events/shop/e', `coordination.k8s.io/leases/kube-node-lease/${NODE}`]) {
    check({ key, after: POD }, 'object');
    check({ key, before: POD, after: { ...POD, spec: { a: 2 } } }, 'object');
    check({ key, before: POD }, 'delete');
  }
  check({ key: 'coordination.k8s.io/leases/kube-node-lease/n2', after: POD }, 'refused');
  const mirror = { ...POD, metadata: { ...POD.metadata, annotations: { 'kubernetes.io/config.mirror': 'x' } } };
  check({ after: mirror }, 'object');
  check({ before: mirror }, 'delete');
  check({ before: mirror, after: { ...mirror, status: { phase: 'Running' } } }, 'status');
  check({ after: POD }, 'refused');
});

test('a node makes its own Node and labels it, no other', () => {
  const node: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE }, spec: {} };
  const labelled = { ...node, metadata: { name: NODE, labels: { a: 'b' } } };
  check({ key: `/nodes//${NODE}`, after: node }, 'object');
  check({ key: `/nodes//${NODE}`, before: node, after: labelled }, 'fields');
  check({ key: `/nodes//${NODE}`, before: node, after: { ...labelled, status: {} } }, 'status fields');
  check({ key: `/nodes//${NODE}`, before: node, after: { ...node, spec: { unschedulable: true } } }, 'refused');
  check({ key: '/nodes//n2', after: node }, 'refused');
  check({ key: '/nodes//n2', before: node, after: labelled }, 'refused');
});

test('spec fields that the row lets an edge write go up, each with what it was', () => {
  const row = { edgeWritable: ['spec.desired'] };
  const before = { ...POD, spec: { a: 1, desired: { speed: 1, on: true } } };
  const after = { ...POD, spec: { a: 1, desired: { speed: 2 } } };
  check({ row, before, after }, 'fields');
  check({ row, before, after: { ...after, spec: { ...after.spec, a: 2 } } }, 'refused');
  const [write] = planEdgeWrite({ node: NODE, row: { ...rowOf(KEY), ...row }, key: KEY, before, after }).writes;
  assert.deepEqual(write?.op === 'fields' && write.fields, [
    { path: ['spec', 'desired', 'speed'], bases: [{ value: 1 }], value: 2 },
    { path: ['spec', 'desired', 'on'], bases: [{ value: true }] },
  ]);
});

test('the entries of a map whose pattern ends with a star go up whole, also the first of them', () => {
  const row = { edgeWritable: ['spec.desired.*'] };
  const fieldsOf = (before: object, after: object) => {
    const write = { node: NODE, row: { ...rowOf(KEY), ...row }, key: KEY, before: { ...POD, spec: before } };
    const [planned] = planEdgeWrite({ ...write, after: { ...POD, spec: after } }).writes;
    return planned?.op === 'fields' ? planned.fields : undefined;
  };
  const path = ['spec', 'desired', 'speed'];
  const slow = { value: 1, at: 'noon' };
  assert.deepEqual(fieldsOf({ desired: { speed: slow } }, { desired: { speed: { value: 2 } } }), [
    { path, bases: [{ value: slow }], value: { value: 2 } },
  ]);
  assert.deepEqual(fieldsOf({}, { desired: { speed: slow } }), [{ path, bases: [{}], value: slow }]);
  assert.deepEqual(fieldsOf({ desired: { speed: slow } }, {}), [{ path, bases: [{ value: slow }] }]);
  const after = { ...POD, spec: { desired: {}, a: 2 } };
  check({ row, before: { ...POD, spec: { desired: {}, a: 1 } }, after }, 'refused');
});

test('field writes that follow each other become one, with every base', () =>
  assert.deepEqual(
    mergeFields(
      [
        { path: ['a'], bases: [{ value: 1 }], value: 2 },
        { path: ['b'], bases: [{}], value: 1 },
      ],
      [{ path: ['a'], bases: [{ value: 2 }], value: 3 }],
    ),
    [
      { path: ['a'], bases: [{ value: 1 }, { value: 2 }], value: 3 },
      { path: ['b'], bases: [{}], value: 1 },
    ],
  ));

test('bytes from a node are an edge write or an error, never anything else', () => {
  const write = { op: 'status', key: KEY, version: 'v1', uid: 'u1', status: { phase: 'Running' } } as const;
  assert.deepEqual(decodeEdgeWrite(encodeEdgeWrite(write)), write);
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      assert.throws(() => decodeEdgeWrite(new TextEncoder().encode(text)));
    }),
  );
});

test('the local API decides what the replica takes, and leaves the rest to the cloud', () => {
  const policy = edgeWritePolicy(NODE);
  const self: UserInfo = { username: `system:node:${NODE}`, groups: [] };
  const anne: UserInfo = { username: 'anne', groups: [] };
  const pod = { row: rowOf(KEY), namespace: 'shop', name: 'web', user: anne };
  const ending = { ...POD, metadata: { ...POD.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
  const withStatus = { ...POD, status: { phase: 'Running' } };
  assert.equal(policy({ ...pod, verb: 'update', subresource: 'status', old: POD, object: withStatus }), 'allow');
  assert.equal(policy({ ...pod, verb: 'update', old: POD, object: { ...POD, spec: { a: 2 } } }), 'forward');
  assert.equal(policy({ ...pod, verb: 'update', subresource: 'scale', old: POD, object: POD }), 'forward');
  assert.equal(policy({ ...pod, verb: 'update' }), 'forward');
  assert.equal(policy({ ...pod, verb: 'create', object: POD }), 'forward');
  assert.equal(policy({ ...pod, verb: 'delete', old: ending }), 'forward');
  assert.equal(policy({ ...pod, verb: 'delete', old: ending, user: self }), 'allow');
  const event = { row: rowOf('/events/shop/e'), namespace: 'shop', name: 'e', user: anne };
  assert.equal(policy({ ...event, verb: 'create', object: POD }), 'allow');
  assert.equal(policy({ ...event, verb: 'update' }), 'allow');
});
