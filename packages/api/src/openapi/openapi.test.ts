import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customResources } from '../crd/index.ts';
import { builtinRows, schemaFor } from '../facts/index.ts';
import type { CustomResourceDefinition } from '../generated/types.ts';
import { formatApiVersion, type Gvk, parseApiVersion } from '../names.ts';
import {
  aggregatedDiscovery,
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  compareVersions,
  hashOf,
  openApiV2,
  openApiV3,
} from './index.ts';

const CRD: CustomResourceDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', kind: 'CronTab' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', description: 'What is wanted.', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
};
const [CRONTAB] = customResources(CRD);
const ROWS = [...builtinRows(), ...(CRONTAB === undefined ? [] : [CRONTAB.row])];
const schemas = (gvk: Gvk) =>
  gvk.group === 'stable.example.com' && gvk.kind === 'CronTab' ? CRONTAB?.schema : schemaFor(gvk);

type Tree = { readonly [key: string]: Tree } & { readonly length?: number };

function document(groupVersion: string): Tree {
  return openApiV3(parseApiVersion(groupVersion), ROWS, schemas) as unknown as Tree;
}

function at(tree: Tree, ...steps: readonly string[]): unknown {
  return steps.reduce<Tree | undefined>((each, step) => each?.[step], tree);
}

function danglingReferences(tree: object, models: object): string[] {
  const text = JSON.stringify(tree);
  const names = [...text.matchAll(/"\$ref":"#\/[^"]*\/([^"/]+)"/g)].map((match) => match[1] ?? '');
  return [...new Set(names)].filter((name) => !Object.hasOwn(models, name));
}

test('every reference in every document leads to a model', () => {
  for (const groupVersion of new Set(ROWS.map(({ gvr }) => formatApiVersion(gvr)))) {
    const found = openApiV3(parseApiVersion(groupVersion), ROWS, schemas);
    assert.deepEqual(danglingReferences(found, found.components.schemas), [], groupVersion);
  }
  const v2 = openApiV2(ROWS, schemas);
  assert.deepEqual(danglingReferences(v2, v2.definitions), []);
});

test('patching says that fields are validated, which is what kubectl looks for', () => {
  const patch = at(
    document('apps/v1'),
    'paths',
    '/apis/apps/v1/namespaces/{namespace}/deployments/{name}',
    'patch',
  ) as {
    parameters: { name: string }[];
    [extension: string]: unknown;
  };
  assert.deepEqual(
    patch.parameters.map(({ name }) => name),
    ['dryRun', 'fieldManager', 'fieldValidation', 'force'],
  );
  assert.equal(patch['x-kubernetes-action'], 'patch');
  assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: 'apps', version: 'v1', kind: 'Deployment' });
});

test('models have the names and the merge facts of Kubernetes', () => {
  const models = document('apps/v1').components?.schemas as Tree;
  assert.deepEqual(at(models, 'io.k8s.api.apps.v1.Deployment', 'x-kubernetes-group-version-kind'), [
    { group: 'apps', kind: 'Deployment', version: 'v1' },
  ]);
  assert.deepEqual(at(models, 'io.k8s.api.core.v1.PodSpec', 'properties', 'containers'), {
    type: 'array',
    items: { $ref: '#/components/schemas/io.k8s.api.core.v1.Container' },
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-patch-merge-key': 'name',
  });
  assert.equal(at(models, 'io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector', 'x-kubernetes-map-type'), 'atomic');
  assert.deepEqual(
    at(models, 'io.k8s.api.apps.v1.DeploymentSpec', 'properties', 'strategy', 'x-kubernetes-patch-strategy'),
    'retainKeys',
  );
});

test('custom kinds are models like any other, with the words of their author', () => {
  const models = document('stable.example.com/v1').components?.schemas as Tree;
  assert.equal(at(models, 'com.example.stable.v1.CronTab', 'properties', 'spec', 'description'), 'What is wanted.');
  assert.equal(
    at(models, 'com.example.stable.v1.CronTab', 'properties', 'spec', 'x-kubernetes-preserve-unknown-fields'),
    true,
  );
  assert.deepEqual(at(models, 'com.example.stable.v1.CronTabList', 'properties', 'items', 'items'), {
    $ref: '#/components/schemas/com.example.stable.v1.CronTab',
  });
});

test('a strategic patch is offered for built-in kinds alone, since kubectl sends one where it is offered', () => {
  const offers = (groupVersion: string, path: string) => {
    const content = at(document(groupVersion), 'paths', path, 'patch', 'requestBody', 'content') as object;
    return Object.keys(content).includes('application/strategic-merge-patch+json');
  };
  assert.equal(offers('v1', '/api/v1/namespaces/{namespace}/pods/{name}'), true);
  assert.equal(
    offers('stable.example.com/v1', '/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}'),
    false,
  );
});

test('operation ids are unique, and the same rows give the same hash', () => {
  const text = JSON.stringify(openApiV2(ROWS, schemas));
  const ids = [...text.matchAll(/"operationId":"([^"]+)"/g)].map((match) => match[1]);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(hashOf(document('v1')), hashOf(document('v1')));
  assert.notEqual(hashOf(document('v1')), hashOf(document('apps/v1')));
});

test('discovery lists resources with their subresources, each by its kind', () => {
  const list = apiResourceList({ group: '', version: 'v1' }, ROWS);
  const named = (name: string) => list?.resources.find((resource) => resource.name === name);
  assert.deepEqual(named('pods/eviction'), {
    name: 'pods/eviction',
    singularName: '',
    namespaced: true,
    group: 'policy',
    version: 'v1',
    kind: 'Eviction',
    verbs: ['create'],
  });
  assert.deepEqual(named('nodes')?.shortNames, ['no']);
  assert.equal(named('nodes')?.namespaced, false);
  assert.equal(apiResourceList({ group: 'nope', version: 'v1' }, ROWS), undefined);
});

test('groups name their versions, the preferred one first', () => {
  const group = apiGroupDocument('autoscaling', ROWS) as { preferredVersion: object; versions: object[] };
  assert.deepEqual(group.preferredVersion, { groupVersion: 'autoscaling/v2', version: 'v2' });
  assert.equal(group.versions.length, 2);
  assert.equal(apiGroupDocument('nope', ROWS), undefined);
  const { groups } = apiGroupList(ROWS) as { groups: { name: string }[] };
  assert.ok(!groups.some(({ name }) => name === ''));
  const sorted = ['v1beta1', 'v10', 'foo', 'v1', 'v1alpha2', 'v2beta1', 'v1alpha1'].sort(compareVersions);
  assert.deepEqual(sorted, ['v10', 'v1', 'v2beta1', 'v1beta1', 'v1alpha2', 'v1alpha1', 'foo']);
});

test('aggregated discovery holds the core group or all others', () => {
  const items = (which: 'core' | 'groups') =>
    (aggregatedDiscovery(ROWS, which) as { items: { metadata: { name?: string }; versions: Tree[] }[] }).items;
  assert.equal(items('core').length, 1);
  assert.ok(items('groups').every(({ metadata }) => metadata.name !== undefined));
  const apps = items('groups').find(({ metadata }) => metadata.name === 'apps');
  const resources = apps?.versions[0]?.resources as unknown as {
    resource: string;
    scope: string;
    subresources: object[];
  }[];
  const deployments = resources.find(({ resource }) => resource === 'deployments');
  assert.equal(deployments?.scope, 'Namespaced');
  assert.deepEqual(deployments?.subresources[0], {
    subresource: 'scale',
    responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    verbs: ['get', 'patch', 'update'],
  });
});
