import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { schemaOfType } from '../facts/index.ts';
import type { CustomResourceDefinition, JSONSchemaProps } from '../generated/types.ts';
import { applyDefaults, decodeError, normalize, prune, validate } from '../walker/index.ts';
import {
  applyDefinitionDefaults,
  customResources,
  definitionWarnings,
  establishedStatus,
  schemaOfVersion,
  validateDefinition,
  validateDefinitionUpdate,
} from './index.ts';

function definition(
  schema: JSONSchemaProps = { type: 'object' },
  change: (definition: CustomResourceDefinition) => void = () => {},
): CustomResourceDefinition {
  const made: CustomResourceDefinition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.stable.example.com' },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'] },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
  change(made);
  return applyDefinitionDefaults(made);
}

function check(made: CustomResourceDefinition, ...messages: readonly RegExp[]): void {
  const found = validateDefinition(made).map((error) => error.message);
  assert.equal(found.length, messages.length, found.join('\n'));
  for (const [index, message] of messages.entries()) assert.match(found[index] ?? '', message);
}

/** The schema below `spec`, at `spec.versions[0].schema.openAPIV3Schema.properties[spec]`. */
function checkSchema(spec: JSONSchemaProps, ...messages: readonly RegExp[]): void {
  check(definition({ type: 'object', properties: { spec } }), ...messages);
}

test('a sound definition has nothing wrong', () => {
  check(definition());
  checkSchema({
    type: 'object',
    required: ['schedule'],
    properties: {
      schedule: { type: 'string', pattern: '^[^ ]+$', default: 'x' },
      port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
      raw: { 'x-kubernetes-preserve-unknown-fields': true },
      list: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
      },
    },
  });
});

test('names, scope and versions must be what clients can use', () => {
  check(
    definition(undefined, (made) => {
      made.metadata.name = 'x';
    }),
    /^metadata\.name: Invalid value: "x": must be spec\.names\.plural\+"\."\+spec\.group$/,
  );
  check(
    definition(undefined, ({ spec }) => {
      spec.scope = 'Everywhere';
    }),
    /^spec\.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"$/,
  );
  check(
    definition(undefined, ({ spec }) => {
      spec.names.kind = 'cron tab';
    }),
    /spec\.names\.singular/,
    /may have mixed case/,
    /spec\.names\.listKind/,
  );
  check(
    definition(undefined, ({ spec }) => {
      spec.names.listKind = 'CronTab';
    }),
    /kind and listKind may not be the same/,
  );
  check(
    definition(undefined, ({ spec }) => {
      spec.versions.push({ ...spec.versions[0], name: 'v2' } as never);
    }),
    /must have exactly one version marked as storage version/,
  );
  check(
    definition(undefined, ({ spec }) => {
      spec.versions.push({ ...spec.versions[0], storage: false } as never);
    }),
    /spec\.versions\[1\]\.name: Duplicate value: "v1"/,
  );
  check(
    definition(undefined, ({ spec }) => {
      spec.versions = [];
    }),
    /spec\.versions: Required value/,
  );
});

test('a schema must be structural', () => {
  const at = 'spec\\.versions\\[0\\]\\.schema\\.openAPIV3Schema\\.properties\\[spec\\]';
  checkSchema({}, new RegExp(`^${at}\\.type: Required value: must not be empty for specified object fields$`));
  checkSchema({ type: 'array' }, new RegExp(`^${at}\\.items: Required value: must be specified$`));
  checkSchema(
    { type: 'array', uniqueItems: true, items: { type: 'string' } },
    /uniqueItems: Forbidden: uniqueItems cannot be set to true/,
  );
  checkSchema({ type: 'object', $ref: '#/x' }, /\$ref: Forbidden/);
  checkSchema({ type: 'object', additionalProperties: false }, /additionalProperties cannot be set to false/);
  checkSchema(
    { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: true },
    /mutual exclusive/,
  );
  checkSchema(
    { type: 'string', anyOf: [{ type: 'string' }] },
    /anyOf\[0\]\.type: Forbidden: must be empty to be structural/,
  );
  checkSchema({ type: 'string', pattern: '(' }, /pattern: Invalid value/);
  checkSchema({ type: 'integer', default: 'x' }, /default: Invalid value: "x"/);
  checkSchema(
    { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'map' },
    /x-kubernetes-list-map-keys: Required value/,
  );
  check(definition({ type: 'string' }), /type: Invalid value: "string": must be object at the root/);
  check(
    definition(undefined, ({ spec }) => {
      delete spec.versions[0]?.schema;
    }),
    /openAPIV3Schema: Required value: schemas are required/,
  );
});

test('a schema without end is refused, not followed', () => {
  let deep: JSONSchemaProps = { type: 'object' };
  for (let level = 0; level < 500; level++) deep = { type: 'object', properties: { a: deep } };
  check(definition(deep), /must not nest deeper than 100 levels/);
});

test('what this server does not do is refused or said', () => {
  const webhook = { strategy: 'Webhook', webhook: { clientConfig: {}, conversionReviewVersions: ['v1'] } };
  const convert = (made: CustomResourceDefinition) => {
    made.spec.conversion = webhook;
  };
  check(definition(undefined, convert));
  check(
    definition(undefined, (made) => {
      convert(made);
      made.spec.versions.push({
        name: 'v2',
        served: true,
        storage: false,
        schema: { openAPIV3Schema: { type: 'object' } },
      });
    }),
    /^spec\.conversion\.strategy: Forbidden: conversion webhooks are not called/,
  );
  const rules: JSONSchemaProps = { type: 'object', 'x-kubernetes-validations': [{ rule: 'true' }] };
  assert.match(
    definitionWarnings(definition({ type: 'object', properties: { spec: rules } }))[0] ?? '',
    /not evaluated/,
  );
  assert.deepEqual(definitionWarnings(definition()), []);
});

test('what objects are stored as cannot change', () => {
  const before = { ...definition(), status: { storedVersions: ['v1'] } };
  const messages = (change: (made: CustomResourceDefinition) => void) =>
    validateDefinitionUpdate(definition(undefined, change), before).map((error) => error.message);
  assert.deepEqual(
    messages(() => {}),
    [],
  );
  assert.match(
    messages(({ spec }) => {
      spec.scope = 'Cluster';
    })[0] ?? '',
    /spec\.scope: Invalid value: "Cluster": field is immutable/,
  );
  assert.match(
    messages(({ spec }) => {
      spec.versions = spec.versions.map((version) => ({ ...version, name: 'v2' }));
    })[0] ?? '',
    /missing from spec\.versions/,
  );
});

test('each served version becomes a row and a schema', () => {
  const made = definition(undefined, ({ spec, metadata }) => {
    metadata.annotations = {
      'skerry.io/origin': 'edge',
      'skerry.io/edge-writable': 'spec.a, spec.b',
      'skerry.io/relations':
        '[{"to":{"group":"","version":"v1","resource":"secrets"},"namePaths":["spec.secretName"]}]',
    };
    spec.versions[0] = {
      ...(spec.versions[0] as (typeof spec.versions)[0]),
      subresources: {
        status: {},
        scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
      },
      selectableFields: [{ jsonPath: '.spec.color' }],
      deprecated: true,
    };
    spec.versions.push({ name: 'v1alpha1', served: false, storage: false });
  });
  const [only, ...others] = customResources(made);
  assert.deepEqual(others, []);
  assert.equal(only?.isStorage, true);
  assert.equal(only?.deprecationWarning, 'stable.example.com/v1 CronTab is deprecated');
  const { printerColumns, verbs: _verbs, ...row } = only?.row ?? assert.fail('a row');
  assert.deepEqual(
    printerColumns?.map((column) => column.name),
    ['Age'],
  );
  assert.deepEqual(row, {
    gvr: { group: 'stable.example.com', version: 'v1', resource: 'crontabs' },
    gvk: { group: 'stable.example.com', version: 'v1', kind: 'CronTab' },
    listKind: 'CronTabList',
    singular: 'crontab',
    namespaced: true,
    shortNames: ['ct'],
    categories: [],
    subresources: ['scale', 'status'],
    selectableFields: ['spec.color'],
    tracksGeneration: true,
    origin: 'edge',
    edgeWritable: ['spec.a', 'spec.b'],
    relations: [{ to: { group: '', version: 'v1', resource: 'secrets' }, namePaths: ['spec.secretName'] }],
    scale: { specPath: 'spec.replicas', statusPath: 'status.replicas' },
  });
});

test('kinds of ours that are placed concern the nodes their status names', () => {
  const schema: JSONSchemaProps = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { placement: { type: 'object' } } } },
  };
  const nodePath = (group: string) =>
    customResources(
      definition(schema, (made) => {
        made.spec.group = group;
      }),
    )[0]?.row.nodePath;
  assert.equal(nodePath('devices.skerry.io'), 'status.nodes[]');
  assert.equal(nodePath('stable.example.com'), undefined);
});

test('custom objects keep their metadata, lose what is unknown, get defaults and are held to their schema', () => {
  const made = definition({
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: { replicas: { type: 'integer', default: 1, maximum: 5 }, constructor: { type: 'string' } },
      },
    },
  });
  const [version] = made.spec.versions;
  const schema = schemaOfVersion(version ?? assert.fail('a version'));
  const object = {
    apiVersion: 'stable.example.com/v1',
    kind: 'CronTab',
    metadata: { name: 'a', typo: 1 },
    spec: { x: 1 },
    toString: 1,
  };
  const shaped = applyDefaults(prune(structuredClone(object), schema), schema);
  assert.deepEqual(shaped, {
    apiVersion: 'stable.example.com/v1',
    kind: 'CronTab',
    metadata: { name: 'a' },
    spec: { replicas: 1 },
  });
  const errors = validate({ spec: { replicas: 6, constructor: 1 } }, schema).map((error) => error.message);
  assert.deepEqual(errors, [
    'spec.replicas: Invalid value: 6: spec.replicas in body should be less than or equal to 5',
    'spec.constructor: Invalid value: "integer": spec.constructor in body must be of type string: "integer"',
  ]);
});

test('conditions keep the time at which they last changed', () => {
  const first = establishedStatus(definition(), '2026-01-01T00:00:00Z');
  const second = establishedStatus({ ...definition(), status: first }, '2026-02-02T00:00:00Z');
  assert.deepEqual(second, first);
  assert.deepEqual(first.storedVersions, ['v1']);
});

test('a null among the branches of a schema restricts nothing', () => {
  const schema = { type: 'object', anyOf: [null] } as unknown as JSONSchemaProps;
  assert.deepEqual(validateDefinition(definition(schema)), []);
});

test('whatever a definition holds, it is judged and never crashed on', () => {
  const crdSchema = schemaOfType('apiextensions.v1.CustomResourceDefinition') ?? assert.fail('a schema');
  const key = fc.constantFrom(
    'type',
    'properties',
    'items',
    'additionalProperties',
    'anyOf',
    'not',
    'default',
    'pattern',
    'required',
    'enum',
    'x-kubernetes-list-type',
    'x-kubernetes-list-map-keys',
    'x-kubernetes-preserve-unknown-fields',
    '__proto__',
    'a',
    'constructor',
  );
  const leaf = fc.constantFrom<unknown>(null, 1, 'object', 'array', 'string', true, [], {});
  const { node, schema } = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(key, tie('node'), { maxKeys: 4 }),
    ),
    // Mostly sound schemas, so that the walk gets below them.
    schema: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>(
        { type: 'string', default: 'x' },
        { type: 'integer', minimum: 1 },
        { 'x-kubernetes-int-or-string': true },
      ),
      fc.record({ type: fc.constant('object'), properties: fc.dictionary(key, tie('schema'), { maxKeys: 4 }) }),
      fc.record({ type: fc.constant('array'), items: tie('schema') }),
      fc.record({ type: fc.constant('object'), additionalProperties: tie('schema') }),
      tie('node'),
    ),
  }));
  const root = fc.record({ type: fc.constant('object'), properties: fc.record({ spec: schema }) });
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(root, node), node, (openAPIV3Schema, value) => {
      const object = JSON.parse(
        JSON.stringify(definition(openAPIV3Schema as JSONSchemaProps)),
      ) as CustomResourceDefinition;
      if (decodeError(object, crdSchema) !== undefined) return;
      const made = applyDefinitionDefaults(normalize(prune(object, crdSchema), crdSchema));
      if (validateDefinition(made).length > 0) return;
      accepted++;
      for (const { schema: found } of customResources(made))
        validate(applyDefaults(prune({ spec: value }, found), found), found);
    }),
    { numRuns: runs(2000) },
  );
  assert.ok(accepted > 100, `only ${accepted} definitions were sound`);
});
