import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from '../../object.ts';
import type { Schema } from '../../schema.ts';
import { apply, trackUpdate } from './apply.ts';
import {
  difference,
  EMPTY_SET,
  eachCommon,
  equalSets,
  type FieldSet,
  isFieldSet,
  sortedSet,
  union,
} from './field-set.ts';

const text: Schema = { type: 'string' };
const item: Schema = {
  type: 'object',
  properties: { name: text, a: text, b: { type: 'object', additionalProperties: text } },
};
const schema: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        x: text,
        y: { type: 'object', properties: { p: text, q: text } },
        frozen: { type: 'object', mapType: 'atomic', additionalProperties: text },
        items: { type: 'array', listType: 'map', listMapKeys: ['name'], items: item },
        set: { type: 'array', listType: 'set', items: text },
        list: { type: 'array', items: text },
      },
    },
    data: { type: 'object', additionalProperties: text },
  },
};

const value = fc.constantFrom('1', '2', '3');
const map = fc.dictionary(fc.constantFrom('k1', 'k2', '__proto__', 'constructor'), value, { maxKeys: 3 });
const spec = fc.record(
  {
    x: value,
    y: fc.record({ p: value, q: value }, { requiredKeys: [] }),
    frozen: map,
    items: fc.uniqueArray(
      fc.record({ name: fc.constantFrom('n1', 'n2', 'n3'), a: value, b: map }, { requiredKeys: ['name'] }),
      {
        selector: ({ name }) => name,
        maxLength: 3,
      },
    ),
    set: fc.uniqueArray(value),
    list: fc.array(value, { maxLength: 2 }),
  },
  { requiredKeys: [] },
);
const configuration = fc
  .record({ spec, data: map }, { requiredKeys: [] })
  // Through JSON, as bodies come: no prototypes but Object's.
  .map(
    (body): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Thing',
      metadata: { name: 'a' },
      ...JSON.parse(JSON.stringify(body)),
    }),
  );
const manager = fc.constantFrom('one', 'two', 'three');
type Write = readonly [manager: string, body: KubeObject, how: 'apply' | 'force' | 'update'];
const write: fc.Arbitrary<Write> = fc.tuple(manager, configuration, fc.constantFrom('apply', 'force', 'update'));
const history = fc.array(write, { minLength: 1, maxLength: 8 });

/** The object after the writes; those that conflict do nothing. */
function replay(writes: readonly Write[]): KubeObject | undefined {
  return writes.reduce<KubeObject | undefined>(perform, undefined);
}

function perform(live: KubeObject | undefined, [name, body, how]: Write): KubeObject | undefined {
  if (how === 'update') return trackUpdate({ before: live, after: body, schema, manager: name, now: 0 });
  const result = apply({ live, applied: body, schema, manager: name, force: how === 'force', now: 0 });
  return result.object ?? live;
}

test('an apply done twice is an apply done once', () => {
  fc.assert(
    fc.property(history, manager, configuration, (writes, name, body) => {
      const live = replay(writes);
      const once = perform(live, [name, body, 'force']);
      const twice = apply({ live: once, applied: body, schema, manager: name, now: 9_000_000 });
      assert.ok(twice.object !== undefined, 'what a manager owns does not conflict with it');
      assert.equal(twice.object, once);
    }),
  );
});

test('after a forced apply the object holds all that was applied', () => {
  fc.assert(
    fc.property(history, manager, configuration, (writes, name, body) => {
      const object = perform(replay(writes), [name, body, 'force']);
      const again = apply({ live: object, applied: body, schema, manager: 'somebody-else', now: 0 });
      assert.ok(again.object !== undefined, 'applying the same values never conflicts');
    }),
  );
});

test('a changed field of another is a conflict, and a conflict changes nothing', () => {
  fc.assert(
    fc.property(history, manager, configuration, (writes, name, body) => {
      const live = replay(writes);
      const before = JSON.stringify(live);
      const gentle = apply({ live, applied: body, schema, manager: name, now: 0 });
      const forced = apply({ live, applied: body, schema, manager: name, force: true, now: 0 });
      assert.equal(JSON.stringify(live), before);
      assert.ok(forced.object !== undefined);
      if (gentle.object !== undefined) assert.deepEqual(gentle.object, forced.object);
      else assert.ok(gentle.conflicts.length > 0);
    }),
  );
});

test('what one manager alone applied is gone when it applies nothing', () => {
  fc.assert(
    fc.property(configuration, (body) => {
      const live = perform(undefined, ['one', body, 'apply']);
      const empty: KubeObject = { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a' } };
      assert.deepEqual(perform(live, ['one', empty, 'apply']), empty);
    }),
  );
});

test('no write writes to its inputs, and managedFields stay well-formed', () => {
  fc.assert(
    fc.property(history, (writes) => {
      const before = JSON.stringify(writes);
      const object = replay(writes);
      assert.equal(JSON.stringify(writes), before);
      const entries = object?.metadata.managedFields ?? [];
      for (const entry of entries)
        assert.ok(isFieldSet(entry.fieldsV1) && !equalSets(entry.fieldsV1 as FieldSet, EMPTY_SET));
      assert.equal(new Set(entries.map((entry) => `${entry.manager}/${entry.operation}`)).size, entries.length);
    }),
  );
});

const node: fc.Arbitrary<FieldSet> = fc.letrec<{ node: FieldSet }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    fc.constant({}),
    fc.dictionary(fc.constantFrom('f:a', 'f:b', 'k:{"name":"x"}', 'v:1'), tie('node'), {
      minKeys: 1,
      maxKeys: 3,
      noNullPrototype: true,
    }),
    fc
      .dictionary(fc.constantFrom('f:a', 'f:b'), tie('node'), { minKeys: 1, maxKeys: 2, noNullPrototype: true })
      .map((children) => ({ '.': {}, ...children })),
  ),
})).node;
const set: fc.Arbitrary<FieldSet> = node.map(({ '.': _self, ...children }) => children);

/** The paths of a set's members, as text. */
function members(of: FieldSet): Set<string> {
  const paths = new Set<string>();
  eachCommon(of, of, (path) => paths.add(path.join(' ')));
  return paths;
}

test('sets of fields obey the laws of sets', () => {
  fc.assert(
    fc.property(set, set, (left, right) => {
      const [a, b] = [members(left), members(right)];
      assert.deepEqual(members(union(left, right)), a.union(b));
      assert.deepEqual(members(difference(left, right)), a.difference(b));
      const common = new Set<string>();
      eachCommon(left, right, (path) => common.add(path.join(' ')));
      assert.deepEqual(common, a.intersection(b));
      assert.ok(equalSets(union(left, left), left) && equalSets(difference(left, left), EMPTY_SET));
      assert.ok(equalSets(sortedSet(left), left));
      assert.deepEqual(JSON.parse(JSON.stringify(sortedSet(left))), { ...left });
    }),
  );
});
