import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPAddress, Service, ServiceCIDR, ServiceSpec } from '@skerry/api/types';
import { SERVICES } from '../resources.ts';
import { type ScratchCloud, scratchCloud } from '../testing/scratch-cloud.ts';
import { IP_ADDRESSES, ipAddressController, SERVICE_CIDRS, serviceCidrController } from './index.ts';

interface World extends ScratchCloud {
  readonly serve: (name: string, spec?: ServiceSpec) => Promise<string>;
  readonly addRange: (name: string, cidr: string) => Promise<void>;
  /** `address: namespace/name` of each IPAddress. */
  readonly addresses: () => Promise<string[]>;
  /** `name cidrs Ready=status reason` of each range. */
  readonly ranges: () => Promise<string[]>;
}

async function check(story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client } = cloud;
  cloud.run(ipAddressController(cloud.context), serviceCidrController(cloud.context));
  await cloud.calm();
  await story({
    ...cloud,
    serve: async (name, spec = {}) => {
      const { spec: made } = await client.create<Service>(SERVICES, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'shop' },
        spec: { ports: [{ port: 80 }], ...spec },
      });
      return made?.clusterIP ?? '';
    },
    addRange: async (name, cidr) => {
      await client.create<ServiceCIDR>(SERVICE_CIDRS, {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'ServiceCIDR',
        metadata: { name },
        spec: { cidrs: [cidr] },
      });
      await cloud.calm();
    },
    addresses: async () => {
      await cloud.calm();
      const items = await cloud.list<IPAddress>(IP_ADDRESSES);
      return items.map(
        ({ metadata, spec: { parentRef } }) => `${metadata.name}: ${parentRef.namespace}/${parentRef.name}`,
      );
    },
    ranges: async () => {
      await cloud.calm();
      const items = await cloud.list<ServiceCIDR>(SERVICE_CIDRS);
      return items.map(({ metadata, spec, status }) => {
        const ready = status?.conditions?.find(({ type }) => type === 'Ready');
        return [metadata.name, spec?.cidrs, `Ready=${ready?.status}`, ready?.reason].filter(Boolean).join(' ');
      });
    },
  });
}

test('each address of a Service is written down, and taken back with it', () =>
  check(async ({ serve, addresses, client }) => {
    const ip = await serve('web');
    await serve('headless', { clusterIP: 'None' });
    assert.deepEqual(await addresses(), [`${ip}: shop/web`]);
    await client.delete({ gvr: IP_ADDRESSES, name: ip });
    assert.deepEqual(await addresses(), [`${ip}: shop/web`], 'it comes back while the Service is there');
    await client.delete({ gvr: SERVICES, namespace: 'shop', name: 'web' });
    assert.deepEqual(await addresses(), []);
  }));

test('an address that went to another Service is that one’s', () =>
  check(async ({ serve, addresses, client, clock }) => {
    const ip = await serve('web');
    assert.deepEqual(await addresses(), [`${ip}: shop/web`]);
    await client.delete({ gvr: SERVICES, namespace: 'shop', name: 'web' });
    await serve('next', { clusterIP: ip });
    await addresses();
    await clock.advance(1000);
    assert.deepEqual(await addresses(), [`${ip}: shop/next`]);
  }));

test('an address that somebody wrote down is nobody else’s to give or to delete', () =>
  check(async ({ serve, addresses, client }) => {
    await client.create<IPAddress>(IP_ADDRESSES, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IPAddress',
      metadata: { name: '10.96.0.77' },
      spec: { parentRef: { resource: 'services', namespace: 'shop', name: 'reserved' } },
    });
    await assert.rejects(serve('web', { clusterIP: '10.96.0.77' }), /provided IP is already allocated/);
    assert.deepEqual(await addresses(), ['10.96.0.77: shop/reserved']);
    assert.equal(await serve('reserved', { clusterIP: '10.96.0.77' }), '10.96.0.77');
  }));

test('the range of every cluster is there, and comes back', () =>
  check(async ({ ranges, client }) => {
    assert.deepEqual(await ranges(), ['kubernetes 10.96.0.0/12 Ready=True']);
    await client.delete({ gvr: SERVICE_CIDRS, name: 'kubernetes' });
    assert.deepEqual(await ranges(), ['kubernetes 10.96.0.0/12 Ready=True']);
  }));

test('a further range gives addresses, and goes with the last of them', () =>
  check(async ({ ranges, addRange, serve, client }) => {
    await assert.rejects(serve('web', { clusterIP: '10.200.0.5' }), /not in the service network/);
    await addRange('more', '10.200.0.0/24');
    assert.equal(await serve('web', { clusterIP: '10.200.0.5' }), '10.200.0.5');
    await ranges();
    await client.delete({ gvr: SERVICE_CIDRS, name: 'more' });
    const going = 'more 10.200.0.0/24 Ready=False Terminating';
    assert.deepEqual(await ranges(), ['kubernetes 10.96.0.0/12 Ready=True', going]);
    await assert.rejects(serve('late', { clusterIP: '10.200.0.6' }), /not in the service network/);
    await client.delete({ gvr: SERVICES, namespace: 'shop', name: 'web' });
    assert.deepEqual(await ranges(), ['kubernetes 10.96.0.0/12 Ready=True']);
  }));
