import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Schema } from '../schema.ts';
import { StatusError } from '../status.ts';
import { applyStrategicPatch } from './strategic-patch.ts';

const container: Schema = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    image: { type: 'string' },
    ports: { type: 'array', patchStrategy: ['merge'], patchMergeKey: 'containerPort', items: { type: 'object' } },
    args: { type: 'array', items: { type: 'string' } },
  },
};
const schema: Schema = {
  type: 'object',
  properties: {
    metadata: {
      type: 'object',
      properties: {
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        finalizers: { type: 'array', patchStrategy: ['merge'], items: { type: 'string' } },
      },
    },
    containers: { type: 'array', patchStrategy: ['merge'], patchMergeKey: 'name', items: container },
    strategy: { type: 'object', patchStrategy: ['retainKeys'], properties: { type: { type: 'string' } } },
    selector: { type: 'object', patchStrategy: ['replace'] },
  },
};

function check(document: unknown, patch: unknown, expected: unknown): void {
  const before = structuredClone([document, patch]);
  if (typeof expected === 'number') {
    assert.throws(
      () => applyStrategicPatch(document, patch, schema),
      (error) => error instanceof StatusError && error.code === expected,
    );
  } else assert.deepEqual(applyStrategicPatch(document, patch, schema), expected);
  assert.deepEqual([document, patch], before);
}

const ab = {
  containers: [
    { name: 'a', image: '1' },
    { name: 'b', image: '1' },
  ],
};

test('list items merge by their key, new ones come first as the API server puts them', () => {
  check(
    ab,
    { containers: [{ name: 'b', image: '2' }] },
    {
      containers: [
        { name: 'a', image: '1' },
        { name: 'b', image: '2' },
      ],
    },
  );
  check(
    ab,
    { containers: [{ name: 'c' }] },
    { containers: [{ name: 'c' }, { name: 'a', image: '1' }, { name: 'b', image: '1' }] },
  );
});

test('the order directive orders what it names and leaves the others beside their neighbours', () => {
  check(
    { containers: [{ name: 'a' }, { name: 'x' }, { name: 'b' }] },
    { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }, { name: 'c' }], containers: [{ name: 'c' }] },
    { containers: [{ name: 'x' }, { name: 'b' }, { name: 'a' }, { name: 'c' }] },
  );
  check(
    ab,
    { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] },
    { containers: [...ab.containers].reverse() },
  );
  check(ab, { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'z' }] }, 400);
});

test('directives delete and replace', () => {
  check(ab, { containers: [{ name: 'a', $patch: 'delete' }] }, { containers: [{ name: 'b', image: '1' }] });
  check(ab, { containers: [{ $patch: 'replace' }, { name: 'z' }] }, { containers: [{ name: 'z' }] });
  check(
    { strategy: { type: 'a', rollingUpdate: {} } },
    { strategy: { $patch: 'replace', type: 'b' } },
    { strategy: { type: 'b' } },
  );
  check({ strategy: { type: 'a' } }, { strategy: { $patch: 'delete' } }, { strategy: {} });
  check({ strategy: { type: 'a' } }, { strategy: { $patch: 'explode' } }, 400);
  check({ a: 1, b: 2 }, { a: null }, { b: 2 });
  check({}, { metadata: { labels: { a: null, b: 'c' } } }, { metadata: { labels: { b: 'c' } } });
});

test('lists of plain values are sets, or are replaced, as the schema says', () => {
  const document = { metadata: { finalizers: ['a', 'b'] } };
  check(document, { metadata: { finalizers: ['c', 'a'] } }, { metadata: { finalizers: ['c', 'a', 'b'] } });
  check(
    document,
    { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'], '$setElementOrder/finalizers': ['b'] } },
    { metadata: { finalizers: ['b'] } },
  );
  check(
    { containers: [{ name: 'a', args: ['1', '2'] }] },
    { containers: [{ name: 'a', args: ['3'] }] },
    { containers: [{ name: 'a', args: ['3'] }] },
  );
});

test('retainKeys clears what it does not name', () => {
  check(
    { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
    { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    { strategy: { type: 'Recreate' } },
  );
  check({ strategy: {} }, { strategy: { $retainKeys: ['type'], other: 1 } }, 400);
});

test('the replace strategy takes the object of the patch', () => {
  check({ selector: { a: 1 } }, { selector: { b: 2 } }, { selector: { b: 2 } });
});

test('items without their key, and patches that are no objects, are refused', () => {
  check(ab, { containers: [{ image: 'x' }] }, 422);
  check(ab, { containers: ['x'] }, 422);
  check(ab, [], 400);
  check(ab, null, 400);
});

test('what is untouched is shared', () => {
  const result = applyStrategicPatch(ab, { containers: [{ name: 'b', image: '2' }] }, schema);
  assert.equal(result.containers[0], ab.containers[0]);
  assert.equal(applyStrategicPatch(ab, { containers: [{ name: 'b', image: '1' }] }, schema), ab);
});
