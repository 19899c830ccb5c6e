import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, UserInfo } from '@skerry/api';
import { podRelations } from '@skerry/api/facts';
import { createNodeAuthorizer, type NodeWrite, nodeRestriction } from './index.ts';

const A: UserInfo = { username: 'system:node:a', groups: ['system:nodes', 'system:authenticated'] };

const CONCERNS_A = new Set([
  '/secrets/shop/mine',
  '/configmaps/shop/mine',
  '/pods/shop/mine',
  'devices.skerry.io/devices/shop/mine',
  '/serviceaccounts/shop/mine',
  '/persistentvolumeclaims/shop/mine',
  '/services/shop/mine',
  '/namespaces//shop',
  'apiextensions.k8s.io/customresourcedefinitions//devices.devices.skerry.io',
]);
const PLACED_AT_A = new Set([
  '/pods/shop/mine',
  'devices.skerry.io/devices/shop/mine',
  'devices.skerry.io/valves/shop/mine',
]);

const authorizer = createNodeAuthorizer({
  concerns: (node, { group, resource, namespace, name }) =>
    node === 'a' && CONCERNS_A.has(`${group}/${resource}/${namespace}/${name}`),
  isPlaced: (node, { group, resource, namespace, name }) =>
    node === 'a' && PLACED_AT_A.has(`${group}/${resource}/${namespace}/${name}`),
  isEdgeOrigin: (_group, resource) => resource === 'alerts',
  isEdgeWritable: (_group, resource) => resource === 'valves',
});

interface Request {
  readonly verb: string;
  readonly kind: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly selector?: string;
  readonly as?: UserInfo;
}

function check(given: Request, allowed: boolean): void {
  const [group = '', resource = '', subresource] = given.kind.split('/');
  const { name, namespace, selector: fieldSelector } = given;
  const at = {
    ...(name && { name }),
    ...(namespace && { namespace }),
    ...(subresource && { subresource }),
    ...(fieldSelector && { fieldSelector }),
  };
  const decision = authorizer.authorize({
    user: given.as ?? A,
    verb: given.verb,
    path: '',
    resource: { group, version: 'v1', resource, ...at },
  });
  assert.equal(decision.allowed, allowed, JSON.stringify(given));
}

const mine = { name: 'mine', namespace: 'shop' };
const other = { name: 'other', namespace: 'shop' };

test('a node fetches the keys it verifies tokens with, and no other path by being a node', () => {
  const may = (verb: string, path: string, user = A) => authorizer.authorize({ user, verb, path }).allowed;
  assert.ok(may('get', '/openid/v1/jwks'));
  assert.ok(may('get', '/.well-known/openid-configuration'));
  assert.ok(!may('post', '/openid/v1/jwks'));
  assert.ok(!may('get', '/metrics'));
  assert.ok(!may('get', '/openid/v1/jwks', { username: 'eve', groups: ['system:authenticated'] }));
});

test('a node reads what concerns it and nothing else', () => {
  for (const kind of ['/secrets', '/configmaps', '/pods', 'devices.skerry.io/devices']) {
    check({ verb: 'get', kind, ...mine }, true);
    check({ verb: 'get', kind, ...other }, false);
    check({ verb: 'watch', kind, namespace: 'shop', selector: 'metadata.name=mine' }, true);
    check({ verb: 'list', kind, namespace: 'shop', selector: 'metadata.name=other' }, false);
    check({ verb: 'list', kind, namespace: 'shop' }, false);
    check({ verb: 'list', kind }, false);
    check({ verb: 'delete', kind: kind.replace('/pods', '/configmaps'), ...mine }, false);
  }
  check({ verb: 'update', kind: '/secrets', ...mine }, false);
});
test('a node lists its pods by its own name only', () => {
  check({ verb: 'list', kind: '/pods', selector: 'spec.nodeName=a' }, true);
  check({ verb: 'watch', kind: '/pods', selector: 'status.phase!=Failed,spec.nodeName=a' }, true);
  check({ verb: 'list', kind: '/pods', selector: 'spec.nodeName=b' }, false);
  check({ verb: 'list', kind: '/pods', selector: 'spec.nodeName!=a' }, false);
});
test('a node writes the status of what is placed at it, and of nothing that only concerns it', () => {
  check({ verb: 'patch', kind: '/pods/status', ...mine }, true);
  check({ verb: 'update', kind: '/pods/status', ...other }, false);
  for (const kind of ['/persistentvolumeclaims/status', '/services/status']) {
    check({ verb: 'update', kind, ...mine }, false);
  }
  check({ verb: 'update', kind: '/namespaces/status', name: 'shop' }, false);
  const definition = { kind: 'apiextensions.k8s.io/customresourcedefinitions', name: 'devices.devices.skerry.io' };
  check({ verb: 'get', ...definition }, true);
  check({ verb: 'patch', ...definition, kind: `${definition.kind}/status` }, false);
});
test('a node writes the status of its devices, not their spec', () => {
  check({ verb: 'patch', kind: 'devices.skerry.io/devices/status', ...mine }, true);
  check({ verb: 'patch', kind: 'devices.skerry.io/devices/status', ...other }, false);
  check({ verb: 'patch', kind: 'devices.skerry.io/devices', ...mine }, false);
  check({ verb: 'create', kind: '/serviceaccounts/token', ...mine }, true);
  check({ verb: 'create', kind: '/serviceaccounts/token', ...other }, false);
});
test('of kinds with fields for the edge a node writes what is placed at it, and deletes nothing', () => {
  check({ verb: 'update', kind: 'devices.skerry.io/valves', ...mine }, true);
  check({ verb: 'update', kind: 'devices.skerry.io/valves', ...other }, false);
  check({ verb: 'create', kind: 'devices.skerry.io/valves', namespace: 'shop' }, false);
  check({ verb: 'delete', kind: 'devices.skerry.io/valves', ...mine }, false);
});
test('a node’s Node and lease are its own', () => {
  check({ verb: 'create', kind: '/nodes' }, true);
  check({ verb: 'patch', kind: '/nodes/status', name: 'a' }, true);
  check({ verb: 'patch', kind: '/nodes/status', name: 'b' }, false);
  check({ verb: 'get', kind: '/nodes', name: 'b' }, false);
  check({ verb: 'delete', kind: '/nodes', name: 'a' }, false);
  check({ verb: 'update', kind: 'coordination.k8s.io/leases', name: 'a', namespace: 'kube-node-lease' }, true);
  check({ verb: 'update', kind: 'coordination.k8s.io/leases', name: 'b', namespace: 'kube-node-lease' }, false);
  check({ verb: 'update', kind: 'coordination.k8s.io/leases', name: 'a', namespace: 'kube-system' }, false);
});
test('a node makes objects of kinds that come from the edge', () => {
  check({ verb: 'create', kind: 'operations.skerry.io/alerts', namespace: 'shop' }, true);
  check({ verb: 'create', kind: 'operations.skerry.io/others', namespace: 'shop' }, false);
  check({ verb: 'create', kind: '/events', namespace: 'shop' }, true);
});
test('who only calls themselves a node is none', () => {
  check(
    { verb: 'get', kind: '/secrets', ...mine, as: { username: 'system:node:a', groups: ['system:authenticated'] } },
    false,
  );
  check({ verb: 'get', kind: '/secrets', ...mine, as: { username: 'a', groups: ['system:nodes'] } }, false);
  check({ verb: 'get', kind: '/secrets', ...mine, as: { username: 'system:node:', groups: ['system:nodes'] } }, false);
});

const pods: Readonly<Record<string, KubeObject>> = {
  mine: pod('mine', { nodeName: 'a', serviceAccountName: 'web' }),
  theirs: pod('theirs', { nodeName: 'b', serviceAccountName: 'web' }),
};

function pod(name: string, spec: object, annotations: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', uid: `u-${name}`, annotations }, spec };
}

function node(labels: Record<string, string>, spec: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a', labels }, spec };
}

function restrict(write: Partial<NodeWrite>, expected: RegExp | undefined): void {
  const whole: NodeWrite = { user: A, verb: 'update', group: '', resource: 'nodes', name: 'a', ...write };
  const reason = nodeRestriction(whole, { getPod: (_namespace, name) => pods[name] });
  if (expected) assert.match(reason ?? '', expected);
  else assert.equal(reason, undefined);
}

test('a node labels itself, but not into a pool, a site or a guarded domain', () => {
  restrict(
    {
      object: node({
        'kubernetes.io/arch': 'amd64',
        'runtime.skerry.io/process': 'true',
        mine: 'x',
        'skerry.io/edge': 'true',
      }),
      verb: 'create',
    },
    undefined,
  );
  for (const label of [
    'apps.skerry.io/pool',
    'skerry.io/site',
    'node-restriction.kubernetes.io/x',
    'node-role.kubernetes.io/control-plane',
  ]) {
    restrict({ object: node({ [label]: 'x' }), verb: 'create' }, /label/);
    restrict({ old: node({ [label]: 'x' }), object: node({}) }, /label/);
    restrict({ old: node({ [label]: 'x' }), object: node({ [label]: 'x', mine: 'y' }) }, undefined);
  }
});
test('a node touches no other node, and not its own taints', () => {
  restrict({ name: 'b', object: node({}) }, /not allowed to modify node "b"/);
  restrict({ old: node({}, { taints: [{ key: 'x' }] }), object: node({}) }, /taints/);
});
test('a node deletes and evicts its own pods only, and creates mirror pods only', () => {
  const at = { group: '', resource: 'pods', namespace: 'shop' };
  restrict({ ...at, verb: 'delete', name: 'mine' }, undefined);
  restrict({ ...at, verb: 'delete', name: 'theirs' }, /only delete pods/);
  restrict({ ...at, verb: 'create', subresource: 'eviction', name: 'theirs' }, /only evict pods/);
  restrict({ ...at, verb: 'create', name: 'x', object: pod('x', { nodeName: 'a' }) }, /mirror/);
  const mirror = { 'kubernetes.io/config.mirror': 'hash' };
  restrict({ ...at, verb: 'create', name: 'x', object: pod('x', { nodeName: 'a' }, mirror) }, undefined);
  restrict({ ...at, verb: 'create', name: 'x', object: pod('x', { nodeName: 'b' }, mirror) }, /nodeName/);
  const withSecret = { nodeName: 'a', containers: [{ envFrom: [{ secretRef: { name: 's' } }] }] };
  restrict({ ...at, verb: 'create', name: 'x', object: pod('x', withSecret, mirror) }, /secrets/);
  restrict(
    {
      ...at,
      verb: 'update',
      subresource: 'status',
      name: 'theirs',
      old: pods.theirs as KubeObject,
      object: pods.theirs as KubeObject,
    },
    /nodeName/,
  );
});
test('a node gets tokens only for its own pods and their account', () => {
  const ask = (name: string, bound: object): Partial<NodeWrite> => ({
    verb: 'create',
    resource: 'serviceaccounts',
    subresource: 'token',
    namespace: 'shop',
    name,
    object: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: { boundObjectRef: bound },
    },
  });
  restrict(ask('web', { kind: 'Pod', name: 'mine', uid: 'u-mine' }), undefined);
  restrict(ask('web', { kind: 'Pod', name: 'mine', uid: 'u-old' }), /not its own/);
  restrict(ask('web', { kind: 'Pod', name: 'theirs', uid: 'u-theirs' }), /not its own/);
  restrict(ask('admin', { kind: 'Pod', name: 'mine', uid: 'u-mine' }), /another account/);
  restrict(ask('web', {}), /bound to a pod/);
});
test('a lease is the node’s own, and others are not restricted', () => {
  const at = { group: 'coordination.k8s.io', resource: 'leases', verb: 'create' as const };
  restrict({ ...at, namespace: 'kube-node-lease', name: 'a' }, undefined);
  restrict({ ...at, namespace: 'kube-node-lease', name: 'b' }, /only access lease/);
  restrict({ name: 'b', user: { username: 'admin', groups: [] } }, undefined);
});

/** `value` at a dotted path of a row. */
function placedAt([step = '', ...rest]: readonly string[], value: unknown): Record<string, unknown> {
  const child = rest.length === 0 ? value : placedAt(rest, value);
  return step.endsWith('[]') ? { [step.slice(0, -2)]: [child] } : { [step]: child };
}

test('a mirror pod names nothing by any path that the relations of pods follow', () => {
  const at = { verb: 'create' as const, resource: 'pods', namespace: 'shop', name: 'x' };
  const mirror = { 'kubernetes.io/config.mirror': 'hash' };
  for (const { to, namePaths } of podRelations()) {
    for (const path of namePaths) {
      assert.match(path, /^spec\./, 'a status is the node’s to write, and must draw nothing');
      const { spec } = placedAt(path.split('.'), 'prey') as { spec: object };
      const isOpen = to.resource === 'runtimeclasses';
      restrict({ ...at, object: pod('x', { nodeName: 'a', ...spec }, mirror) }, isOpen ? undefined : /reference/);
    }
  }
  const token = { volumes: [{ projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }] };
  restrict({ ...at, object: pod('x', { nodeName: 'a', ...token }, mirror) }, /service account tokens/);
});
