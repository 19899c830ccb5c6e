import assert from 'node:assert/strict';
import { test } from 'node:test';
import { celRules } from '@skerry/api/cel';
import { type Answer, type ScratchServer, scratchServer } from './testing/scratch-server.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const TANKS = '/apis/example.com/v1/namespaces/default/tanks';
const MERGE = { 'content-type': 'application/merge-patch+json' };

const BOUNDS = { rule: 'self.low <= self.high', message: 'low must not exceed high' };
const FIXED = { rule: 'self == oldSelf', message: 'the site of a tank is fixed' };

function definition(rules: readonly object[]): object {
  const spec = {
    type: 'object',
    required: ['low'],
    properties: {
      low: { type: 'integer' },
      high: { type: 'integer', default: 10 },
      site: { type: 'string', 'x-kubernetes-validations': [FIXED] },
    },
    'x-kubernetes-validations': rules,
  };
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
  return {
    metadata: { name: 'tanks.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'tanks', kind: 'Tank' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}

async function withTanks(rules: readonly object[] = [BOUNDS]): Promise<ScratchServer & { readonly made: Answer }> {
  const scratch = scratchServer({ rules: celRules() });
  return { ...scratch, made: await scratch.ask('POST', DEFINITIONS, { body: definition(rules) }) };
}

function tank(spec: object): object {
  return { apiVersion: 'example.com/v1', kind: 'Tank', metadata: { name: 't' }, spec };
}

test('a rule is held against new objects after their defaults, and against changes by every verb', async () => {
  const { ask, made } = await withTanks();
  assert.equal(made.headers['warning'], undefined);
  const refused = await ask('POST', TANKS, { body: tank({ low: 11 }) });
  assert.equal(refused.status, 422);
  assert.equal(
    refused.json.message,
    'Tank.example.com "t" is invalid: spec: Invalid value: "object": low must not exceed high',
  );
  assert.deepEqual(refused.json.details.causes, [
    { reason: 'FieldValueInvalid', message: 'Invalid value: "object": low must not exceed high', field: 'spec' },
  ]);
  assert.equal((await ask('POST', TANKS, { body: tank({ low: 1, site: 'a' }) })).status, 201);
  const moved = await ask('PATCH', `${TANKS}/t`, { body: { spec: { site: 'b' } }, headers: MERGE });
  assert.match(moved.json.message, /spec\.site: Invalid value: "b": the site of a tank is fixed$/);
  const applied = await ask('PATCH', `${TANKS}/t?fieldManager=m&force=true`, {
    body: tank({ low: 12 }),
    headers: { 'content-type': 'application/apply-patch+yaml' },
  });
  assert.equal(applied.status, 422);
});

test('rules wait until the object has the types that they rely on', async () => {
  const { ask } = await withTanks();
  const { json } = await ask('POST', TANKS, { body: tank({ high: 'x' }) });
  assert.match(json.message, /spec\.low: Required value/);
  assert.match(json.message, /<nil>: Invalid value: "null": some validation rules were not checked/);
});

test('a definition with a rule that does not compile is refused', async () => {
  const { made } = await withTanks([{ rule: 'self.hgih > 1' }]);
  assert.equal(made.status, 422);
  assert.match(
    made.json.details.causes[0].field,
    /^spec\.versions\[0\]\.schema\.openAPIV3Schema\.properties\[spec\]\.x-kubernetes-validations\[0\]\.rule$/,
  );
  assert.match(made.json.message, /undefined field 'hgih'/);
});

test('what a new rule finds in an old object is a warning until it is touched', async () => {
  const { ask } = await withTanks([]);
  assert.equal((await ask('POST', TANKS, { body: tank({ low: 11 }) })).status, 201);
  const ruled = await ask('PUT', `${DEFINITIONS}/tanks.example.com`, { body: definition([BOUNDS]) });
  assert.equal(ruled.status, 200);
  const labelled = await ask('PATCH', `${TANKS}/t`, { body: { metadata: { labels: { a: 'b' } } }, headers: MERGE });
  assert.equal(labelled.status, 200);
  assert.match(labelled.headers['warning'] ?? '', /low must not exceed high/);
  const raised = await ask('PATCH', `${TANKS}/t`, { body: { spec: { low: 12 } }, headers: MERGE });
  assert.equal(raised.status, 422);
});

test('a rule that was stored before it could be read keeps no one from changing something else', async () => {
  const before = scratchServer();
  const broken = definition([{ rule: 'self.hgih > 1' }]);
  assert.equal((await before.ask('POST', DEFINITIONS, { body: broken })).status, 201);
  const { ask } = scratchServer({ store: before.options.store, rules: celRules() });
  const path = `${DEFINITIONS}/tanks.example.com`;
  const labelled = await ask('PATCH', path, { body: { metadata: { labels: { a: 'b' } } }, headers: MERGE });
  assert.equal(labelled.status, 200);
  assert.equal((await ask('POST', TANKS, { body: tank({ low: 1 }) })).status, 201);
});

test('a server without the language keeps rules, and says so', async () => {
  const { ask } = scratchServer();
  const { status, headers } = await ask('POST', DEFINITIONS, { body: definition([BOUNDS]) });
  assert.equal(status, 201);
  assert.match(headers['warning'] ?? '', /not evaluated/);
  assert.equal((await ask('POST', TANKS, { body: tank({ low: 11 }) })).status, 201);
});
