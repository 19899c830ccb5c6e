import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../object.ts';
import type { Schema } from '../../schema.ts';
import { type ApplyResult, apply, trackUpdate } from './apply.ts';
import { conflictError } from './conflicts.ts';

const text: Schema = { type: 'string' };
const container: Schema = {
  type: 'object',
  properties: {
    name: text,
    image: text,
    cpu: { type: 'string', format: 'quantity' },
    args: { type: 'array', items: text },
    ports: {
      type: 'array',
      listType: 'map',
      listMapKeys: ['containerPort', 'protocol'],
      items: {
        type: 'object',
        properties: { containerPort: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' }, name: text },
      },
    },
  },
};
const schema: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        replicas: { type: 'integer' },
        selector: { type: 'object', mapType: 'atomic', additionalProperties: text },
        strategy: {
          type: 'object',
          properties: { type: text, rollingUpdate: { type: 'object', properties: { maxSurge: text } } },
        },
        tags: { type: 'array', listType: 'set', items: text },
        containers: { type: 'array', listType: 'map', listMapKeys: ['name'], items: container },
      },
    },
    data: { type: 'object', additionalProperties: text },
    status: { type: 'object', properties: { ready: { type: 'integer' } } },
  },
};

type Body = { metadata?: Record<string, unknown>; [field: string]: unknown };

function body({ metadata, ...rest }: Body): KubeObject {
  return { apiVersion: 'apps/v1', kind: 'Thing', metadata: { name: 'a', ...metadata }, ...rest };
}

const T0 = Date.UTC(2026, 0, 1);

interface Options {
  readonly force?: boolean;
  readonly now?: number;
  readonly ignore?: readonly string[];
  readonly subresource?: string;
}

function applyAs(manager: string, live: KubeObject | undefined, applied: Body, options: Options = {}): ApplyResult {
  const before = structuredClone([live, applied]);
  const result = apply({ live, applied: body(applied), schema, manager, now: T0, ...options });
  assert.deepEqual([live, applied], before, 'inputs stay as they were');
  return result;
}

function applied(
  manager: string,
  live: KubeObject | undefined,
  configuration: Body,
  options: Options = {},
): KubeObject {
  const { object, conflicts } = applyAs(manager, live, configuration, options);
  assert.ok(object !== undefined, `conflicts: ${JSON.stringify(conflicts)}`);
  return object;
}

function created(manager: string, object: Body): KubeObject {
  return trackUpdate({ before: undefined, after: body(object), schema, manager, now: T0 });
}

function updated(manager: string, before: KubeObject, change: Body, options: Options = {}): KubeObject {
  const after = { ...before, ...change, metadata: { ...before.metadata, ...change.metadata } } as KubeObject;
  return trackUpdate({ before, after, schema, manager, now: T0, ...options });
}

function owned(object: KubeObject): Record<string, unknown> {
  const entries = object.metadata.managedFields ?? [];
  return Object.fromEntries(
    entries.map((entry) => [`${entry.manager}/${entry.operation}${entry.subresource ?? ''}`, entry.fieldsV1]),
  );
}

function content({
  apiVersion: _a,
  kind: _k,
  metadata: { name: _n, managedFields: _m, ...metadata },
  ...rest
}: KubeObject): unknown {
  return Object.keys(metadata).length === 0 ? rest : { metadata, ...rest };
}

test('an apply that creates owns what it names, in the form of fieldsV1', () => {
  const object = applied('ssa', undefined, {
    metadata: { labels: { app: 'web' }, creationTimestamp: null },
    spec: {
      replicas: 2,
      selector: { a: 'b' },
      tags: ['x'],
      containers: [{ name: 'c', args: ['1'], ports: [{ containerPort: 80 }] }],
    },
    data: {},
  });
  assert.deepEqual(object.metadata.managedFields, [
    {
      manager: 'ssa',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      time: '2026-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:data': {},
        'f:metadata': { 'f:labels': { 'f:app': {} } },
        'f:spec': {
          'f:containers': {
            'k:{"name":"c"}': {
              '.': {},
              'f:args': {},
              'f:name': {},
              'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
            },
          },
          'f:replicas': {},
          'f:selector': {},
          'f:tags': { 'v:"x"': {} },
        },
      },
    },
  ]);
});

test('an update owns what it wrote, containers included where they were absent before', () => {
  const object = created('kubectl-create', {
    metadata: { labels: { app: 'web' } },
    spec: { replicas: 1, containers: [{ name: 'c', image: '1' }] },
  });
  assert.deepEqual(owned(object), {
    'kubectl-create/Update': {
      'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
      'f:spec': {
        'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {} } },
        'f:replicas': {},
      },
    },
  });
});

test('applying the same again changes nothing, not even a time', () => {
  const configuration = { spec: { replicas: 2, containers: [{ name: 'c', cpu: '1000m' }] } };
  const first = applied('ssa', undefined, configuration);
  const stored = { ...first, spec: { replicas: 2, revisionHistoryLimit: 10, containers: [{ name: 'c', cpu: '1' }] } };
  const again = applyAs('ssa', stored, configuration, { now: T0 + 60_000 });
  assert.equal(again.object, stored);
  assert.equal(again.conflicts === undefined && again.changed, false);
});

test('a field that is no longer applied goes, unless somebody else owns it; defaults stay', () => {
  const first = applied('one', undefined, { spec: { replicas: 2, strategy: { type: 'x' } }, data: { a: '1', b: '2' } });
  const withDefaults = { ...first, spec: { ...(first['spec'] as object), revisionHistoryLimit: 10 } } as KubeObject;
  const shared = applied('two', withDefaults, { data: { b: '2' } });
  const second = applied('one', shared, { spec: { strategy: { type: 'x' } } });
  assert.deepEqual(content(second), { spec: { strategy: { type: 'x' }, revisionHistoryLimit: 10 }, data: { b: '2' } });
  assert.deepEqual(owned(second), {
    'one/Apply': { 'f:spec': { 'f:strategy': { 'f:type': {} } } },
    'two/Apply': { 'f:data': { 'f:b': {} } },
  });
});

test('dropping a list item or a struct drops all of it that nobody owns', () => {
  const first = applied('one', undefined, {
    spec: {
      strategy: { type: 'x' },
      containers: [
        { name: 'a', image: '1' },
        { name: 'b', image: '1' },
      ],
    },
  });
  const live = updated('defaulter', first, {
    spec: {
      strategy: { type: 'x' },
      containers: [
        { name: 'a', image: '1' },
        { name: 'b', image: '1' },
      ],
    },
  });
  const withDefault = structuredClone(live) as KubeObject & { spec: { containers: Record<string, unknown>[] } };
  Object.assign(withDefault.spec.containers[1] ?? {}, { imagePullPolicy: 'Always' });
  const second = applied('one', withDefault, { spec: { containers: [{ name: 'a', image: '1' }] } });
  assert.deepEqual(content(second), { spec: { containers: [{ name: 'a', image: '1' }] } });
});

test('a container emptied by pruning stays only when somebody owns its being empty', () => {
  const first = applied('one', undefined, { data: { a: '1' }, metadata: { labels: { x: 'y' } } });
  assert.deepEqual(content(applied('one', first, { metadata: { labels: { x: 'y' } } })), {
    metadata: { labels: { x: 'y' } },
  });
  assert.deepEqual(content(applied('one', first, { data: {} })), { data: {} });
});

test('changing a field of another manager is a conflict that names both', () => {
  const live = created('kubectl', { spec: { replicas: 1, containers: [{ name: 'c', image: '1' }] } });
  const { conflicts } = applyAs('ssa', live, { spec: { replicas: 2 } });
  assert.ok(conflicts !== undefined);
  const { status } = conflictError(conflicts);
  assert.equal(status.code, 409);
  assert.equal(status.reason, 'Conflict');
  assert.equal(
    status.message,
    'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1 at 2026-01-01T00:00:00Z: .spec.replicas',
  );
  assert.deepEqual(status.details?.causes, [
    {
      reason: 'FieldManagerConflict',
      message: 'conflict with "kubectl" using apps/v1 at 2026-01-01T00:00:00Z',
      field: '.spec.replicas',
    },
  ]);
});

test('several conflicts are listed by manager', () => {
  const live = applied('two', created('one', { spec: { replicas: 1 } }), {
    spec: { containers: [{ name: 'c', image: '1' }] },
  });
  const { conflicts = [] } = applyAs('three', live, { spec: { replicas: 2, containers: [{ name: 'c', image: '2' }] } });
  assert.equal(
    conflictError(conflicts).message,
    'Apply failed with 2 conflicts: conflicts with "one" using apps/v1 at 2026-01-01T00:00:00Z:\n- .spec.replicas\nconflicts with "two":\n- .spec.containers[name="c"].image',
  );
});

test('force takes the field, the same value shares it', () => {
  const live = created('one', { spec: { replicas: 1, tags: ['x'] } });
  const forced = applied('two', live, { spec: { replicas: 2, tags: ['x'] } }, { force: true });
  assert.deepEqual(owned(forced), {
    'two/Apply': { 'f:spec': { 'f:replicas': {}, 'f:tags': { 'v:"x"': {} } } },
    'one/Update': { 'f:spec': { 'f:tags': { '.': {}, 'v:"x"': {} } } },
  });
});

test('an update takes what it changes from every other manager, and an emptied manager goes', () => {
  const live = applied('ssa', undefined, { spec: { replicas: 1 } });
  const next = updated('hpa', live, { spec: { replicas: 5 } }, { subresource: 'scale' });
  assert.deepEqual(owned(next), { 'hpa/Updatescale': { 'f:spec': { 'f:replicas': {} } } });
});

test('an update that removes a field takes it from its owners', () => {
  const live = applied('ssa', undefined, { data: { a: '1', b: '2' } });
  const next = updated('kubectl-edit', live, { data: { b: '2' } });
  assert.deepEqual(owned(next), { 'ssa/Apply': { 'f:data': { 'f:b': {} } } });
});

test('status has an entry of its own', () => {
  const live = created('kubectl', { spec: { replicas: 1 } });
  const next = updated('controller', live, { status: { ready: 1 } }, { subresource: 'status' });
  assert.deepEqual(owned(next), {
    'controller/Updatestatus': { 'f:status': { 'f:ready': {} } },
    'kubectl/Update': { 'f:spec': { 'f:replicas': {} } },
  });
});

test('ignored fields are neither merged nor owned', () => {
  const object = applied('ssa', undefined, { spec: { replicas: 1 }, status: { ready: 9 } }, { ignore: ['status'] });
  assert.deepEqual(content(object), { spec: { replicas: 1 } });
});

test('a write that changes nothing keeps every entry as it is', () => {
  const live = created('one', { spec: { replicas: 1 } });
  const same = trackUpdate({ before: live, after: live, schema, manager: 'two', now: T0 + 5000 });
  assert.equal(same, live);
  const copy = structuredClone(live);
  assert.deepEqual(trackUpdate({ before: live, after: copy, schema, manager: 'two', now: T0 + 5000 }), live);
});

test('a client that knows nothing of managedFields does not lose them', () => {
  const live = created('one', { spec: { replicas: 1 } });
  const { managedFields: _none, ...metadata } = live.metadata;
  assert.deepEqual(trackUpdate({ before: live, after: { ...live, metadata }, schema, manager: 'two', now: T0 }), live);
  assert.deepEqual(
    trackUpdate({
      before: live,
      after: { ...live, metadata: { ...metadata, managedFields: [] } },
      schema,
      manager: 'two',
      now: T0,
    }),
    live,
  );
});

test('one empty entry forgets all managers; the next apply starts from a manager for what was there', () => {
  const live = created('one', { spec: { replicas: 1 } });
  const reset = updated('two', live, { metadata: { managedFields: [{}] } });
  assert.equal(reset.metadata.managedFields, undefined);
  assert.equal(updated('two', reset, { spec: { replicas: 3 } }).metadata.managedFields, undefined);
  assert.deepEqual(applyAs('ssa', reset, { spec: { replicas: 2 } }).conflicts, [
    { manager: '"before-first-apply" using apps/v1', path: '.spec.replicas' },
  ]);
  assert.deepEqual(owned(applied('ssa', reset, { spec: { replicas: 1 } })), {
    'ssa/Apply': { 'f:spec': { 'f:replicas': {} } },
    'before-first-apply/Update': { 'f:spec': { 'f:replicas': {} } },
  });
});

test('a migration from client-side apply by patching managedFields works', () => {
  const live = created('kubectl-client-side-apply', { data: { a: '1', b: '2' } });
  const entry = live.metadata.managedFields?.[0];
  assert.ok(entry !== undefined);
  const migrated = updated('kubectl', live, {
    metadata: { managedFields: [{ ...entry, manager: 'kubectl', operation: 'Apply' }] },
  });
  assert.deepEqual(content(applied('kubectl', migrated, { data: { b: '2' } })), { data: { b: '2' } });
});

test('malformed managedFields of a request are not taken', () => {
  const live = created('one', { spec: { replicas: 1 } });
  for (const bad of [{ operation: 'Steal' }, { operation: 'Update', apiVersion: 'v1', fieldsV1: { x: 1 } }, 7]) {
    assert.deepEqual(updated('two', live, { metadata: { managedFields: [bad] } }), live);
  }
});

test('old updaters are folded into one entry', () => {
  let live = created('m0', { data: { k0: 'x' } });
  for (let index = 1; index < 14; index++) {
    const data = { ...(live['data'] as object), [`k${index}`]: 'x' };
    live = updated(`m${index}`, live, { data }, { now: T0 + index * 1000 });
  }
  const names = live.metadata.managedFields?.map((entry) => entry.manager);
  assert.equal(names?.length, 10);
  assert.ok(names?.includes('ancient-changes') && names.includes('m13') && !names.includes('m1'));
});

test('lists merge by key in the order of the configuration, others keep their place', () => {
  const live = created('one', { spec: { containers: ['a', 'x', 'b', 'y'].map((name) => ({ name, image: '1' })) } });
  const next = applied('two', live, { spec: { containers: [{ name: 'b' }, { name: 'new' }, { name: 'a' }] } });
  const { containers } = next['spec'] as { containers: { name: string }[] };
  assert.deepEqual(
    containers.map(({ name }) => name),
    ['x', 'b', 'y', 'new', 'a'],
  );
});

test('configurations that cannot be applied are refused', () => {
  const refuse = (configuration: Body, message: RegExp) =>
    assert.throws(() => applyAs('ssa', undefined, configuration), { message });
  refuse(
    { spec: { containers: [{ name: 'a' }, { name: 'a' }] } },
    /\.spec\.containers: duplicate entries for key \[name="a"\]/,
  );
  refuse({ spec: { containers: [{ image: 'x' }] } }, /omits all key fields/);
  refuse({ metadata: { managedFields: [{ manager: 'x' }] } }, /managedFields must be nil/);
});

test('null asks for nothing to be there', () => {
  const live = applied('ssa', undefined, { spec: { replicas: 1, tags: ['x'] } });
  assert.deepEqual(content(applied('ssa', live, { spec: { replicas: null, tags: ['x'] } })), { spec: { tags: ['x'] } });
});

test('without a schema objects merge and lists are taken whole', () => {
  const free: Schema = {};
  const first = apply({
    live: undefined,
    applied: body({ spec: { a: { b: 1 }, l: [{ name: 1 }] } }),
    schema: free,
    manager: 'one',
    now: T0,
  });
  const second = apply({
    live: first.object,
    applied: body({ spec: { a: { c: 1 }, m: [1] } }),
    schema: free,
    manager: 'two',
    now: T0,
  });
  assert.deepEqual(second.object?.['spec'], { a: { b: 1, c: 1 }, l: [{ name: 1 }], m: [1] });
});

test('structs that are always there are owned by nobody when they are empty', () => {
  assert.deepEqual(owned(created('one', { spec: {}, status: {}, data: {} })), { 'one/Update': { 'f:data': {} } });
});

test('what the server sets at an endpoint is not owned by the writer', () => {
  const after = body({ spec: { replicas: 1 }, status: { ready: 0 } });
  const tracked = trackUpdate({ before: undefined, after, schema, manager: 'one', ignore: ['status'], now: T0 });
  assert.deepEqual(owned(tracked), { 'one/Update': { 'f:spec': { 'f:replicas': {} } } });
});
