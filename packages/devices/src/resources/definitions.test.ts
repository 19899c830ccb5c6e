import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, Schema } from '@skerry/api';
import { customResources, validateDefinition } from '@skerry/api/crd';
import type { CustomResourceDefinition } from '@skerry/api/types';
import { applyDefaults, unknownFields, validate } from '@skerry/api/walker';
import { deviceCrds } from './definitions.ts';

const asDefinition = (object: KubeObject) => object as unknown as CustomResourceDefinition;

function schemaOf(kind: string): Schema {
  const found = deviceCrds()
    .flatMap((object) => customResources(asDefinition(object)))
    .find(({ row }) => row.gvk.kind === kind);
  assert.ok(found !== undefined);
  return found.schema;
}

/** What is wrong with a spec, and what it is with its defaults. */
function check(
  kind: string,
  spec: object,
  expected: { readonly errors?: readonly string[]; readonly spec?: object },
): void {
  const object = {
    apiVersion: 'devices.skerry.io/v1alpha1',
    kind,
    metadata: { name: 'x' },
    spec: structuredClone(spec),
  };
  const schema = schemaOf(kind);
  applyDefaults(object, schema);
  const errors = [
    ...validate(object, schema).map(({ path }) => path),
    ...unknownFields(object, schema).map((path) => `unknown ${path}`),
  ];
  assert.deepEqual(errors, expected.errors ?? []);
  if (expected.spec !== undefined) assert.deepEqual(object.spec, expected.spec);
}

for (const object of deviceCrds()) {
  test(`${object.metadata.name} is a definition that an API server takes`, () =>
    assert.deepEqual(validateDefinition(asDefinition(object)), []));
  test(`${object.metadata.name} says of each of its fields what it is for`, () => {
    const silent: string[] = [];
    const [version] = asDefinition(object).spec.versions;
    describeAll(version?.schema?.openAPIV3Schema as Described, '', silent);
    assert.deepEqual(silent, []);
  });
}

interface Described {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly items?: Described;
}

function describeAll(schema: Described, path: string, silent: string[]): void {
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    if (child.description === undefined) silent.push(`${path}.${name}`);
    describeAll(child, `${path}.${name}`, silent);
  }
  if (schema.items !== undefined) describeAll(schema.items, `${path}[]`, silent);
}

test('a device gets the defaults that the reference promises', () =>
  check(
    'Device',
    { model: { name: 'meter' }, protocol: 'modbus', visitors: [{ property: 'power', address: { register: 1 } }] },
    {
      spec: {
        model: { name: 'meter' },
        protocol: 'modbus',
        visitors: [{ property: 'power', address: { register: 1 }, mode: 'Poll', writeRule: 'cloud-wins' }],
      },
    },
  ));

test('what a protocol alone knows is kept, whatever it is', () => {
  const address = { register: 1, deep: { list: [1, { x: null }] } };
  const spec = {
    model: { name: 'm' },
    protocol: 'p',
    connection: { timeout: '3s', retries: 1, options: { unit: 3 } },
    visitors: [{ property: 'a', address, mode: 'Poll', writeRule: 'cloud-wins' }],
    desired: { a: { value: { any: [1] } }, b: { value: 5 } },
  };
  check('Device', spec, { spec });
});

test('a field that is nobody’s and a value that cannot be are named', () =>
  check(
    'Device',
    { model: {}, protocol: 'Modbus TCP', sampling: { scanClass: '3s' }, conection: {} },
    { errors: ['spec.model.name', 'spec.protocol', 'spec.sampling.scanClass', 'unknown spec.conection'] },
  ));

test('where a model is, what a device needs comes with it', () => {
  const rows = deviceCrds().flatMap((object) => customResources(asDefinition(object)).map(({ row }) => row));
  const device = rows.find(({ gvk }) => gvk.kind === 'Device');
  assert.equal(device?.nodePath, 'status.nodes[]');
  assert.deepEqual(device?.edgeWritable, ['spec.desired.*']);
  assert.deepEqual(
    device?.relations.map(({ to }) => to.resource),
    ['devicemodels', 'secrets', 'configmaps', 'trustlists', 'mqttbrokers'],
  );
  assert.equal(rows.find(({ gvk }) => gvk.kind === 'DeviceProposal')?.origin, 'edge');
});
