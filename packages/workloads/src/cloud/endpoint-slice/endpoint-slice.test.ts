import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Endpoints, Pod, Service, ServiceSpec } from '@skerry/api/types';
import { ENDPOINT_SLICES, ENDPOINTS, NODES, PODS, SERVICES } from '../resources.ts';
import { type ScratchCloud, scratchCloud } from '../testing/scratch-cloud.ts';
import { endpointSliceController } from './index.ts';
import { endpointsController } from './legacy.ts';

interface World extends ScratchCloud {
  readonly serve: (spec?: ServiceSpec) => Promise<void>;
  /** Makes a pod that is ready at that address. */
  readonly addPod: (name: string, ip: string, node?: string) => Promise<Pod>;
  /** `address ready serving terminating :port` of each endpoint. */
  readonly endpoints: () => Promise<string[]>;
}

async function check(story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client } = cloud;
  cloud.run(endpointSliceController(cloud.context), endpointsController(cloud.context));
  await story({
    ...cloud,
    serve: async (spec = {}) => {
      await client.create<Service>(SERVICES, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'shop' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }], ...spec },
      });
    },
    addPod: async (name, podIP, nodeName) => {
      await client.create<Pod>(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'shop', labels: { app: 'web' } },
        spec: {
          containers: [{ name: 'main', image: 'host', ports: [{ name: 'http', containerPort: 8080 }] }],
          ...(nodeName === undefined ? {} : { nodeName }),
        },
      });
      const status = {
        phase: 'Running',
        podIP,
        podIPs: [{ ip: podIP }],
        conditions: [{ type: 'Ready', status: 'True' }],
      };
      return client.patch<Pod>(
        { gvr: PODS, namespace: 'shop', name },
        { status },
        { type: 'merge', subresource: 'status' },
      );
    },
    endpoints: async () => {
      await cloud.calm();
      const slices = await cloud.list<EndpointSlice>(ENDPOINT_SLICES, 'shop');
      return slices.flatMap(({ endpoints = [], ports = [] }) =>
        endpoints.map(({ addresses, conditions: is }) =>
          [
            addresses[0],
            is?.ready && 'ready',
            is?.serving && 'serving',
            is?.terminating && 'terminating',
            `:${ports[0]?.port}`,
          ]
            .filter(Boolean)
            .join(' '),
        ),
      );
    },
  });
}

test('ready pods are endpoints at the port that the Service names', () =>
  check(async ({ serve, addPod, endpoints, list }) => {
    await serve();
    assert.deepEqual(await endpoints(), []);
    await addPod('a', '10.0.0.1');
    await addPod('b', '10.0.0.2');
    assert.deepEqual(await endpoints(), ['10.0.0.1 ready serving :8080', '10.0.0.2 ready serving :8080']);
    const [slice, ...others] = await list<EndpointSlice>(ENDPOINT_SLICES, 'shop');
    assert.deepEqual(others, []);
    assert.match(slice?.metadata.name ?? '', /^web-/);
    assert.equal(slice?.metadata.labels?.['kubernetes.io/service-name'], 'web');
    assert.equal(slice?.metadata.ownerReferences?.[0]?.kind, 'Service');
  }));

test('a pod that is not ready, or on its way out, is there but takes nothing new', () =>
  check(async ({ serve, addPod, addNode, setReady, client, endpoints }) => {
    await serve();
    await addNode('islet');
    const a = await addPod('a', '10.0.0.1', 'islet');
    await setReady(a, false);
    assert.deepEqual(await endpoints(), ['10.0.0.1 :8080']);
    await setReady(a, true);
    await client.delete({ gvr: PODS, namespace: 'shop', name: 'a' });
    assert.deepEqual(await endpoints(), ['10.0.0.1 serving terminating :8080']);
  }));

test('pods of a node that is not heard of take nothing until it is back', () =>
  check(async ({ serve, addPod, addNode, client, endpoints }) => {
    await serve();
    await addNode('islet');
    await addPod('a', '10.0.0.1', 'islet');
    assert.deepEqual(await endpoints(), ['10.0.0.1 ready serving :8080']);
    const say = (status: string) =>
      client.patch(
        { gvr: NODES, name: 'islet' },
        { status: { conditions: [{ type: 'Ready', status }] } },
        { type: 'merge', subresource: 'status' },
      );
    await say('Unknown');
    assert.deepEqual(await endpoints(), ['10.0.0.1 :8080']);
    await say('True');
    assert.deepEqual(await endpoints(), ['10.0.0.1 ready serving :8080']);
  }));

test('a Service without a selector is left to its owner', () =>
  check(async ({ client, calm, list }) => {
    await client.create<Service>(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'far', namespace: 'shop' },
      spec: { ports: [{ port: 80 }] },
    });
    await calm();
    assert.deepEqual(await list(ENDPOINT_SLICES, 'shop'), []);
  }));

test('a pod whose labels stop matching is no endpoint any more', () =>
  check(async ({ serve, addPod, client, endpoints }) => {
    await serve();
    await addPod('a', '10.0.0.1');
    assert.equal((await endpoints()).length, 1);
    await client.patch(
      { gvr: PODS, namespace: 'shop', name: 'a' },
      { metadata: { labels: { app: 'x' } } },
      { type: 'merge' },
    );
    assert.deepEqual(await endpoints(), []);
  }));

test('the older Endpoints say the same', () =>
  check(async ({ serve, addPod, setReady, client, calm }) => {
    await serve();
    await addPod('a', '10.0.0.1');
    await setReady(await addPod('b', '10.0.0.2'), false);
    await calm();
    const { subsets = [] } = await client.get<Endpoints>({ gvr: ENDPOINTS, namespace: 'shop', name: 'web' });
    assert.deepEqual(
      subsets.map(({ addresses = [], notReadyAddresses = [], ports = [] }) => [
        addresses.map(({ ip }) => ip),
        notReadyAddresses.map(({ ip }) => ip),
        ports.map(({ port }) => port),
      ]),
      [[['10.0.0.1'], ['10.0.0.2'], [8080]]],
    );
  }));

test('the older Endpoints go with their Service, and those that others wrote stay', () =>
  check(async ({ serve, client, calm, list }) => {
    await serve();
    const own = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'by-hand', namespace: 'shop' } };
    await client.create<Endpoints>(ENDPOINTS, own);
    await calm();
    const names = async () => (await list<Endpoints>(ENDPOINTS, 'shop')).map(({ metadata }) => metadata.name);
    assert.deepEqual(await names(), ['by-hand', 'web']);
    await client.delete({ gvr: SERVICES, namespace: 'shop', name: 'web' });
    await calm();
    assert.deepEqual(await names(), ['by-hand']);
  }));
