import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, ResourceRow } from '@skerry/api';
import { builtinRows } from '@skerry/api/facts';
import { parseKey } from '../store/key.ts';
import { EVERY_NODE, type Links, linkRule, linksOf, NO_LINKS } from './links.ts';

function rowOf(group: string, resource: string): ResourceRow | undefined {
  return builtinRows().find(({ gvr }) => gvr.group === group && gvr.resource === resource);
}

function check(key: string, content: object, expected: Partial<Links>, row?: ResourceRow): void {
  const at = parseKey(key);
  const known = row ?? rowOf(at.group, at.resource);
  assert.ok(known !== undefined, key);
  const object = { apiVersion: 'v1', kind: 'Any', metadata: { name: at.name }, ...content } as KubeObject;
  const links = linksOf(linkRule(known), at, object, (group, resource) => rowOf(group, resource)?.namespaced ?? true);
  const sorted = { ...NO_LINKS, ...expected };
  for (const part of ['nodes', 'targets', 'sources'] as const) {
    assert.deepEqual(links[part].toSorted(), [...sorted[part]].sort(), part);
  }
}

test('a pod needs what its volumes, environment, account and class name, and what surrounds it', () =>
  check(
    '/pods/shop/web',
    {
      spec: {
        nodeName: 'n1',
        serviceAccountName: 'seller',
        runtimeClassName: 'fast',
        imagePullSecrets: [{ name: 'pull' }],
        volumes: [
          { name: 'a', configMap: { name: 'config' } },
          { name: 'b', secret: { secretName: 'tls' } },
          { name: 'c', projected: { sources: [{ secret: { name: 'part' } }, { configMap: { name: 'config' } }] } },
          { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
        ],
        containers: [{ name: 'main', envFrom: [{ configMapRef: { name: 'env' } }], env: [{ name: 'X', value: 'x' }] }],
        initContainers: [{ name: 'i', env: [{ name: 'Y', valueFrom: { secretKeyRef: { name: 'key', key: 'k' } } }] }],
      },
    },
    {
      nodes: ['n1'],
      targets: [
        '/configmaps/shop/config',
        '/configmaps/shop/env',
        '/configmaps/shop/kube-root-ca.crt',
        '/namespaces//shop',
        '/persistentvolumeclaims/shop/data',
        '/secrets/shop/key',
        '/secrets/shop/part',
        '/secrets/shop/pull',
        '/secrets/shop/tls',
        '/serviceaccounts/shop/seller',
        '@pods/shop',
        'node.k8s.io/runtimeclasses//fast',
      ],
    },
  ));

test('a pod without a node needs things, but concerns nobody', () =>
  check('/pods/shop/web', { spec: { serviceAccountName: 'seller' } }, { targets: ['/serviceaccounts/shop/seller'] }));

test('a binding follows the accounts that it names and takes its role along', () =>
  check(
    'rbac.authorization.k8s.io/rolebindings/shop/sellers',
    {
      roleRef: { kind: 'Role', name: 'sell' },
      subjects: [
        { kind: 'ServiceAccount', name: 'seller' },
        { kind: 'ServiceAccount', name: 'auditor', namespace: 'office' },
        { kind: 'User', name: 'system:serviceaccount:office:chief' },
        { kind: 'Group', name: 'system:serviceaccounts:shop' },
        { kind: 'User', name: 'anne' },
      ],
    },
    {
      targets: ['rbac.authorization.k8s.io/roles/shop/sell'],
      sources: [
        '/serviceaccounts/office/auditor',
        '/serviceaccounts/office/chief',
        '/serviceaccounts/shop/seller',
        '@pods/shop',
      ],
    },
  ));

test('a cluster role binding for all accounts is for every node', () =>
  check(
    'rbac.authorization.k8s.io/clusterrolebindings//all',
    {
      roleRef: { kind: 'ClusterRole', name: 'basic' },
      subjects: [{ kind: 'Group', name: 'system:serviceaccounts' }, null],
    },
    { nodes: [EVERY_NODE], targets: ['rbac.authorization.k8s.io/clusterroles//basic'] },
  ));

test('services, and endpoints that are nowhere in particular, go where pods of their namespace are', () => {
  check('/services/shop/web', {}, { sources: ['@pods/shop'] });
  check('discovery.k8s.io/endpointslices/shop/web-1', { endpoints: [{}] }, { sources: ['@pods/shop'] });
});

test('endpoints of a node go to that node, and the API’s own service goes everywhere', () => {
  const endpoints = [{ nodeName: 'n1' }, { nodeName: 'n1' }];
  check('discovery.k8s.io/endpointslices/shop/web-1', { endpoints }, { nodes: ['n1'], targets: ['/namespaces//shop'] });
  check('/services/default/kubernetes', {}, { nodes: [EVERY_NODE] });
});

test('a node’s Node and lease are its own, other leases are nobody’s', () => {
  check('/nodes//n1', {}, { nodes: ['n1'] });
  check('coordination.k8s.io/leases/kube-node-lease/n1', {}, { nodes: ['n1'] });
  check('coordination.k8s.io/leases/kube-system/controller', {}, {});
});

test('own definitions are everywhere, those of others are not', () => {
  const prefix = 'apiextensions.k8s.io/customresourcedefinitions//';
  check(`${prefix}devices.devices.skerry.io`, {}, { nodes: [EVERY_NODE] });
  check(`${prefix}things.example.com`, {}, {});
});

test('a placed kind is at every node that its status lists, and its status draws nothing else there', () => {
  const pods = rowOf('', 'pods');
  assert.ok(pods !== undefined);
  const gvr = { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'devices' };
  const to = { group: '', version: 'v1', resource: 'secrets' };
  const relations = [{ to, namePaths: ['spec.credentials.secretName', 'status.wanted[]'] }];
  check(
    'devices.skerry.io/devices/plant/pump',
    { spec: { credentials: { secretName: 'pin' } }, status: { nodes: ['n1', 'n2', 'n1'], wanted: ['prey'] } },
    { nodes: ['n1', 'n2'], targets: ['/namespaces//plant', '/secrets/plant/pin'] },
    { ...pods, gvr, nodePath: 'status.nodes[]', relations },
  );
});

test('content of any shape is no reason to fail', () => {
  for (const spec of [null, 3, 'text', [], { volumes: {} }, { volumes: [null, 1, { configMap: [] }] }]) {
    check('/pods/shop/web', { spec }, {});
  }
  for (const subjects of [null, 3, {}, [null, 1, { kind: 1 }]]) {
    check('rbac.authorization.k8s.io/rolebindings/shop/odd', { subjects, roleRef: null }, {});
  }
});

test('a volume that is pinned to a node concerns it, also when no pod there uses it any more', () => {
  const pinned = (...values: string[]) => ({
    spec: {
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values }] }],
        },
      },
    },
  });
  check('/persistentvolumes//pvc-1', pinned('n1'), { nodes: ['n1'] });
  check('/persistentvolumes//pvc-2', { spec: { hostPath: { path: '/srv' } } }, {});
});

test('a claim that was made for a pod goes where the pod is', () => {
  const owner = (apiVersion: string, kind: string) => ({
    metadata: { name: 'web-data', ownerReferences: [{ apiVersion, kind, name: 'web', uid: 'u' }] },
    spec: { volumeName: 'pvc-1' },
  });
  const targets = ['/persistentvolumes//pvc-1'];
  check('/persistentvolumeclaims/shop/web-data', owner('v1', 'Pod'), { targets, sources: ['/pods/shop/web'] });
  check('/persistentvolumeclaims/shop/web-data', owner('apps/v1', 'StatefulSet'), { targets });
});
