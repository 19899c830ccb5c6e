import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointPort, EndpointSlice, EndpointSubset, Endpoints, Service } from '@skerry/api/types';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../resources.ts';
import { type ScratchCloud, scratchCloud } from '../testing/scratch-cloud.ts';
import { endpointSliceMirroringController } from './index.ts';
import { MAX_MIRRORED_ADDRESSES, mirroredGroups } from './mirrored.ts';

const PORTS: EndpointPort[] = [{ name: 'http', port: 80, protocol: 'TCP' }];
const REF = { gvr: ENDPOINTS, namespace: 'shop', name: 'db' };

interface World extends ScratchCloud {
  readonly serve: (selector?: Record<string, string>) => Promise<void>;
  readonly point: (subsets: EndpointSubset[], metadata?: Endpoints['metadata']) => Promise<void>;
  readonly repoint: (change: object) => Promise<void>;
  readonly slices: () => Promise<EndpointSlice[]>;
  /** `family address ready :ports` of each endpoint. */
  readonly endpoints: () => Promise<string[]>;
}

async function check(story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client } = cloud;
  cloud.run(endpointSliceMirroringController(cloud.context));
  const slices = async () => {
    await cloud.calm();
    return cloud.list<EndpointSlice>(ENDPOINT_SLICES, 'shop');
  };
  const metadata = { name: 'db', namespace: 'shop' };
  await story({
    ...cloud,
    slices,
    serve: async (selector) => {
      const spec = { ports: PORTS, ...(selector === undefined ? {} : { selector }) };
      await client.create<Service>(SERVICES, { apiVersion: 'v1', kind: 'Service', metadata, spec });
    },
    point: async (subsets, more = {}) => {
      const object = { apiVersion: 'v1', kind: 'Endpoints', metadata: { ...metadata, ...more }, subsets };
      await client.create<Endpoints>(ENDPOINTS, object);
    },
    repoint: async (change) => {
      await client.patch(REF, change, { type: 'merge' });
    },
    endpoints: async () =>
      (await slices()).flatMap(({ addressType, endpoints = [], ports = [] }) =>
        endpoints.map(({ addresses, conditions }) =>
          [
            addressType,
            addresses[0],
            conditions?.ready === true ? 'ready' : 'not',
            `:${ports.map(({ port }) => port)}`,
          ].join(' '),
        ),
      ),
  });
}

test('Endpoints of a Service without selector are mirrored, followed, and taken back', () =>
  check(async ({ serve, point, repoint, slices, endpoints, client }) => {
    await serve();
    await point([{ addresses: [{ ip: '10.1.2.3' }], ports: PORTS }], {
      labels: { app: 'db' },
      annotations: { note: 'by hand' },
    });
    assert.deepEqual(await endpoints(), ['IPv4 10.1.2.3 ready :80']);
    const [slice] = await slices();
    assert.deepEqual(slice?.metadata.labels, {
      app: 'db',
      'kubernetes.io/service-name': 'db',
      'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
    });
    assert.deepEqual(slice.metadata.annotations, { note: 'by hand' });
    assert.equal(slice.metadata.ownerReferences?.[0]?.kind, 'Endpoints');
    await repoint({
      metadata: { labels: { app: 'other' } },
      subsets: [{ addresses: [{ ip: '10.2.3.4' }], notReadyAddresses: [{ ip: '10.2.3.5' }], ports: PORTS }],
    });
    assert.deepEqual((await endpoints()).toSorted(), ['IPv4 10.2.3.4 ready :80', 'IPv4 10.2.3.5 not :80']);
    const [changed] = await slices();
    assert.deepEqual([changed?.metadata.uid, changed?.metadata.labels?.['app']], [slice.metadata.uid, 'other']);
    await client.delete(REF);
    assert.deepEqual(await endpoints(), []);
  }));

test('who selects pods, or says so, is not mirrored', () =>
  check(async ({ serve, point, repoint, endpoints, client }) => {
    await point([{ addresses: [{ ip: '10.1.2.3' }], ports: PORTS }]);
    assert.deepEqual(await endpoints(), [], 'without a Service');
    await serve({ app: 'db' });
    assert.deepEqual(await endpoints(), [], 'with a selector');
    await client.patch(
      { gvr: SERVICES, namespace: 'shop', name: 'db' },
      { spec: { selector: null } },
      { type: 'merge' },
    );
    assert.equal((await endpoints()).length, 1);
    await repoint({ metadata: { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } } });
    assert.deepEqual(await endpoints(), [], 'with the label');
    await repoint({ metadata: { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'false' } } });
    assert.equal((await endpoints()).length, 1);
    await repoint({ metadata: { annotations: { 'control-plane.alpha.kubernetes.io/leader': 'somebody' } } });
    assert.deepEqual(await endpoints(), [], 'as a lock');
  }));

test('families and ports have slices of their own', () =>
  check(async ({ serve, point, endpoints, slices }) => {
    await serve();
    const other: EndpointPort[] = [{ name: 'http', port: 81, protocol: 'TCP' }];
    await point([
      { addresses: [{ ip: '10.1.2.3' }, { ip: 'fd00::1' }], ports: PORTS },
      { addresses: [{ ip: '10.1.2.4' }], ports: PORTS },
      { addresses: [{ ip: '10.1.2.3' }], ports: other },
    ]);
    const wanted = [
      'IPv4 10.1.2.3 ready :80',
      'IPv4 10.1.2.3 ready :81',
      'IPv4 10.1.2.4 ready :80',
      'IPv6 fd00::1 ready :80',
    ];
    assert.deepEqual((await endpoints()).toSorted(), wanted);
    assert.equal((await slices()).length, 3);
  }));

test('of one subset no more than a thousand addresses are mirrored', () => {
  const addresses = Array.from({ length: 1100 }, (_, index) => ({ ip: `10.1.${index >> 8}.${index & 255}` }));
  const [group] = mirroredGroups({ metadata: {}, subsets: [{ addresses, ports: PORTS }] } as unknown as Endpoints);
  assert.equal(group?.endpoints.length, MAX_MIRRORED_ADDRESSES);
});
