import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { builtinRows } from '@skerry/api/facts';
import type { ConfigMap, Deployment, Node, Pod, ReplicaSet, Service } from '@skerry/api/types';
import { silentLogger, systemClock } from '@skerry/base';
import { type Client, createHttpClient, createInProcessClient } from '@skerry/kube/client';
import { createInformerFactory } from '@skerry/kube/controller';
import { type ApiServer, createApiServer, listenUnix } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { startControllers } from './index.ts';
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, NODES, PODS, REPLICA_SETS, SERVICES } from './resources.ts';
import { template } from './testing/scratch-cloud.ts';
import { refOf } from './writes.ts';

const USER = { username: 'system:test', groups: ['system:masters'] };

interface World {
  readonly client: Client;
  /** Looks again and again until it holds, in real time. */
  readonly eventually: (what: string, probe: () => Promise<boolean>) => Promise<void>;
}

type Connect = (server: ApiServer, folder: string) => Promise<{ client: Client; close: () => Promise<void> }>;

const inProcess: Connect = async (server) => ({
  client: createInProcessClient({ handle: (request) => server.handle(request), user: USER }),
  close: async () => {},
});

const overSocket: Connect = async (server, folder) => {
  const path = join(folder, 'api.sock');
  const authenticator = { authenticate: async () => ({ kind: 'user' as const, user: USER }) };
  const listener = await listenUnix({ server, authenticator, path, clock: systemClock, log: silentLogger });
  const client = createHttpClient({ connection: { socketPath: path } });
  return {
    client,
    close: async () => {
      client.close();
      await listener.close();
    },
  };
};

/** Runs `story` on a cloud with every controller, and one node that runs whatever is bound to it. */
async function check(connect: Connect, story: (world: World) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-cloud-'));
  const [clock, log] = [systemClock, silentLogger];
  const store = openStore({ file: join(folder, 'cloud.db'), clock, log });
  const server = createApiServer({ store, clock, log, authorizer: { authorize: () => ({ allowed: true }) } });
  const { client, close } = await connect(server, folder);
  const controller = new AbortController();
  const { signal } = controller;
  for (const name of ['default', 'kube-node-lease', 'shop']) {
    await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  await client.create<Node>(NODES, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'islet' },
    status: {
      allocatable: { cpu: '64', memory: '64Gi', pods: '1000' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  });
  runNode(client, signal);
  const running = startControllers({
    client,
    clock,
    log,
    signal,
    rows: builtinRows(),
    rootCa: 'PEM',
    apiEndpoint: { address: '192.0.2.1', port: 6443 },
  });
  const eventually = async (what: string, probe: () => Promise<boolean>) => {
    for (const end = clock.monotonic() + 20_000; clock.monotonic() < end; await clock.sleep(10)) {
      if (await probe()) return;
    }
    assert.fail(`waited in vain for ${what}`);
  };
  try {
    await story({ client, eventually });
  } finally {
    controller.abort(new Error('the test is over'));
    await running.ended;
    await close();
    server.close();
    await store.close();
    await rm(folder, { recursive: true });
  }
}

/** A node in a few lines: what is bound becomes ready, what is deleted goes. */
function runNode(client: Client, signal: AbortSignal): void {
  const pods = createInformerFactory({ client, clock: systemClock, log: silentLogger, signal }).informer<Pod>({
    gvr: PODS,
    fieldSelector: 'spec.nodeName=islet',
  });
  pods.onChange(({ type, object }) => {
    if (type === 'delete') return;
    const isGoing = object.metadata.deletionTimestamp !== undefined;
    if (!isGoing && object.status?.phase === 'Running') return;
    const status = { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] };
    const work = isGoing
      ? client.delete(refOf(PODS, object), { gracePeriodSeconds: 0 })
      : client.patch(refOf(PODS, object), { status }, { type: 'strategic', subresource: 'status' });
    work.catch(() => {});
  });
}

const web = (replicas: number): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template({ app: 'web' }) },
});

const ref = refOf(DEPLOYMENTS, web(0));

for (const [how, connect] of Object.entries({ 'in process': inProcess, 'over a socket': overSocket })) {
  test(`a Deployment lives its life with every controller at work, ${how}`, () =>
    check(connect, async ({ client, eventually }) => {
      const available = async (count: number) =>
        ((await client.get<Deployment>(ref)).status?.availableReplicas ?? 0) === count;
      await client.create(DEPLOYMENTS, web(20));
      await eventually('20 available pods', () => available(20));
      await client.patch(ref, { spec: { replicas: 3 } }, { type: 'merge' });
      await eventually('3 available pods', () => available(3));
      const service: Service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'shop' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
      };
      await client.create(SERVICES, service);
      const certificate = { gvr: CONFIG_MAPS, namespace: 'shop', name: 'kube-root-ca.crt' };
      assert.equal((await client.get<ConfigMap>(certificate)).data?.['ca.crt'], 'PEM');
      await client.delete(ref, { propagationPolicy: 'Background' });
      await eventually('the end of all pods', async () => {
        const sets = await client.list<ReplicaSet>(REPLICA_SETS, { namespace: 'shop' });
        const pods = await client.list<Pod>(PODS, { namespace: 'shop' });
        return sets.items.length + pods.items.length === 0;
      });
      await client.delete({ gvr: NAMESPACES, name: 'shop' });
      await eventually('the end of the namespace', async () => {
        const { items } = await client.list(NAMESPACES);
        return items.every(({ metadata }) => metadata.name !== 'shop');
      });
    }));
}
