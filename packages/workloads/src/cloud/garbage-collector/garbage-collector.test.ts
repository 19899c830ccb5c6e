import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gvr, KubeObject, OwnerReference } from '@skerry/api';
import { CONFIG_MAPS, NODES, REPLICA_SETS } from '../resources.ts';
import { type ScratchCloud, scratchCloud, template } from '../testing/scratch-cloud.ts';
import { garbageCollector } from './index.ts';

interface World extends ScratchCloud {
  /** Makes a ConfigMap with these owners, which stands for any object. */
  readonly make: (name: string, owners?: readonly OwnerReference[], finalizers?: string[]) => Promise<OwnerReference>;
  readonly remove: (name: string, policy?: 'Background' | 'Foreground' | 'Orphan') => Promise<void>;
  readonly names: () => Promise<string[]>;
  readonly ownersOf: (name: string) => Promise<string[]>;
}

async function check(story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  cloud.run(garbageCollector(cloud.context));
  const { client } = cloud;
  const at = (name: string) => ({ gvr: CONFIG_MAPS, namespace: 'shop', name });
  await cloud.until('the mirror', async () => {
    await cloud.clock.advance(500);
    return true;
  });
  await story({
    ...cloud,
    make: async (name, owners = [], finalizers = []) => {
      const made = await client.create<KubeObject>(CONFIG_MAPS, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: 'shop', ownerReferences: [...owners], finalizers },
      });
      return { apiVersion: 'v1', kind: 'ConfigMap', name, uid: made.metadata.uid ?? '' };
    },
    remove: (name, policy) => client.delete(at(name), policy === undefined ? {} : { propagationPolicy: policy }),
    names: async () => {
      await cloud.calm();
      await cloud.clock.advance(600);
      await cloud.calm();
      return (await cloud.list(CONFIG_MAPS, 'shop')).map(({ metadata }) => metadata.name ?? '');
    },
    ownersOf: async (name) => (await client.get(at(name))).metadata.ownerReferences?.map((owner) => owner.name) ?? [],
  });
}

const blocking = (owner: OwnerReference): OwnerReference => ({ ...owner, blockOwnerDeletion: true });

test('dependents of what was deleted go, and theirs', () =>
  check(async ({ make, remove, names }) => {
    const a = await make('a');
    const b = await make('b', [a]);
    await make('c', [b]);
    await make('d');
    assert.deepEqual(await names(), ['a', 'b', 'c', 'd']);
    await remove('a');
    assert.deepEqual(await names(), ['d']);
  }));

test('an object that names an owner which was never there goes', () =>
  check(async ({ make, names }) => {
    await make('a', [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'ghost', uid: 'none' }]);
    assert.deepEqual(await names(), []);
  }));

test('an owner of the same name but another uid is another owner', () =>
  check(async ({ make, names }) => {
    const a = await make('a');
    await make('b', [{ ...a, uid: 'other' }]);
    assert.deepEqual(await names(), ['a']);
  }));

test('an object with two owners stays with the one that is left', () =>
  check(async ({ make, remove, names, ownersOf }) => {
    const a = await make('a');
    const b = await make('b');
    await make('c', [a, b]);
    await remove('a');
    assert.deepEqual(await names(), ['b', 'c']);
    assert.deepEqual(await ownersOf('c'), ['b']);
  }));

test('orphaned dependents stay, without the owner', () =>
  check(async ({ make, remove, names, ownersOf }) => {
    const a = await make('a');
    await make('b', [a]);
    await remove('a', 'Orphan');
    assert.deepEqual(await names(), ['b']);
    assert.deepEqual(await ownersOf('b'), []);
  }));

test('in the foreground the owner goes after the dependents that block it', () =>
  check(async ({ make, remove, names, client }) => {
    const a = await make('a');
    await make('b', [blocking(a)], ['example.com/hold']);
    await remove('a', 'Foreground');
    assert.deepEqual(await names(), ['a', 'b']);
    await client.patch(
      { gvr: CONFIG_MAPS, namespace: 'shop', name: 'b' },
      { metadata: { finalizers: [] } },
      { type: 'merge' },
    );
    assert.deepEqual(await names(), []);
  }));

test('in the foreground the owner does not wait for dependents that do not block', () =>
  check(async ({ make, remove, names }) => {
    const a = await make('a');
    await make('b', [a], ['example.com/hold']);
    await remove('a', 'Foreground');
    assert.deepEqual(await names(), ['b']);
  }));

test('objects that own each other in a circle all go when one of them goes in the foreground', () =>
  check(async ({ make, remove, names, client }) => {
    const [a, b, c] = [await make('a'), await make('b'), await make('c')];
    const own = (name: string, owner: OwnerReference) =>
      client.patch(
        { gvr: CONFIG_MAPS, namespace: 'shop', name },
        { metadata: { ownerReferences: [blocking(owner)] } },
        { type: 'merge' },
      );
    await Promise.all([own('a', c), own('b', a), own('c', b)]);
    assert.deepEqual(await names(), ['a', 'b', 'c']);
    await remove('a', 'Foreground');
    assert.deepEqual(await names(), []);
  }));

test('a cluster-scoped owner keeps its namespaced dependents, and takes them with it', () =>
  check(async ({ make, names, addNode, client }) => {
    const node = await addNode('islet');
    await make('a', [{ apiVersion: 'v1', kind: 'Node', name: 'islet', uid: node.metadata.uid ?? '' }]);
    assert.deepEqual(await names(), ['a']);
    await client.delete({ gvr: NODES, name: 'islet' });
    assert.deepEqual(await names(), []);
  }));

test('an owner in another namespace is no owner', () =>
  check(async ({ make, names, client }) => {
    await client.create(
      { group: '', version: 'v1', resource: 'namespaces' },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'far' } },
    );
    const far = await client.create<KubeObject>(REPLICA_SETS, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web', namespace: 'far' },
      spec: { replicas: 0, selector: { matchLabels: { app: 'x' } }, template: template({ app: 'x' }) },
    });
    await make('a', [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: far.metadata.uid ?? '' }]);
    assert.deepEqual(await names(), []);
  }));

test('objects of custom kinds are collected as any others, from the moment they are defined', () =>
  check(async ({ make, remove, names, client, calm, list }) => {
    const buoys: Gvr = { group: 'sea.example.com', version: 'v1', resource: 'buoys' };
    await client.create(
      { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' },
      {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: 'buoys.sea.example.com' },
        spec: {
          group: buoys.group,
          scope: 'Namespaced',
          names: { plural: 'buoys', singular: 'buoy', kind: 'Buoy', listKind: 'BuoyList' },
          versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
        },
      },
    );
    await calm();
    const a = await make('a');
    await client.create(buoys, {
      apiVersion: 'sea.example.com/v1',
      kind: 'Buoy',
      metadata: { name: 'red', namespace: 'shop', ownerReferences: [a] },
    });
    await calm();
    assert.equal((await list(buoys, 'shop')).length, 1);
    await remove('a');
    assert.deepEqual(await names(), []);
    assert.equal((await list(buoys, 'shop')).length, 0);
  }));
