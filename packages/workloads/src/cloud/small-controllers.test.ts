import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, Ref } from '@skerry/api';
import type { ConfigMap, EndpointSlice, Pod, Service } from '@skerry/api/types';
import type { ControllerSpec } from '@skerry/kube/controller';
import type { CloudContext } from './context.ts';
import { kubernetesServiceController } from './kubernetes-service/index.ts';
import { podGcController } from './pod-gc/index.ts';
import {
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  NAMESPACES,
  NODES,
  PODS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from './resources.ts';
import { rootCaController } from './root-ca/index.ts';
import { serviceAccountController } from './service-account/index.ts';
import { type ScratchCloud, scratchCloud } from './testing/scratch-cloud.ts';

/** Runs `story` on a cloud with one controller. */
async function check(
  controller: (context: CloudContext) => ControllerSpec,
  story: (cloud: ScratchCloud & { readonly there: (ref: Ref) => Promise<boolean> }) => Promise<void>,
): Promise<void> {
  await using cloud = await scratchCloud();
  cloud.run(controller(cloud.context));
  await cloud.calm();
  await story({ ...cloud, there: async (ref) => (await cloud.find<KubeObject>(ref)) !== undefined });
}

test('every namespace has its default service account, also after it was deleted', () =>
  check(serviceAccountController, async ({ client, calm, there }) => {
    const account = { gvr: SERVICE_ACCOUNTS, namespace: 'shop', name: 'default' };
    assert.ok(await there(account));
    await client.delete(account);
    await calm();
    assert.ok(await there(account));
    await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'new' } });
    await calm();
    assert.ok(await there({ ...account, namespace: 'new' }));
  }));

test('every namespace has the certificate of the authority, whatever is written over it', () =>
  check(
    (context) => rootCaController(context, 'PEM'),
    async ({ client, calm }) => {
      const ref = { gvr: CONFIG_MAPS, namespace: 'shop', name: 'kube-root-ca.crt' };
      assert.deepEqual((await client.get<ConfigMap>(ref)).data, { 'ca.crt': 'PEM' });
      await client.patch(ref, { data: { 'ca.crt': 'FORGED' } }, { type: 'merge' });
      await calm();
      assert.deepEqual((await client.get<ConfigMap>(ref)).data, { 'ca.crt': 'PEM' });
    },
  ));

test('the API server is a Service, and follows where it moves', async () => {
  await using cloud = await scratchCloud();
  await cloud.client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  cloud.run(kubernetesServiceController(cloud.context, { address: '192.0.2.1', port: 6443 }));
  await cloud.calm();
  const at = { namespace: 'default', name: 'kubernetes' };
  const { spec } = await cloud.client.get<Service>({ gvr: SERVICES, ...at });
  assert.deepEqual(
    spec?.ports?.map(({ port, targetPort }) => [port, targetPort]),
    [[443, 6443]],
  );
  const slice = { gvr: ENDPOINT_SLICES, ...at };
  await cloud.client.patch(slice, { endpoints: [] }, { type: 'merge' });
  await cloud.calm();
  assert.deepEqual((await cloud.client.get<EndpointSlice>(slice)).endpoints?.[0]?.addresses, ['192.0.2.1']);
  assert.ok(await cloud.find({ gvr: ENDPOINTS, ...at }));
});

const pod = (nodeName: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { containers: [{ name: 'main', image: 'host' }], ...(nodeName === '' ? {} : { nodeName }) },
});

const WEB = { gvr: PODS, namespace: 'shop', name: 'web' };

test('pods of a deleted node go after a quarantine', () =>
  check(podGcController, async ({ client, clock, calm, addNode, there }) => {
    await addNode('islet');
    await client.create(PODS, pod('islet'));
    await calm();
    await clock.advance(100_000);
    assert.ok(await there(WEB));
    await client.delete({ gvr: NODES, name: 'islet' });
    await calm();
    await clock.advance(39_000);
    assert.ok(await there(WEB));
    await clock.advance(2000);
    await calm();
    assert.equal(await there(WEB), false);
  }));

test('a node that comes back within the quarantine keeps its pods', () =>
  check(podGcController, async ({ client, clock, calm, addNode, there }) => {
    await client.create(PODS, pod('islet'));
    await calm();
    await clock.advance(30_000);
    await addNode('islet');
    await calm();
    await clock.advance(100_000);
    await calm();
    assert.ok(await there(WEB));
  }));
