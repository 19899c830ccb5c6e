import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Gvr, KubeObject, UserInfo } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { DEVICE_MODELS, DEVICES, DEVICES_API_VERSION, deviceCrds, MQTT_BROKERS } from '@skerry/devices';
import { type Client, createInProcessClient } from '@skerry/kube/client';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { securityCrds } from '@skerry/security/identity';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { edgeFieldsStep, nodeRestrictionStep, revocationStep } from './admission.ts';
import { deviceStep } from './device-admission.ts';
import { runRoleAggregation } from './role-aggregation.ts';

const CLUSTER_ROLES: Gvr = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' };
const DEFINITIONS: Gvr = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' };
const IDENTITIES: Gvr = { group: 'security.skerry.io', version: 'v1alpha1', resource: 'nodeidentities' };
const NODES: Gvr = { group: '', version: 'v1', resource: 'nodes' };
const ADMIN: UserInfo = { username: 'admin', groups: ['system:masters'] };
const NODE: UserInfo = { username: 'system:node:edge-1', groups: ['system:nodes'] };

const PATIENCE = 100;

interface World {
  readonly clock: FakeClock;
  readonly admin: Client;
  readonly node: Client;
  readonly signal: AbortSignal;
  /** Ends with the story, once its signal is aborted. */
  readonly running: Promise<void>[];
}

/** An API server on a store of its own, asked by its administrator and by a node that everything is authorized for. */
async function check(story: (world: World) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-policy-'));
  const clock = fakeClock();
  const store = openStore({ file: join(folder, 'store.db'), clock, log: silentLogger });
  const authorizer = { authorize: () => ({ allowed: true }) };
  const api = createApiServer({
    store,
    clock,
    log: silentLogger,
    authorizer,
    admission: [nodeRestrictionStep, edgeFieldsStep, revocationStep, deviceStep],
  });
  const clientOf = (user: UserInfo) => createInProcessClient({ handle: (request) => api.handle(request), user });
  const stopping = new AbortController();
  const running: Promise<void>[] = [];
  try {
    await story({ clock, admin: clientOf(ADMIN), node: clientOf(NODE), signal: stopping.signal, running });
  } finally {
    stopping.abort();
    await Promise.all(running);
    api.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const PART_OF = 'rbac.authorization.k8s.io/aggregate-to-';
const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });

function role(name: string, more: object, labels: Readonly<Record<string, string>> = {}): KubeObject {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name, labels }, ...more };
}

test('an aggregated role shows the rules of its parts, and follows them', () =>
  check(async ({ admin, clock, signal, running }) => {
    running.push(runRoleAggregation({ client: admin, clock, log: silentLogger, signal }));
    const chosen = { clusterRoleSelectors: [{ matchLabels: { [`${PART_OF}view`]: 'true' } }] };
    const shows = async (expected: readonly object[]) => {
      const rulesOf = async () => (await admin.get({ gvr: CLUSTER_ROLES, name: 'view' }))['rules'] ?? [];
      for (let turn = 0; turn < PATIENCE && !isDeepStrictEqual(await rulesOf(), expected); turn++) await clock.settle();
      assert.deepEqual(await rulesOf(), expected);
    };
    await admin.create(CLUSTER_ROLES, role('view', { rules: [], aggregationRule: chosen }));
    await admin.create(CLUSTER_ROLES, role('more', { rules: [rule('pods')] }, { [`${PART_OF}view`]: 'true' }));
    await admin.create(CLUSTER_ROLES, role('other', { rules: [rule('secrets')] }));
    await shows([rule('pods')]);
    await admin.delete({ gvr: CLUSTER_ROLES, name: 'more' });
    await shows([]);
  }));

/** A mirror pod of the node, with what it names beside its container. */
function mirror(spec: object, owner = 'edge-1'): KubeObject {
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: owner, uid: 'any', controller: true }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'own',
      namespace: 'default',
      annotations: { 'kubernetes.io/config.mirror': 'x' },
      ownerReferences,
    },
    spec: { nodeName: 'edge-1', containers: [{ name: 'main', image: 'host', ...spec }] },
  };
}

test('a node may not reach for a Secret by naming it in a pod of its own', () =>
  check(async ({ admin, node }) => {
    await admin.create(
      { group: '', version: 'v1', resource: 'namespaces' },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
    );
    const secretKeyRef = { name: 'harbour', key: 'key' };
    await assert.rejects(
      node.create(PODS, mirror({ env: [{ name: 'A', valueFrom: { secretKeyRef } }] })),
      /can not create pods that reference secrets/,
    );
    await assert.rejects(
      node.create(PODS, mirror({ envFrom: [{ configMapRef: { name: 'plans' } }] })),
      /reference configmaps/,
    );
    await assert.rejects(node.create(PODS, mirror({}, 'edge-2')), /can only own its mirror pods itself/);
    await node.create(PODS, mirror({}));
  }));

test('a node does not delete itself, nor says where things are placed, nor who owns it', () =>
  check(async ({ admin, node }) => {
    const itself = { gvr: NODES, name: 'edge-1' };
    const labels = (more: object) => ({ metadata: { labels: more } });
    await node.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'edge-1', labels: { 'skerry.io/edge': 'true' } },
    });
    await assert.rejects(
      node.patch(itself, labels({ 'apps.skerry.io/pool': 'gold' }), { type: 'merge' }),
      /apps\.skerry\.io\/pool/,
    );
    await assert.rejects(node.delete(itself), /not allowed to delete itself/);
    await admin.patch(itself, labels({ 'apps.skerry.io/pool': 'gold' }), { type: 'merge' });
    await node.patch(itself, labels({ 'runtime.skerry.io/process': 'true' }), { type: 'merge' });
  }));

test('a revocation is for good, and may only reach further', () =>
  check(async ({ admin }) => {
    for (const definition of securityCrds()) await admin.create(DEFINITIONS, definition);
    const ref = { gvr: IDENTITIES, name: 'edge-1' };
    const kind = { apiVersion: 'security.skerry.io/v1alpha1', kind: 'NodeIdentity' };
    const mark = (revokedBefore: string | null) => admin.patch(ref, { spec: { revokedBefore } }, { type: 'merge' });
    await admin.create(IDENTITIES, { ...kind, metadata: { name: 'edge-1' } });
    await mark('2026-03-02T00:00:00Z');
    await mark('2026-03-03T00:00:00Z');
    await assert.rejects(mark('2026-03-01T00:00:00Z'), /cannot go back; .* join it anew/);
    await assert.rejects(mark(null), /cannot go back/);
    await assert.rejects(
      admin.delete(ref),
      /a revoked identity cannot be deleted; .*'skerry token create --node edge-1'/,
    );
    await admin.patch(ref, { status: { sessionNumber: 3 } }, { type: 'merge', subresource: 'status' });
    await admin.create(IDENTITIES, { ...kind, metadata: { name: 'edge-2' } });
    await admin.delete({ gvr: IDENTITIES, name: 'edge-2' });
  }));

test('a node says how a placed object is, not where it is placed', () =>
  check(async ({ admin, node }) => {
    await admin.create(DEFINITIONS, PUMPS);
    const gvr: Gvr = { group: 'plant.skerry.io', version: 'v1', resource: 'pumps' };
    await admin.create(gvr, { apiVersion: 'plant.skerry.io/v1', kind: 'Pump', metadata: { name: 'one' } });
    const write = (client: Client, status: object) =>
      client.patch({ gvr, name: 'one' }, { status }, { type: 'merge', subresource: 'status' });
    await write(admin, { nodes: ['edge-1'] });
    const pump = await write(node, { nodes: ['edge-1', 'edge-2'], pressure: 3 });
    assert.deepEqual(pump['status'], { nodes: ['edge-1'], pressure: 3 });
  }));

test('a status in the same write takes no other field along, where a kind has no subresource for it', () =>
  check(async ({ admin, node }) => {
    await admin.create(DEFINITIONS, VALVES);
    const gvr: Gvr = { group: 'plant.skerry.io', version: 'v1', resource: 'valves' };
    await admin.create(gvr, {
      apiVersion: 'plant.skerry.io/v1',
      kind: 'Valve',
      metadata: { name: 'one' },
      spec: { open: 1, owner: 'harbour' },
    });
    const write = (patch: object) => node.patch({ gvr, name: 'one' }, patch, { type: 'merge' });
    await assert.rejects(write({ spec: { owner: 'me' }, status: { seen: 1 } }), /may only write spec\.open/);
    const valve = await write({ spec: { open: 2 }, status: { seen: 2 } });
    assert.deepEqual([valve['spec'], valve['status']], [{ open: 2, owner: 'harbour' }, { seen: 2 }]);
  }));

const PUMPS: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'pumps.plant.skerry.io', annotations: { 'skerry.io/node-path': 'status.nodes[]' } },
  spec: {
    group: 'plant.skerry.io',
    scope: 'Cluster',
    names: { plural: 'pumps', kind: 'Pump' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

const VALVES: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'valves.plant.skerry.io', annotations: { 'skerry.io/edge-writable': 'spec.open' } },
  spec: {
    group: 'plant.skerry.io',
    scope: 'Cluster',
    names: { plural: 'valves', kind: 'Valve' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

test('a node writes what is desired of a device at it, and nothing else of its spec', () =>
  check(async ({ admin, node }) => {
    for (const definition of deviceCrds()) await admin.create(DEFINITIONS, definition);
    const namespaces = { group: '', version: 'v1', resource: 'namespaces' };
    await admin.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
    const spec = { properties: [{ name: 'limit', type: 'float32', access: 'ReadWrite', maximum: 9 }] };
    await admin.create(DEVICE_MODELS, {
      apiVersion: DEVICES_API_VERSION,
      kind: 'DeviceModel',
      metadata: { name: 'tank' },
      spec,
    });
    await admin.create(DEVICES, {
      apiVersion: DEVICES_API_VERSION,
      kind: 'Device',
      metadata: { name: 't', namespace: 'default' },
      spec: { model: { name: 'tank' }, protocol: 'simulator' },
    });
    const write = (patch: object) =>
      node.patch({ gvr: DEVICES, namespace: 'default', name: 't' }, patch, { type: 'merge' });
    const wanted = await write({ spec: { desired: { limit: { value: 5 } } } });
    assert.deepEqual((wanted['spec'] as { desired: object }).desired, { limit: { value: 5 } });
    await assert.rejects(write({ spec: { connection: { secretName: 'vault' } } }), /may only write spec\.desired/);
    await assert.rejects(write({ metadata: { labels: { a: 'b' } } }), /may only write spec\.desired/);
    await assert.rejects(write({ spec: { desired: { limit: { value: 10 } } } }), /between/);
  }));

test('a device and its model are held against each other at the API, with the place of what is wrong', () =>
  check(async ({ admin }) => {
    for (const definition of deviceCrds()) await admin.create(DEFINITIONS, definition);
    const model = (unit: string) => ({
      apiVersion: DEVICES_API_VERSION,
      kind: 'DeviceModel',
      metadata: { name: 'tank' },
      spec: { properties: [{ name: 'level', type: 'float32', unit }] },
    });
    await assert.rejects(admin.create(DEVICE_MODELS, model('metres')), (error: unknown) => {
      const { status } = error as { status: { reason: string; details: { causes: { field: string }[] } } };
      assert.deepEqual([status.reason, status.details.causes[0]?.field], ['Invalid', 'spec.properties[0].unit']);
      return true;
    });
    await admin.create(DEVICE_MODELS, model('m'));
  }));

test('brokers are held against each other at the API, and a user that is named twice is refused', () =>
  check(async ({ admin }) => {
    for (const definition of deviceCrds()) await admin.create(DEFINITIONS, definition);
    const broker = (name: string, users: readonly string[] = []) => ({
      apiVersion: DEVICES_API_VERSION,
      kind: 'MqttBroker',
      metadata: { name, namespace: 'default' },
      spec: {
        placement: { nodeName: 'edge-1' },
        listeners: [{ name: 'plant' }],
        users: users.map((user) => ({ name: user, password: { name: 'secret', key: 'password' } })),
      },
    });
    const refusal = async (object: KubeObject) => {
      const error: unknown = await admin.create(MQTT_BROKERS, object).catch((thrown: unknown) => thrown);
      const { status } = error as { status: { details: { causes: { field: string; message: string }[] } } };
      return status.details.causes.map(({ field, message }) => `${field} ${message}`);
    };
    assert.match((await refusal(broker('site', ['press', 'press']))).join(), /^spec.users\[1\] .*Duplicate value/);
    await admin.create(MQTT_BROKERS, broker('site', ['press']));
    assert.match(
      (await refusal(broker('other'))).join(),
      /^spec.listeners\[0\].port .*MqttBroker default\/site has it at node edge-1/,
    );
  }));
