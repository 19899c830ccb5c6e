import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UserInfo } from '@skerry/api';
import { type ScratchServer, scratchServer } from '../testing/scratch-server.ts';

const PODS = '/api/v1/namespaces/default/pods';
const SERVICES = '/api/v1/namespaces/default/services';

const pod = (spec: object = {}, metadata: object = {}) => ({
  metadata: { name: 'p', ...metadata },
  spec: { containers: [{ name: 'c', image: 'host' }], ...spec },
});

const service = (name: string, spec: object = {}) => ({ metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } });

test('a pod gets its account, its token, its tolerations and its priority', async () => {
  const { ask } = scratchServer();
  const { spec } = (await ask('POST', PODS, { body: pod() })).json;
  assert.equal(spec.serviceAccountName, 'default');
  const [mount] = spec.containers[0].volumeMounts;
  assert.equal(mount.mountPath, '/var/run/secrets/kubernetes.io/serviceaccount');
  const volume = spec.volumes.find(({ name }: { name: string }) => name === mount.name);
  assert.deepEqual(
    volume.projected.sources.map((source: object) => Object.keys(source)[0]),
    ['serviceAccountToken', 'configMap', 'downwardAPI'],
  );
  assert.deepEqual(
    spec.tolerations.map(({ key, tolerationSeconds }: { key: string; tolerationSeconds: number }) => [
      key,
      tolerationSeconds,
    ]),
    [
      ['node.kubernetes.io/not-ready', 300],
      ['node.kubernetes.io/unreachable', 300],
    ],
  );
  assert.deepEqual([spec.priority, spec.preemptionPolicy], [0, 'PreemptLowerPriority']);
});

test('who asks for no token gets none, the pod before its account', async () => {
  const { ask } = scratchServer();
  await ask('POST', '/api/v1/namespaces/default/serviceaccounts', {
    body: { metadata: { name: 'quiet' }, automountServiceAccountToken: false, imagePullSecrets: [{ name: 'pull' }] },
  });
  const quiet = await ask('POST', PODS, { body: pod({ serviceAccountName: 'quiet' }) });
  assert.equal(quiet.json.spec.volumes, undefined);
  assert.deepEqual(quiet.json.spec.imagePullSecrets, [{ name: 'pull' }]);
  const loud = pod({ serviceAccountName: 'quiet', automountServiceAccountToken: true }, { name: 'q' });
  assert.equal((await ask('POST', PODS, { body: loud })).json.spec.volumes.length, 1);
  const unknown = await ask('POST', PODS, { body: pod({ serviceAccountName: 'nobody' }, { name: 'r' }) });
  assert.equal(unknown.status, 403);
  assert.match(unknown.json.message, /error looking up service account default\/nobody/);
});

test('priority classes become numbers', async () => {
  const { ask } = scratchServer();
  await ask('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', {
    body: { metadata: { name: 'high' }, value: 1000 },
  });
  const high = await ask('POST', PODS, { body: pod({ priorityClassName: 'high' }) });
  assert.equal(high.json.spec.priority, 1000);
  const system = await ask('POST', PODS, { body: pod({ priorityClassName: 'system-node-critical' }, { name: 'q' }) });
  assert.equal(system.json.spec.priority, 2_000_001_000);
  const unknown = await ask('POST', PODS, { body: pod({ priorityClassName: 'none' }, { name: 'r' }) });
  assert.equal(unknown.status, 403);
});

test('runtime classes say where and at what cost', async () => {
  const { ask } = scratchServer();
  await ask('POST', '/apis/node.k8s.io/v1/runtimeclasses', {
    body: {
      metadata: { name: 'process' },
      handler: 'process',
      overhead: { podFixed: { memory: '8Mi' } },
      scheduling: { nodeSelector: { 'runtime.skerry.io/process': 'true' } },
    },
  });
  const { spec } = (await ask('POST', PODS, { body: pod({ runtimeClassName: 'process' }) })).json;
  assert.deepEqual(spec.nodeSelector, { 'runtime.skerry.io/process': 'true' });
  assert.deepEqual(spec.overhead, { memory: '8Mi' });
  const unknown = await ask('POST', PODS, { body: pod({ runtimeClassName: 'none' }, { name: 'q' }) });
  assert.equal(unknown.status, 403);
});

test('nothing is made in a namespace that is not there', async () => {
  const { ask } = scratchServer();
  const { status, json } = await ask('POST', '/api/v1/namespaces/nowhere/configmaps', {
    body: { metadata: { name: 'm' } },
  });
  assert.equal(status, 404);
  assert.equal(json.message, 'namespaces "nowhere" not found');
});

test('services get addresses that nobody else has, and keep them', async () => {
  const { ask } = scratchServer();
  const first = (await ask('POST', SERVICES, { body: service('a', { type: 'NodePort' }) })).json.spec;
  assert.match(first.clusterIP, /^10\.(9[6-9]|10\d|11[01])\./);
  assert.deepEqual(first.clusterIPs, [first.clusterIP]);
  assert.ok(first.ports[0].nodePort >= 30_000 && first.ports[0].nodePort <= 32_767);
  const kept = await ask('PUT', `${SERVICES}/a`, { body: service('a', { type: 'NodePort', selector: { x: 'y' } }) });
  assert.equal(kept.json.spec.clusterIP, first.clusterIP);
  assert.equal(kept.json.spec.ports[0].nodePort, first.ports[0].nodePort);
  const same = await ask('POST', SERVICES, { body: service('b', { clusterIP: first.clusterIP }) });
  assert.equal(same.status, 422);
  assert.match(same.json.message, /provided IP is already allocated/);
  const samePort = service('b', { type: 'NodePort', ports: [{ port: 80, nodePort: first.ports[0].nodePort }] });
  assert.equal((await ask('POST', SERVICES, { body: samePort })).status, 422);
  const headless = await ask('POST', SERVICES, { body: service('c', { clusterIP: 'None' }) });
  assert.equal(headless.json.spec.clusterIP, 'None');
});

test('roles and bindings are asked about when they say more than before', async () => {
  const asked: string[] = [];
  const { ask } = scratchServer({
    access: {
      checkRole: ({ name }, rules) => asked.push(`role ${name} ${rules.length}`),
      checkBinding: ({ name }, { name: role }) => asked.push(`binding ${name} ${role}`),
    },
  });
  const url = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
  const role = { metadata: { name: 'r' }, rules };
  await ask('POST', `${url}/roles`, { body: role });
  await ask('PUT', `${url}/roles/r`, { body: { ...role, metadata: { name: 'r', labels: { a: 'b' } } } });
  await ask('PUT', `${url}/roles/r`, { body: { ...role, rules: [...rules, ...rules] } });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' };
  await ask('POST', `${url}/rolebindings`, { body: { metadata: { name: 'b' }, roleRef } });
  assert.deepEqual(asked, ['role r 1', 'role r 2', 'binding b r']);
});

const NODE: UserInfo = { username: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };

async function withNode(): Promise<ScratchServer> {
  const scratch = scratchServer();
  await scratch.ask('POST', '/api/v1/nodes', { body: { metadata: { name: 'n1' } } });
  await scratch.ask('POST', '/api/v1/nodes', { body: { metadata: { name: 'n2' } } });
  await scratch.ask('POST', PODS, { body: pod({ nodeName: 'n1' }, { name: 'mine' }) });
  await scratch.ask('POST', PODS, { body: pod({ nodeName: 'n2' }, { name: 'other' }) });
  return scratch;
}

const FORBIDDEN_TO_NODES: readonly (readonly [string, 'POST' | 'PATCH' | 'DELETE', string, object])[] = [
  ['write another node', 'PATCH', '/api/v1/nodes/n2/status', { status: { phase: 'x' } }],
  [
    'give itself a restricted label',
    'PATCH',
    '/api/v1/nodes/n1',
    { metadata: { labels: { 'node-restriction.kubernetes.io/a': 'b' } } },
  ],
  [
    'move itself to another pool',
    'PATCH',
    '/api/v1/nodes/n1',
    { metadata: { labels: { 'apps.skerry.io/pool': 'b' } } },
  ],
  ['change its own taints', 'PATCH', '/api/v1/nodes/n1', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }],
  ['make a pod', 'POST', PODS, pod({ nodeName: 'n1' }, { name: 'new' })],
  [
    'make a mirror pod that names a Secret',
    'POST',
    PODS,
    pod(
      { nodeName: 'n1', volumes: [{ name: 'v', csi: { driver: 'd', nodePublishSecretRef: { name: 'prey' } } }] },
      { name: 'new', annotations: { 'kubernetes.io/config.mirror': 'hash' } },
    ),
  ],
  ['write the status of a pod of another node', 'PATCH', `${PODS}/other/status`, { status: { message: 'x' } }],
  ['change the spec of its own pod', 'PATCH', `${PODS}/mine`, { spec: { activeDeadlineSeconds: 5 } }],
  ['delete a pod of another node', 'DELETE', `${PODS}/other`, {}],
  [
    'hold the lease of another node',
    'POST',
    '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases',
    { metadata: { name: 'n2' } },
  ],
];

for (const [what, method, url, body] of FORBIDDEN_TO_NODES) {
  test(`a node may not ${what}`, async () => {
    const { ask } = await withNode();
    const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
    const answer = await ask(method, url, { body, headers, user: NODE });
    assert.equal(answer.status, 403, answer.text);
  });
}

test('a node changes nothing but the status by way of a status', async () => {
  const { ask } = await withNode();
  const headers = { 'content-type': 'application/merge-patch+json' };
  const held = { metadata: { finalizers: ['example.com/hold'], annotations: { a: 'cloud' } } };
  await ask('PATCH', `${PODS}/mine`, { body: held, headers });
  const body = { metadata: { finalizers: [], annotations: { a: 'node' } }, status: { message: 'here' } };
  const { status, json } = await ask('PATCH', `${PODS}/mine/status`, { body, headers, user: NODE });
  assert.equal(status, 200);
  assert.deepEqual([json.metadata.finalizers, json.metadata.annotations], [['example.com/hold'], { a: 'cloud' }]);
  assert.equal(json.status.message, 'here');
});

test('a node may say how it and its pods are', async () => {
  const { ask } = await withNode();
  const headers = { 'content-type': 'application/merge-patch+json' };
  const labels = { metadata: { labels: { 'runtime.skerry.io/process': 'true', 'kubernetes.io/hostname': 'n1' } } };
  assert.equal((await ask('PATCH', '/api/v1/nodes/n1', { body: labels, headers, user: NODE })).status, 200);
  const status = { status: { conditions: [{ type: 'Ready', status: 'True' }] } };
  assert.equal((await ask('PATCH', `${PODS}/mine/status`, { body: status, headers, user: NODE })).status, 200);
  assert.equal((await ask('DELETE', `${PODS}/mine`, { body: { gracePeriodSeconds: 0 }, user: NODE })).status, 200);
});
