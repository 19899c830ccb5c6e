import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gvk } from '../names.ts';
import type { Schema } from '../schema.ts';
import { builtinRows, schemaFor, schemaOfType, subresourceKind, typeNameOf } from './index.ts';
import { allTypeNames } from './table.ts';

/** The schema at a dotted path; `[]` steps into a list. */
function at(schema: Schema | undefined, path: string): Schema | undefined {
  return path.split('.').reduce<Schema | undefined>((each, step) => {
    const child = each?.properties?.[step.replace('[]', '')];
    return step.endsWith('[]') ? child?.items : child;
  }, schema);
}

function check(
  typeName: string,
  path: string,
  expected: { readonly [Fact in keyof Schema]?: Schema[Fact] | undefined },
): void {
  const found = at(schemaOfType(typeName), path);
  assert.ok(found, `${typeName} has ${path}`);
  const picked = Object.fromEntries(Object.keys(expected).map((key) => [key, found[key as keyof Schema]]));
  assert.deepEqual(picked, expected);
}

test('there is a row for each of the 68 stable resources, and no two claim one path', () => {
  const paths = builtinRows().map(({ gvr }) => `${gvr.group}/${gvr.version}/${gvr.resource}`);
  assert.equal(paths.length, 68);
  assert.equal(new Set(paths).size, 68);
});

test('every row and every body of a subresource has a schema, and every listed kind a list', () => {
  const missing = builtinRows().flatMap((row) => {
    const kinds: Gvk[] = [row.gvk, ...row.subresources.map((each) => subresourceKind(row, each))];
    if (row.verbs.includes('list')) kinds.push({ ...row.gvk, kind: row.listKind });
    return kinds.filter((gvk) => schemaFor(gvk) === undefined);
  });
  assert.deepEqual(missing, []);
});

test('the paths of relations, nodes and scales lead somewhere in the schema', () => {
  const lost = builtinRows().flatMap((row) => {
    const scale = row.scale === undefined ? [] : [row.scale.specPath, row.scale.statusPath];
    const paths = [
      ...row.relations.flatMap((relation) => relation.namePaths),
      ...scale,
      row.nodePath ?? 'metadata.name',
    ];
    return paths
      .filter((path) => at(schemaFor(row.gvk), path) === undefined)
      .map((path) => `${row.gvr.resource} ${path}`);
  });
  assert.deepEqual(lost, []);
});

test('every type can be followed down to its scalars', () => {
  for (const name of allTypeNames()) assert.ok(schemaOfType(name)?.properties, name);
});

test('lists know how strategic merge and server-side apply merge them', () => {
  check('core.v1.PodSpec', 'containers', {
    listType: 'map',
    listMapKeys: ['name'],
    patchMergeKey: 'name',
    patchStrategy: ['merge'],
  });
  check('core.v1.Container', 'ports', { listMapKeys: ['containerPort', 'protocol'], patchMergeKey: 'containerPort' });
  check('core.v1.PodSpec', 'volumes', { patchStrategy: ['merge', 'retainKeys'], patchMergeKey: 'name' });
  check('core.v1.PodSpec', 'topologySpreadConstraints', {
    listMapKeys: ['topologyKey', 'whenUnsatisfiable'],
    patchMergeKey: 'topologyKey',
  });
  check('apps.v1.DeploymentSpec', 'strategy', { patchStrategy: ['retainKeys'] });
  check('batch.v1.JobStatus', 'conditions', { listType: 'atomic', patchStrategy: ['merge'], patchMergeKey: 'type' });
  check('meta.v1.ObjectMeta', 'finalizers', { listType: 'set', patchStrategy: ['merge'] });
  check('core.v1.Container', 'command', { listType: 'atomic' });
});

test('structs and maps know whether they are replaced as a whole', () => {
  check('core.v1.PodSpec', 'nodeSelector', { mapType: 'atomic' });
  check('core.v1.EnvVarSource', 'configMapKeyRef', { mapType: 'atomic' });
  check('core.v1.PersistentVolumeSpec', 'claimRef', { mapType: 'granular' });
  check('apps.v1.DeploymentSpec', 'template', { mapType: undefined });
});

test('scalars have the JSON form that Go code gives them', () => {
  check('core.v1.ServicePort', 'targetPort', { intOrString: true, type: undefined });
  check('core.v1.Secret', 'data', { additionalProperties: { type: 'string', format: 'byte' } });
  check('core.v1.ResourceRequirements', 'limits', { additionalProperties: { type: 'string', format: 'quantity' } });
  check('meta.v1.ObjectMeta', 'creationTimestamp', { type: 'string', format: 'date-time' });
  check('coordination.v1.LeaseSpec', 'renewTime', { format: 'micro-time' });
  check('core.v1.Container', 'imagePullPolicy', { enum: ['Always', 'IfNotPresent', 'Never'] });
  check('authentication.v1.UserInfo', 'extra', { additionalProperties: { type: 'array', items: { type: 'string' } } });
});

test('defaults and requiredness come from the markers', () => {
  check('core.v1.ContainerPort', 'protocol', { default: 'TCP' });
  assert.deepEqual(schemaOfType('core.v1.ContainerPort')?.required, ['containerPort']);
  assert.deepEqual(schemaOfType('apps.v1.DeploymentSpec')?.required, ['selector', 'template']);
});

test('a field whose zero says nothing is told from one whose zero is a choice', () => {
  check('core.v1.Container', 'image', { omitZero: true });
  check('apps.v1.DeploymentSpec', 'replicas', { omitZero: undefined });
  check('core.v1.PersistentVolumeClaimSpec', 'storageClassName', { omitZero: undefined });
  check('core.v1.Container', 'resources', { omitZero: undefined });
});

test('a schema that contains itself ends where the value ends', () => {
  const path = 'properties.additionalProperties';
  assert.ok(schemaOfType('apiextensions.v1.JSONSchemaProps'));
  const props = schemaOfType('apiextensions.v1.JSONSchemaProps')?.properties;
  assert.equal(props?.not?.properties?.not?.properties?.type?.type, 'string', path);
});

test('kinds are found by group, and shared bodies in every group', () => {
  const named = (group: string, version: string, kind: string) => typeNameOf({ group, version, kind });
  assert.equal(named('rbac.authorization.k8s.io', 'v1', 'Role'), 'rbac.v1.Role');
  assert.equal(named('', 'v1', 'Pod'), 'core.v1.Pod');
  assert.equal(named('apps', 'v1', 'DeleteOptions'), 'meta.v1.DeleteOptions');
  assert.equal(named('stable.example.com', 'v1', 'DeleteOptions'), 'meta.v1.DeleteOptions');
  assert.equal(named('apps.example.com', 'v1', 'Deployment'), undefined);
  assert.equal(named('', 'v1', 'constructor'), undefined);
  assert.equal(named('', 'v1', '__proto__'), undefined);
});
