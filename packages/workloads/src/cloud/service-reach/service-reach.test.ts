import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Service } from '@skerry/api/types';
import { ENDPOINT_SLICES, SERVICES } from '../resources.ts';
import { scratchCloud } from '../testing/scratch-cloud.ts';
import { serviceReachController } from './index.ts';

const WEB = { gvr: SERVICES, namespace: 'shop', name: 'web' };

function sliceOf(name: string, nodeName: string): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.0.2'], nodeName }],
    ports: [],
  };
}

/** What the Service says of its traffic once it has endpoints on these nodes, and after they have gone. */
async function check(nodes: readonly string[], expected: string | undefined): Promise<void> {
  await using cloud = await scratchCloud();
  const { client } = cloud;
  await cloud.addNode('edge-1', { labels: { 'skerry.io/edge': 'true' } });
  await cloud.addNode('rack-1');
  cloud.run(serviceReachController(cloud.context));
  await client.create<Service>(SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { ports: [{ port: 80, protocol: 'TCP' }] },
  });
  const said = async () => {
    await cloud.calm();
    const { status, metadata } = await client.get<Service>(WEB);
    return {
      of: status?.conditions?.map(({ type, status: is }) => `${type}=${is}`)[0],
      version: metadata.resourceVersion,
    };
  };
  for (const node of nodes) await client.create(ENDPOINT_SLICES, sliceOf(node, node));
  const first = await said();
  assert.equal(first.of, expected);
  for (const node of nodes) await client.delete({ gvr: ENDPOINT_SLICES, namespace: 'shop', name: node });
  assert.deepEqual(await said(), first, 'endpoints that come and go are no news of the Service');
}

test('a Service with endpoints on an edge node says that its traffic stays there', () =>
  check(['edge-1', 'rack-1'], 'skerry.io/NodeLocal=True'));

test('a Service without any says nothing', async () => {
  await check(['rack-1'], undefined);
  await check([], undefined);
});
