import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Namespace, Pod } from '@skerry/api/types';
import { CONFIG_MAPS, NAMESPACES, PODS, SERVICE_ACCOUNTS } from '../resources.ts';
import { type ScratchCloud, scratchCloud } from '../testing/scratch-cloud.ts';
import { namespaceController } from './index.ts';

const SHOP = { gvr: NAMESPACES, name: 'shop' };

async function check(story: (cloud: ScratchCloud) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  cloud.run(namespaceController(cloud.context));
  await cloud.calm();
  await story(cloud);
}

const configMap = (name: string, finalizers: string[] = []) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'shop', finalizers },
});

test('a namespace goes with all that is in it, at once when nothing holds it', () =>
  check(async ({ client, calm, find, list }) => {
    await client.create(CONFIG_MAPS, configMap('a'));
    await client.create(SERVICE_ACCOUNTS, { ...configMap('b'), kind: 'ServiceAccount' });
    await client.delete(SHOP);
    await calm();
    assert.equal(await find(SHOP), undefined);
    assert.equal((await list(CONFIG_MAPS)).length, 0);
  }));

test('what has a finalizer holds the namespace, which says so', () =>
  check(async ({ client, calm, clock, find }) => {
    await client.create(CONFIG_MAPS, configMap('a', ['example.com/hold']));
    await client.delete(SHOP);
    await calm();
    const { status } = await client.get<Namespace>(SHOP);
    assert.equal(status?.phase, 'Terminating');
    const said = status?.conditions
      ?.filter((one) => one.status === 'True')
      .map(({ reason, message }) => `${reason}: ${message}`);
    assert.deepEqual(said, [
      'SomeResourcesRemain: Some resources are remaining: configmaps. has 1 resource instances',
      'SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
    ]);
    await client.patch(
      { gvr: CONFIG_MAPS, namespace: 'shop', name: 'a' },
      { metadata: { finalizers: null } },
      { type: 'merge' },
    );
    await clock.advance(1000);
    await calm();
    assert.equal(await find(SHOP), undefined);
  }));

test('what pods use stays until the last pod is gone', () =>
  check(async ({ client, calm, clock, find, list }) => {
    const web: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { nodeName: 'islet', containers: [{ name: 'main', image: 'host' }] },
    };
    await client.create(PODS, web);
    await client.create(CONFIG_MAPS, configMap('a'));
    await client.delete(SHOP);
    await calm();
    await clock.advance(1000);
    await calm();
    assert.equal((await list(CONFIG_MAPS, 'shop')).length, 1);
    await client.delete({ gvr: PODS, namespace: 'shop', name: 'web' }, { gracePeriodSeconds: 0 });
    await clock.advance(1000);
    await calm();
    assert.equal(await find(SHOP), undefined);
  }));

test('a namespace that nobody deletes is left alone', () =>
  check(async ({ client, calm, clock, find }) => {
    await client.create(CONFIG_MAPS, configMap('a'));
    await clock.advance(10_000);
    await calm();
    assert.ok(await find({ gvr: CONFIG_MAPS, namespace: 'shop', name: 'a' }));
  }));
